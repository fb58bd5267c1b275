"""Parts of an image: a rectangle restored within its surroundings and pasted back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_dred.core.control import Control
from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Plan, Result, Step

if TYPE_CHECKING:
    from napari_dred.core.calibration import Calibration

Record = Plan | Step | Result
Solver = Callable[..., Iterator[Record]]

#: Pixels around a rectangle that are given to the solver with it, or as many as a blur reaches if
#: that is more: one pixel of the network's coarsest level, so that what lies next to the border
#: looks the same on both sides.
MARGIN = 32


@dataclass(frozen=True)
class Region:
    """A rectangle of pixels, half open like a slice.

    Attributes
    ----------
    top, bottom : int
        First row, and the row after the last.
    left, right : int
        First column, and the column after the last.
    """

    top: int
    bottom: int
    left: int
    right: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """The index of the rectangle in an (H, W, ...) array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def clipped(self, height: int, width: int) -> Region:
        """The part of it that lies on an image of this size."""
        return Region(
            min(max(self.top, 0), height),
            max(min(self.bottom, height), 0),
            min(max(self.left, 0), width),
            max(min(self.right, width), 0),
        )

    def moved(self, down: int, right: int) -> Region:
        """The rectangle as many pixels farther down and to the right."""
        return Region(self.top + down, self.bottom + down, self.left + right, self.right + right)

    def grown(self, margin: int) -> Region:
        """The rectangle with a margin on its four sides."""
        return Region(
            self.top - margin, self.bottom + margin, self.left - margin, self.right + margin
        )

    def __str__(self) -> str:
        return f"{self.top}:{self.bottom},{self.left}:{self.right}"

    @classmethod
    def from_text(cls, text: str) -> Region:
        """Read 'TOP:BOTTOM,LEFT:RIGHT', four whole numbers.

        Raises
        ------
        InputError
            If it is something else.
        """
        found = re.fullmatch(r"(\d{1,9}):(\d{1,9}),(\d{1,9}):(\d{1,9})", text, re.ASCII)
        if found is None:
            raise InputError(
                f"region is {text!r}; it must be TOP:BOTTOM,LEFT:RIGHT in pixels, "
                "such as 0:100,50:250 for the rows 0 to 99 and the columns 50 to 249"
            )
        return cls(*map(int, found.groups()))

    def to_dict(self) -> dict[str, int]:
        """The four numbers, JSON-able."""
        return {"top": self.top, "bottom": self.bottom, "left": self.left, "right": self.right}


