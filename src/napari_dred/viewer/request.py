"""What a run is asked to do: what it reads, its parameters, and who is told of it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from numpy.typing import NDArray

from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Result, Step
from napari_dred.viewer.layers import Plane, provenance
from napari_dred.viewer.stacks import OpenStack, solve_stack
from napari_dred.viewer.worker import Job
from napari_dred.volumes import Record, Region, Solver

if TYPE_CHECKING:
    from napari_dred.viewer.run import Run


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
    stack : OpenStack or None
        The planes that are restored, if not one alone: they are read as it is their turn.
        `plane` is then the first of them, and `mask` None.
    """

    plane: Plane
    mask: NDArray[np.bool_] | None
    region: Region | None
    layer: weakref.ref[Image]
    psf: NDArray[Any] | None = None
    psf_name: str = ""
    label: int | None = None
    stack: OpenStack | None = None

    @property
    def may_lack(self) -> bool:
        """Whether there may be a pixel to fill in; of a stack, most planes are not known yet."""
        if self.stack is not None:
            return self.stack.mask is not None or self.plane.image.dtype.kind == "f"
        part = ... if self.region is None else self.region.slices
        masked = self.mask is not None and bool(self.mask[part].any())
        return masked or not np.isfinite(self.plane.image[part]).all()

    def provenance(self, made: Mapping[str, Any]) -> dict[str, Any]:
        """What goes into a result's metadata: how it was made, and of what."""
        more: dict[str, Any] = {}
        if self.psf is not None:
            more["psf"] = self.psf_name
        if self.label is not None:
            more["label"] = self.label
        if self.stack is not None:
            more["planes"] = self.stack.to_list()
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

    def job(self, solve: Solver, image_interval: float) -> Job:
        """The work of the run, to be done by this solver of single images."""
        source = self.source
        given: dict[str, Any] = {"psf": source.psf, "parameters": self.parameters}
        run: Callable[..., Iterator[Record]]
        if source.stack is not None:
            run = partial(solve_stack, source.stack, source.region, solve=solve, **given)
            return Job(run, image_interval=None)  # an image comes when a plane is done
        run = partial(solve, source.plane.image, source.mask, source.region, **given)
        return Job(run, image_interval, dtype=self.dtype)

    def equals(self, other: Request) -> bool:
        """Whether the other one would have the same result."""
        a, b = self.source, other.source
        return (
            self.parameters == other.parameters
            and a.layer() is b.layer()
            and a.stack == b.stack
            and (a.region, a.plane.axes, a.plane.index) == (b.region, b.plane.axes, b.plane.index)
            and _alike(a.plane.image, b.plane.image)
            and _alike(a.mask, b.mask)
            and _alike(a.psf, b.psf)
        )


def _alike(a: NDArray[Any] | None, b: NDArray[Any] | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
