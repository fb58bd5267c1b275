"""The planes of a stack that somebody holds open, restored one after the other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_dred.core.control import Control, Interrupted
from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Plan, Result, Step
from napari_dred.io.axes import Place
from napari_dred.volumes.regions import Record, Region, Solver, solve_region
from napari_dred.volumes.tasks import sample_places
from napari_dred.volumes.tiles import LONGEST, Grid, blend

if TYPE_CHECKING:
    from napari_dred.core.calibration import Calibration

Index = tuple[int, ...]

_TOO_EARLY = "stopped before the first plane: there is no image yet"


@dataclass(frozen=True)
class Planes:
    """A stack, of which a plane is read when it is its turn.

    Attributes
    ----------
    indices : tuple of tuple of int
        Every plane's place in the stack.
    shape : (int, int)
        Height and width of each.
    image : callable
        Gives a plane by its index, (H, W) or (H, W, 3).
    mask : callable or None
        Gives the plane of the mask, (H, W) bool.
    channel : int or None
        Which number of an index is the channel: each has its own noise and intensity scale.
    """

    indices: tuple[Index, ...]
    shape: tuple[int, int]
    image: Callable[[Index], NDArray[Any]] = field(repr=False)
    mask: Callable[[Index], NDArray[np.bool_]] | None = field(default=None, repr=False)
    channel: int | None = None

    def channel_of(self, index: Index) -> int:
        """The plane's channel, 0 where there is no such axis."""
        return 0 if self.channel is None else index[self.channel]

    def read(self, index: Index) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        """A plane and its mask."""
        return self.image(index), None if self.mask is None else self.mask(index)


@dataclass(frozen=True)
class PlaneStep(Step):
    """A step of a stack's run: `iteration` and `total` count those of all planes.

    Attributes
    ----------
    plane, planes : int
        Which one is at work, from 1, and how many there are.
    looking : bool
        Whether it is only looked at; `iteration` and `total` then count planes.
    """

    plane: int = 0
    planes: int = 0
    looking: bool = False

    @property
    def of_plane(self) -> tuple[int, int]:
        """The iteration and the number of them, counted within the plane."""
        each = self.total // self.planes
        return self.iteration - (self.plane - 1) * each, each


@dataclass(frozen=True)
class PlaneDone(PlaneStep):
    """The end of a plane, whose `image` is its result.

    Attributes
    ----------
    index : tuple of int
    """

    index: Index = ()


@dataclass(frozen=True)
class _Look:
    """What is known of a plane: its extremes, and how many pixels are masked, and missing."""

    low: float
    high: float
    masked: int
    missing: int


def solve_planes(
    planes: Planes,
    region: Region | None = None,
    *,
    psf: ArrayLike | None = None,
    parameters: Parameters | None = None,
    control: Control | None = None,
    solve: Solver = solve_region,
) -> Iterator[Record]:
    """Restore every plane of a stack as `restore_stack` does, without files.

    Each is restored by itself, with the noise and the intensity scale measured once for its
    channel; planes longer than a tile are restored in tiles. One plane is held at a time.

    Parameters
    ----------
    planes : Planes
    region : Region, optional
        The part of each that is restored, as `solve_region` does it.
    psf, parameters, control
        As for `napari_dred.solve`.
    solve : callable, optional
        In place of `solve_region`.

    Yields
    ------
    PlaneStep
        One a plane while it is looked at.
    Plan
        Once: that of a plane, with the time of all.
    PlaneStep, PlaneDone
        Many steps a plane, then the plane itself. A run that is stopped gives no more planes.
    Result
        Last, once, with the image of the last plane. Left out if cancelled.

    Raises
    ------
    InputError
        If a plane or the parameters cannot be used.
    RestorationError
        If the run fails, or is stopped before there was an image.
    """
    p, control = parameters or Parameters(), control or Control()
    try:
        yield from _solve(planes, region, psf, p, control, solve)
    except Interrupted:
        if not control.cancelled:
            raise RestorationError(_TOO_EARLY) from None


def _solve(
    planes: Planes,
    region: Region | None,
    psf: ArrayLike | None,
    p: Parameters,
    control: Control,
    solve: Solver,
) -> Iterator[Record]:
    began, count = time.perf_counter(), len(planes.indices)
    looks: dict[Index, _Look] = {}
    for number, index in enumerate(planes.indices, 1):
        control.check()
        looks[index] = _look(planes, index)
        yield PlaneStep(number, count, math.nan, math.nan, plane=number, planes=count, looking=True)
    if p.keep_observed and not any(look.missing for look in looks.values()):
        p = p.replace(keep_observed=False)
    wholes: dict[int, Calibration] = {}
    for channel in sorted({planes.channel_of(index) for index in looks}):
        control.check()
        wholes[channel] = _measure(planes, channel, looks, p)
    told: Plan | None = None
    result: Result | None = None
    last: PlaneDone | None = None
    for number, index in enumerate(planes.indices, 1):
        stopped = control.stopped  # by itself: it may be so later in the same plane
        if stopped:
            break
        whole = wholes[planes.channel_of(index)]
        image, mask = planes.read(index)
        made: NDArray[Any] | None = None
        step = PlaneStep(number, count, math.nan, math.nan, plane=number, planes=count)
        if p.keep_observed and not looks[index].missing:
            made = _as_result(image, image.dtype, p, whole)
        else:
            try:
                for record in _solve_plane(image, mask, region, psf, p, control, whole, solve):
                    if isinstance(record, Result):
                        result, made = record, record.image
                    elif isinstance(record, Step):
                        step = _of_stack(record, number, count)
                        yield step
                    elif told is None:
                        told = _with_all(record, looks, count)
                        yield told
            except (RestorationError, Interrupted) as e:
                if control.stopped and not control.cancelled and number > 1:
                    break
                if isinstance(e, Interrupted):
                    raise
                raise RestorationError(f"plane {number} of {count}: {e}") from None
            except InputError as e:
                raise InputError(f"plane {number} of {count}: {e}") from None
        if made is None:  # cancelled
            return
        last = PlaneDone(**vars(replace(step, image=made, note="")), index=index)
        yield last
    if told is None or result is None or last is None:
        raise RestorationError(_TOO_EARLY)
    yield replace(
        result,
        plan=told,
        steps=(replace(last, image=None),),
        stop_reason="stopped" if control.stopped else "iterations",
        seconds=time.perf_counter() - began,
        notes=told.notes,
        kept=None,
    )


