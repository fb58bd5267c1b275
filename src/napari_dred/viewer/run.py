"""A run: its worker, what it reads, where its images lie, and how fast it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils import progress
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

import napari_dred
from napari_dred.core.errors import InputError
from napari_dred.core.records import Plan, Result, Step
from napari_dred.text import times
from napari_dred.viewer.clock import Clock
from napari_dred.viewer.layers import result_layer
from napari_dred.viewer.request import Request
from napari_dred.viewer.snapshots import Snapshot
from napari_dred.viewer.worker import RestoreWorker
from napari_dred.volumes.regions import observed

#: As napari's `LayerDataTuple`.
LayerData = tuple[NDArray[Any], dict[str, Any], str]


class Run:
    """What the panel knows of one run."""

    def __init__(self, worker: RestoreWorker, request: Request) -> None:
        self.worker, self.request = worker, request
        self.listener, source = request.listener, request.source
        self.source = source
        self.plane, self.region = source.plane, source.region
        self.parameters = request.parameters
        self.plan: Plan | None = None
        self.clock = Clock()
        self._activity: progress | None = None
        self._over = self._advancing = False

    # Where its images lie.

    def layer_data(
        self, image: NDArray[Any], name: str, made: Mapping[str, Any] | None = None
    ) -> LayerData:
        """Make a layer of an image that the run gave: of its part, or pasted into the whole."""
        scale = self.parameters.scale
        rows, columns = self.plane.axes if self.source.stack else (0, 1)
        whole = scale == 1 and (image.shape[rows], image.shape[columns]) == self.plane.shape
        metadata = None if made is None else self.source.provenance(made)
        return result_layer(
            self.plane,
            image,
            name=name,
            scale=scale,
            region=None if whole else self.region,
            metadata=metadata,
        )

    def as_result(self, snapshot: Snapshot) -> LayerData:
        """Make a layer of a snapshot as if the run had ended with it."""
        assert self.plan is not None
        made = Result(
            image=snapshot.image,
            plan=self.plan,
            steps=(),
            stop_reason="snapshot",
            seconds=0.0,
            notes=self.plan.notes,
            version=napari_dred.__version__,
            kept=snapshot.iteration,
        ).provenance()
        made["iterations"] = snapshot.iteration
        del made["seconds"]
        name = f"{self.plane.name} (iteration {snapshot.iteration})"
        return self.layer_data(self._finished(snapshot.image), name, made)

    def _finished(self, image: NDArray[Any]) -> NDArray[Any]:
        """The image with the observed pixels kept, if that was asked for, pasted into the whole."""
        if self.parameters.scale > 1:
            return image
        part = ... if self.region is None else self.region.slices
        given = self.plane.image
        if self.parameters.keep_observed:
            mask = None if self.source.mask is None else self.source.mask[part]
            known = observed(given[part], mask)
            image = np.where(known, given[part], image).astype(image.dtype, copy=False)
        if self.region is None:
            return image
        whole = given.astype(image.dtype)
        whole[part] = image
        return whole

    def reference(self, layer: Image) -> NDArray[Any]:
        """The plane of a layer that lies pixel by pixel on the run's images.

        Returns
        -------
        array of the shape of the run's images
            A copy.

        Raises
        ------
        InputError
            If the layer has another size or no such plane, or samples that are no numbers.
        """
        data = layer.data[0] if layer.multiscale else layer.data
        image = np.array(data[self._place(layer)])
        if layer.rgb:
            image = image[..., :3]
        size, n = image.shape[:2], self.parameters.scale
        if self.region is not None and size == self._size(self.plane.shape):
            rows, columns = self.region.slices
            image = image[rows.start * n : rows.stop * n, columns.start * n : columns.stop * n]
        if image.dtype.kind not in "uif" or not np.isfinite(image).all():
            raise InputError(
                f"the reference {layer.name!r} has samples that are no real numbers (such as NaN); "
                "choose an image without them"
            )
        return image

    def _size(self, shape: tuple[int, int]) -> tuple[int, int]:
        return shape[0] * self.parameters.scale, shape[1] * self.parameters.scale

    def _place(self, layer: Image) -> tuple[Any, ...]:
        """The index of the plane in the layer's data."""
        if layer.rgb != (self.plane.image.ndim == 3):
            kinds = ("a colour", "a gray") if layer.rgb else ("a gray", "a colour")
            raise InputError(
                f"the reference {layer.name!r} is {kinds[0]} image and the restored one is "
                f"{kinds[1]} image; choose one of the same kind"
            )
        data = layer.data[0] if layer.multiscale else layer.data
        shape = tuple(int(n) for n in data.shape[: layer.ndim])
        lacking = len(self.plane.index) - layer.ndim
        axes = [axis - lacking for axis in self.plane.axes]
        sizes = [self._size(self.plane.shape)]
        if self.region is not None:
            sizes.append(self._size(self.region.shape))
        if lacking < 0 or min(axes) < 0 or (shape[axes[0]], shape[axes[1]]) not in sizes:
            raise InputError(
                f"the reference {layer.name!r} has {times(shape)} pixels and the restored image "
                f"{times(sizes[0])}; choose one of the same size"
            )
        place: list[Any] = []
        for axis, length in enumerate(shape):
            at = 0 if length == 1 else self.plane.index[axis + lacking]
            if axis not in axes and at >= length:
                raise InputError(
                    f"the reference {layer.name!r} has {length} planes on axis {axis}, and plane "
                    f"{at} is restored; choose one with the same number of planes"
                )
            place.append(slice(None) if axis in axes else at)
        return tuple(place)

    def does(self, request: Request) -> bool:
        """Whether this is the run that is asked for; of a stack it may have read other planes."""
        return self.source.stack is None and request.equals(self.request)

    # How far it is. What napari's dialog shows anew makes it handle events, the next records
    # among them: that must not happen while a record is being shown, only when it has been.

    def begin(self) -> None:
        """Show the run in napari's activity dialog; in the main thread, like all of this."""
        QTimer.singleShot(0, self._begin)

    def advance(self, step: Step) -> None:
        """Show there how far it is."""
        QTimer.singleShot(0, partial(self._advance, step))

    def _begin(self) -> None:
        activity = progress(total=0, desc=f"Restoring {self.plane.name}")
        if self._over:  # before, or while events were handled
            activity.close()
        else:
            self._activity = activity

    def _advance(self, step: Step) -> None:
        if self._activity is not None and not self._advancing:
            self._advancing = True
            self._activity.total = step.total
            self._activity.update(step.iteration - self._activity.n)
            self._advancing = False

    def end(self) -> None:
        """Take it out of the dialog."""
        self._over = True
        if self._activity is not None:
            self._activity.close()
            self._activity = None

    def release(self) -> None:
        """Let go of what only the run needed; to be called when its thread has left it."""
        self.worker.job.release()
        if self.source.stack is not None:
            self.source = replace(self.source, stack=self.source.stack.closed())
            self.request = replace(self.request, source=self.source)