def solve_region(
    image: ArrayLike,
    mask: ArrayLike | None = None,
    region: Region | None = None,
    *,
    margin: int | None = None,
    psf: ArrayLike | None = None,
    parameters: Parameters | None = None,
    control: Control | None = None,
    solve: Solver | None = None,
    calibration: Calibration | None = None,
) -> Iterator[Record]:
    """Restore an image, or a rectangle of it that is pasted back.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
        Any numeric dtype; not modified.
    mask : (H, W) array, optional
        True or non-zero marks a missing pixel.
    region : Region, optional
        What is to be restored; the whole image if left out. Parts beyond the image are ignored.
    margin : int, optional
        Pixels around the region that are solved with it and then thrown away; enough of them
        if left out.
    psf, parameters, control
        As for `napari_dred.solve`.
    solve : callable, optional
        The solver; `napari_dred.solve` if left out.
    calibration : Calibration, optional
        What was measured of the whole that the image is a plane or a tile of.

    Yields
    ------
    Plan, Step, ..., Result
        As `napari_dred.solve` does. With a region, the shape and the pixel counts of the
        plan and the images of the steps are those of the region alone (without its margin);
        the image of the result is a whole image that differs from `image` in the region only,
        bit for bit, or in super-resolution the region alone.

    Raises
    ------
    InputError
        If the region does not lie on the image, has no observed pixel in it or around it, or
        is a part of an image that a blur continued in a circle; and as `napari_dred.solve` does.
    """
    run = solve or _core_solve()
    known = np.asarray(image)
    hidden = None if mask is None else np.asarray(mask)
    options: dict[str, Any] = {"psf": psf, "parameters": parameters, "control": control}
    if calibration is not None:
        options["calibration"] = calibration
    if region is None:
        yield from run(known, hidden, **options)
        return
    height, width = known.shape[:2]
    if hidden is not None and hidden.shape != (height, width):
        raise InputError(
            f"the mask has the shape {hidden.shape}, the image {(height, width)}; "
            "they must be the same"
        )
    inner = region.clipped(height, width)
    if min(inner.shape) < 1:
        raise InputError(
            f"the region (rows {region.top} to {region.bottom}, columns {region.left} to "
            f"{region.right}) has no pixel on the image of {height} x {width}; move or enlarge it"
        )
    asked = parameters or Parameters()
    factor = asked.scale
    blurred = reach(asked, psf)
    outer = inner.grown(max(MARGIN, blurred) if margin is None else margin).clipped(height, width)
    if outer.shape != (height, width):
        if blurred and asked.boundary == "circular":
            raise InputError(
                "boundary is 'circular', which holds for a whole image only; "
                "restore all of it, or choose another boundary"
            )
        lost = None if hidden is None else hidden[outer.slices]
        if not any_known(observed(known[outer.slices], lost)):
            raise InputError(
                "the region has no observed pixel, neither in it nor next to it; "
                "choose a larger region"
            )
    within = tuple(
        slice((a - o) * factor, (b - o) * factor)
        for a, b, o in (
            (inner.top, inner.bottom, outer.top),
            (inner.left, inner.right, outer.left),
        )
    )
    crop_mask = None if hidden is None else hidden[outer.slices]
    for record in run(known[outer.slices], crop_mask, **options):
        if isinstance(record, Plan):
            yield _of_region(record, known, hidden, inner, factor)
        elif isinstance(record, Step):
            part = None if record.image is None else record.image[within]
            yield replace(record, image=part)
        else:
            plan = _of_region(record.plan, known, hidden, inner, factor)
            part = record.image[within]
            if factor == 1:
                whole = known.astype(part.dtype)
                whole[inner.slices] = part
                part = whole
            yield replace(record, plan=plan, image=part)


def _core_solve() -> Solver:
    from napari_dred.core.restore import solve  # brings torch

    return solve


def reach(p: Parameters, psf: ArrayLike | None) -> int:
    """How many pixels of the image a blur carries a sample along; 0 without one."""
    along = 4 * p.blur_sigma if psf is None else max(np.shape(psf), default=0) / 2
    return math.ceil(along / p.scale)


def _of_region(
    plan: Plan, image: NDArray[Any], mask: NDArray[Any] | None, region: Region, factor: int
) -> Plan:
    """The plan of the crop with the numbers of the region without its margin."""
    part, lost = image[region.slices], None if mask is None else mask[region.slices]
    known = observed(part, lost)
    shape = (region.shape[0] * factor, region.shape[1] * factor, *part.shape[2:])
    return replace(
        plan,
        shape=shape,
        masked=0 if lost is None else int(np.count_nonzero(lost)),
        missing=count_missing(known),
    )


def observed(image: NDArray[Any], mask: NDArray[Any] | None) -> NDArray[np.bool_]:
    """Which samples are known: finite, and not under a mask (H, W); of the shape of the image."""
    known: NDArray[np.bool_] = np.asarray(np.isfinite(image))
    if mask is not None:
        known &= np.expand_dims(mask == 0, tuple(range(2, image.ndim)))
    return known


def any_known(known: NDArray[np.bool_]) -> bool:
    """Whether each channel has a sample that is known."""
    return bool(known.any(axis=(0, 1)).all())


def count_missing(known: NDArray[np.bool_]) -> int:
    """How many pixels have a sample that is not known."""
    return int(np.count_nonzero(~(known.all(axis=2) if known.ndim == 3 else known)))
