"""What every process that works on a stack knows of it, and the planes that it reads."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.io import marked
from napari_dred.io.axes import Place, Selection
from napari_dred.io.stack import WHOLE, Stack, open_stack
from napari_dred.volumes.regions import Region, observed
from napari_dred.volumes.tiles import Grid


@dataclass(frozen=True)
class Job:
    """A stack's restoration, as every process that works on it knows it.

    Attributes
    ----------
    source : Path
    axes : str or None
        In place of those that the file names.
    mask : Path or None
        A plane for all, or a stack with as many planes or one on each axis.
    mask_axes : str or None
    label : int or None
        The only value of the mask that marks a pixel; any but zero if None.
    psf : 2-D array or None
    parameters : Parameters
    selection : Selection
        The planes that are restored, checked.
    grid : Grid
        The tiles of each plane.
    around_mask : bool
        Whether only rectangles around the mask are computed.
    work : Path
        Folder for what is made.
    axes_made : str
        Of the array that the planes are put into.
    """

    source: Path
    axes: str | None
    mask: Path | None
    mask_axes: str | None
    label: int | None
    psf: NDArray[Any] | None
    parameters: Parameters
    selection: Selection
    grid: Grid
    around_mask: bool
    work: Path
    axes_made: str

    @property
    def image(self) -> Path:
        """The group with the array that the planes are put into."""
        return self.work / "image"

    @property
    def untiled(self) -> bool:
        """Whether each plane is restored as a whole."""
        return not self.around_mask and len(self.grid.tiles) == 1

    def done(self, place: Place) -> Path:
        """A file that is there once the plane is."""
        return self.work / "done" / "-".join(map(str, place))

    def tile(self, place: Place, number: int) -> Path:
        """The file of a restored tile."""
        return self.work / "tiles" / ("-".join(map(str, (*place, number))) + ".npy")

    def index(self, place: Place, region: tuple[slice, slice] = WHOLE) -> tuple[Any, ...]:
        """Where a plane lies in the array that is made, colour samples last."""
        at = self.selection.within(place)
        here = {"T": at.t, "C": at.c, "Z": at.z, "Y": region[0], "X": region[1]}
        return tuple(here[axis] for axis in self.axes_made if axis != "S")


@dataclass(frozen=True)
class Scan:
    """What a look at a plane found.

    Attributes
    ----------
    place : Place
    low, high : float
        The extremes of its known samples; infinite, and `low` the larger, if there is none.
    masked, missing : int
        Pixels that are masked; and those that are masked or not finite.
    regions : tuple of Region
        What of it is to be restored.
    lost : tuple of int
        Numbers of those that have no known sample, or none of a colour, and are left as they are.
    """

    place: Place
    low: float
    high: float
    masked: int
    missing: int
    regions: tuple[Region, ...]
    lost: tuple[int, ...] = ()

    @property
    def known(self) -> bool:
        """Whether any sample is known; a plane without one is left as it is."""
        return self.low <= self.high


class Reader:
    """The planes of a job's input with their masks; a context manager."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._files = ExitStack()

    def __enter__(self) -> Reader:
        job = self.job
        with ExitStack() as files:
            self.stack = files.enter_context(open_stack(job.source, job.axes))
            self.mask: Stack | None = None
            if job.mask is not None:
                self.mask = files.enter_context(open_stack(job.mask, job.mask_axes))
            self._files = files.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._files.close()

    @property
    def colours(self) -> int:
        """Samples a pixel without alpha, 0 for a gray plane without such an axis."""
        return 3 if self.stack.samples > 2 else 0

    def image(self, place: Place, region: tuple[slice, slice] = WHOLE) -> NDArray[Any]:
        """A rectangle of a plane, without alpha."""
        data = self.stack.plane(place, region)
        if data.ndim == 3:
            data = data[..., :3] if self.colours else data[..., 0]
        return data

    def alpha(self, place: Place, region: tuple[slice, slice] = WHOLE) -> NDArray[Any] | None:
        """Its alpha, if there is any."""
        if self.stack.samples not in (2, 4):
            return None
        return self.stack.plane(place, region)[..., -1]

    def masked(self, place: Place, region: tuple[slice, slice] = WHOLE) -> NDArray[np.bool_] | None:
        """The mask there; None where the job has none."""
        if self.mask is None:
            return None
        sizes = self.mask.sizes
        at = Place(*(i if sizes.get(a, 1) > 1 else 0 for a, i in zip("TCZ", place, strict=True)))
        missing = marked(self.mask.plane(at, region), self.job.label)
        if missing.ndim == 2:
            return missing
        colours = 3 if missing.shape[2] > 2 else 1
        either: NDArray[np.bool_] = np.logical_or.reduce(missing[..., :colours], axis=2)
        return either

    def observed(self, place: Place, region: tuple[slice, slice]) -> NDArray[np.bool_]:
        """Which samples of the rectangle are known."""
        return observed(self.image(place, region), self.masked(place, region))


def check_mask(reader: Reader) -> None:
    """Check that the mask goes with the stack.

    Raises
    ------
    InputError
    """
    mask, stack = reader.mask, reader.stack
    if mask is None:
        return
    if mask.shape != stack.shape:
        ours, theirs = (f"{w}x{h} pixels" for h, w in (mask.shape, stack.shape))
        raise InputError(
            f"{mask.path}: the mask is {ours} but the image is {theirs}; "
            "they must have the same size"
        )
    for axis in "TCZ":
        n, all_ = mask.sizes.get(axis, 1), stack.sizes.get(axis, 1)
        if n not in (1, all_):
            raise InputError(
                f"{mask.path}: the mask has {n} planes on axis {axis} and the image {all_}; "
                "it must have one for each, or one for all of them"
            )
