"""A run: its worker, what it reads, where its images lie, and how fast it goes."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image
from napari.utils import progress
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

import napari_dred
from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Plan, Result, Step
from napari_dred.text import duration, plural, times
from napari_dred.viewer.layers import Plane, provenance, result_layer
from napari_dred.viewer.snapshots import Snapshot
from napari_dred.viewer.worker import RestoreWorker
from napari_dred.volumes import Region

#: As napari's `LayerDataTuple`.
LayerData = tuple[NDArray[Any], dict[str, Any], str]


@dataclass(frozen=True)
class Source:
    """What a run reads: copies, so that the layers may change or go.

    Attributes
    ----------
    plane : Plane
    mask : (H, W) bool array or None
    region : Region or None
        The part that is restored; all of it if None.
    layer : weak reference
        To the input's layer, which is not kept alive.
    psf : (k, l) array or None
        The measured PSF.
    psf_name : str
        Its layer's name.
    label : int or None
        The only label of the mask that is missing.
    """

    plane: Plane
    mask: NDArray[np.bool_] | None
    region: Region | None
    layer: weakref.ref[Image]
    psf: NDArray[Any] | None = None
    psf_name: str = ""
    label: int | None = None

    def provenance(self, made: Mapping[str, Any]) -> dict[str, Any]:
        """What goes into a result's metadata: how it was made, and of what."""
        more: dict[str, Any] = {}
        if self.psf is not None:
            more["psf"] = self.psf_name
        if self.label is not None:
            more["label"] = self.label
        return provenance(self.plane, self.region, made, more)


class Listener:
    """Who is told what becomes of a run, in the main thread; this one does nothing with it."""

    def on_step(self, step: Step) -> None:
        """It is under way."""

    def on_result(self, run: Run, result: Result, layer: Image) -> None:
        """It is over, and the layer shows its result."""

    def on_failure(self, reason: str) -> None:
        """It is over without a result, or has been taken off the queue."""


_NOBODY = Listener()


@dataclass(frozen=True)
class Request:
    """A run that is asked for: what it reads, as it was then, its parameters, and who is told."""

    source: Source
    parameters: Parameters
    listener: Listener = field(default=_NOBODY, compare=False)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the result, and of the images on the way there."""
        asked = self.parameters.output_dtype
        return self.source.plane.image.dtype if asked == "same" else np.dtype(asked)

    def equals(self, other: Request) -> bool:
        """Whether the other one would have the same result."""
        a, b = self.source, other.source
        return (
            self.parameters == other.parameters
            and a.layer() is b.layer()
            and (a.region, a.plane.axes, a.plane.index) == (b.region, b.plane.axes, b.plane.index)
            and _alike(a.plane.image, b.plane.image)
            and _alike(a.mask, b.mask)
            and _alike(a.psf, b.psf)
        )


class Run:
    """What the panel knows of one run."""

    def __init__(
        self,
        worker: RestoreWorker,
        source: Source,
        parameters: Parameters,
        listener: Listener = _NOBODY,
    ) -> None:
        self.worker, self.listener = worker, listener
        self.source = source
        self.plane, self.region = source.plane, source.region
        self.parameters = parameters
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
        whole = scale == 1 and image.shape[:2] == self.plane.shape
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
            known = np.isfinite(given[part])
            if self.source.mask is not None:
                known &= np.expand_dims(~self.source.mask[part], tuple(range(2, given.ndim)))
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
        """Whether this is the run that is asked for."""
        return request.equals(Request(self.source, self.parameters))

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


def ending(result: Result) -> str:
    """Say how a run ended."""
    how = "Stopped" if result.stop_reason == "stopped" else "Done"
    count = plural(result.steps[-1].iteration, "iteration")
    told = [f"{how} after {count} in {duration(result.seconds)}."]
    if result.stop_reason == "held-out error":
        told.append(
            f"The run ended early, with the image of iteration {result.kept}: since then the error "
            "on held-out samples had been rising."
        )
    elif result.stop_reason == "settled":
        told.append("The run ended early, as its image no longer got any sharper.")
    told += [note for note in result.notes if note not in result.plan.notes]
    return " ".join(told)


def _alike(a: NDArray[Any] | None, b: NDArray[Any] | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


class Clock:
    """Rate and remaining time of a run, without its pauses."""

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None
        self._rate = 0.0
        self._held = False
        self._iteration = self._total = 0

    def tick(self, step: Step) -> None:
        """Take note of a step that was reported."""
        now = time.monotonic()
        self._iteration, self._total = step.iteration, step.total
        if self._held:
            return
        if self._last is None:
            self._last = (now, step.iteration)
            return
        seconds, steps = now - self._last[0], step.iteration - self._last[1]
        if seconds >= 0.5 and steps > 0:
            rate = steps / seconds
            self._rate = rate if self._rate == 0 else 0.7 * self._rate + 0.3 * rate
            self._last = (now, step.iteration)

    def hold(self, held: bool) -> None:
        """A pause begins or ends."""
        self._held = held
        self._last = None

    def line(self, prefix: str = "") -> str:
        """Where the run is, how fast, how long still."""
        if not self._total:
            return prefix.strip() or "Starting…"
        parts = [f"{prefix}Iteration {self._iteration} of {self._total}"]
        if self._rate > 0:
            speed = f"{self._rate:.1f} it/s" if self._rate >= 1 else f"{1 / self._rate:.1f} s/it"
            left = (self._total - self._iteration) / self._rate
            parts += [speed, f"{duration(left)} left"]
        return " · ".join(parts)