def _solve_plane(
    image: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    region: Region | None,
    psf: ArrayLike | None,
    p: Parameters,
    control: Control,
    whole: Calibration,
    solve: Solver,
) -> Iterator[Record]:
    """Restore a plane, its part, or its tiles; steps count those of all tiles."""
    height, width = image.shape[:2]
    grid = Grid.of((height, width), LONGEST)
    options = {"psf": psf, "control": control, "calibration": whole}
    if region is not None or len(grid.tiles) == 1:
        yield from solve(image, mask, region, parameters=p, **options)
        return
    # What is kept and what is rounded is so once, when the tiles are blended.
    in_tiles = p.replace(keep_observed=False, output_dtype="float32")
    parts: list[NDArray[Any]] = []
    total, result = 0, None
    for tile in grid.tiles:
        part = None if mask is None else mask[tile.slices]
        for record in solve(image[tile.slices], part, None, parameters=in_tiles, **options):
            if isinstance(record, Step):
                total = total or record.total
                at = (len(parts) + record.iteration / record.total) * total
                yield replace(
                    record, iteration=round(at), total=total * len(grid.tiles), image=None
                )
            elif isinstance(record, Result):
                result = record
                parts.append(record.image)
            elif not parts:
                shape = (height * p.scale, width * p.scale, *image.shape[2:])
                seconds = record.seconds * len(grid.tiles)
                yield replace(record, shape=shape, seconds=seconds)
        if control.cancelled:
            return
    assert result is not None
    block = Region(0, height * p.scale, 0, width * p.scale)
    made = blend(grid, block, lambda n, at: parts[n][at], image.shape[2:], p.scale)
    made = _as_result(made, image.dtype, p, whole)
    if p.keep_observed:
        made = np.where(_observed(image, mask), image.astype(made.dtype), made)
    yield replace(result, image=made)


def _as_result(
    made: NDArray[Any], dtype: np.dtype[Any], p: Parameters, whole: Calibration
) -> NDArray[Any]:
    """A plane in the dtype of the result."""
    wanted = dtype if p.output_dtype == "same" else np.dtype(p.output_dtype)
    return made if made.dtype == wanted else whole.values.restore_dtype(made, wanted)


def _of_stack(step: Step, number: int, count: int) -> PlaneStep:
    """The step of a plane as one of all planes."""
    at, total = (number - 1) * step.total + step.iteration, count * step.total
    known = vars(replace(step, iteration=at, total=total, image=None))
    return PlaneStep(**known, plane=number, planes=count)


def _with_all(plan: Plan, looks: dict[Index, _Look], count: int) -> Plan:
    """The plan of a plane with the time and the numbers of all."""
    return replace(
        plan,
        seconds=plan.seconds * count,
        masked=sum(look.masked for look in looks.values()),
        missing=sum(look.missing for look in looks.values()),
    )


def _look(planes: Planes, index: Index) -> _Look:
    image, mask = planes.read(index)
    known = _observed(image, mask)
    if not known.any():
        raise InputError(f"no sample of the plane {index} is known; leave some of it unmarked")
    samples = image[known]
    unknown = ~(known.all(axis=2) if known.ndim == 3 else known)
    masked = 0 if mask is None else int(np.count_nonzero(mask))
    return _Look(float(samples.min()), float(samples.max()), masked, int(np.count_nonzero(unknown)))


def _measure(planes: Planes, channel: int, looks: dict[Index, _Look], p: Parameters) -> Calibration:
    """Measure a channel on samples from all over it, as for a stack in a file."""
    from napari_dred.core.calibration import calibrate  # brings torch

    mine = [index for index in planes.indices if planes.channel_of(index) == channel]
    samples, observed = [], []
    # The planes of a channel count as points in time, in their order.
    for place, region in sample_places(planes.shape, [Place(t=i) for i in range(len(mine))]):
        image, mask = planes.read(mine[place.t])
        samples.append(image[region.slices])
        observed.append(_observed(image, mask)[region.slices])
    found = [looks[index] for index in mine]
    return calibrate(
        samples,
        observed,
        (min(look.low for look in found), max(look.high for look in found)),
        p,
        masked=any(look.masked for look in found),
        missing=any(look.missing for look in found),
    )


def _observed(image: NDArray[Any], mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(image))
    if mask is None:
        return finite
    return np.logical_and(finite, ~np.expand_dims(mask, tuple(range(2, image.ndim))))
