"""The planes of a stack that somebody holds open, restored one after the other."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_dred.core.control import Control, Interrupted
from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.masks import doubts_of_mask
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Plan, Result, Step
from napari_dred.io.axes import Place
from napari_dred.volumes.planes import (
    Index,
    PlaneDone,
    Planes,
    PlanesResult,
    PlaneStep,
    unrestored,
)
from napari_dred.volumes.regions import (
    MARGIN,
    Record,
    Region,
    Solver,
    any_known,
    count_missing,
    observed,
    reach,
    solve_region,
)
from napari_dred.volumes.tasks import sample_places
from napari_dred.volumes.tiles import LONGEST, blend, tiling

if TYPE_CHECKING:
    from napari_dred.core.calibration import Calibration

_UNKNOWN = "no known sample, or none of a colour,"
_TOO_EARLY = "stopped before a plane was restored: there is no image yet"


@dataclass(frozen=True)
class _Look:
    """What is known of a plane: its extremes, and how many pixels are masked, and missing."""

    low: float
    high: float
    masked: int
    missing: int


@dataclass(frozen=True)
class _Made:
    """A plane that is done, and the end of its run, if there was one."""

    image: NDArray[Any]
    result: Result | None = None
    note: str = ""


@dataclass(frozen=True)
class _Given:
    """What is the same for all planes."""

    planes: Planes
    region: Region | None
    psf: ArrayLike | None
    p: Parameters
    control: Control
    solve: Solver


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
    PlanesResult
        Last, once, with the image of the last plane that is done; a plane in which the run is
        stopped is not, unless it is the first. Left out if cancelled.

    Raises
    ------
    InputError
        If a plane or the parameters cannot be used.
    RestorationError
        If the run fails, or is stopped, before a plane was restored. Later, what is done is kept:
        the reason is then a note of the result.
    """
    given = _Given(planes, region, psf, parameters or Parameters(), control or Control(), solve)
    try:
        yield from _run(given)
    except Interrupted:
        if not given.control.cancelled:
            raise RestorationError(_TOO_EARLY) from None


def _run(given: _Given) -> Iterator[Record]:
    planes, control = given.planes, given.control
    if given.p.keep_observed and given.p.scale > 1:
        raise InputError(
            f"keep_observed keeps pixels as they are, but the scale is {given.p.scale}"
        )
    began, count = time.perf_counter(), len(planes.indices)
    looks: dict[Index, _Look] = {}
    for number, index in enumerate(planes.indices, 1):
        control.check()
        with _naming(number, count):
            found = _look(given, index)
        if found is not None:
            looks[index] = found
        yield PlaneStep(number, count, math.nan, math.nan, plane=number, planes=count, looking=True)
    lost = any(look.missing for look in looks.values()) or len(looks) < count
    if given.p.keep_observed and not lost:
        given = replace(given, p=given.p.replace(keep_observed=False))
    if not looks:
        raise InputError("no sample is known: on every plane all are masked, or are no numbers")
    wholes: dict[int, Calibration] = {}
    for channel in sorted({planes.channel_of(index) for index in looks}):
        control.check()
        wholes[channel] = _measure(given, channel, looks)
    told: Plan | None = None
    result: Result | None = None
    last: NDArray[Any] | None = None
    done, each, notes, failed = 0, 1, list[str](), False
    for number, index in enumerate(planes.indices, 1):
        made: NDArray[Any] | None = None
        ended: Result | None = None
        step = PlaneStep(
            number * each, count * each, math.nan, math.nan, plane=number, planes=count
        )
        try:
            with _naming(number, count):
                for record in _solve_plane(given, index, looks, wholes):
                    if isinstance(record, _Made):
                        made, ended = record.image, record.result
                        if record.note:
                            notes.append(f"Plane {number} of {count} {record.note}.")
                    elif isinstance(record, Step):
                        step, each = _of_stack(record, number, count), record.total
                        yield step
                    elif told is None:
                        told = _of_all(record, looks, wholes, given.p)
                        yield told
        except Interrupted:
            if result is None or control.cancelled:
                raise
            break
        except (InputError, RestorationError) as e:
            if result is None:
                raise
            if not control.stopped:
                failed = True
                notes.append(f"The run ended there: {e}.")
            break
        if made is None:  # cancelled
            return
        if result is not None and ended is not None and ended.stop_reason == "stopped":
            break  # in the midst of it
        if ended is not None:
            own = [note for note in ended.notes if note not in ended.plan.notes]
            notes += [f"Plane {number} of {count}: {note}" for note in own]
        done, result, last = number, ended or result, made
        yield PlaneDone(**vars(replace(step, image=made, note="")), index=index)
    if told is None or result is None or last is None:
        if control.stopped:
            raise RestorationError(_TOO_EARLY)
        raise InputError(
            "on every plane all pixels are to be kept, or none is known: nothing is left to restore"
        )
    reason = "failed" if failed else "stopped" if control.stopped else "iterations"
    known: dict[str, Any] = {
        **vars(result),
        "image": last,
        "plan": told,
        "stop_reason": reason,
        "seconds": time.perf_counter() - began,
        "notes": (*told.notes, *notes),
        "kept": None,
    }
    channels = tuple({"channel": c, **w.to_dict(given.p)} for c, w in wholes.items())
    yield PlanesResult(**known, done=done, channels=channels)


@contextmanager
def _naming(number: int, count: int) -> Iterator[None]:
    """Let an error name its plane."""
    try:
        yield
    except (InputError, RestorationError) as e:
        raise type(e)(f"plane {number} of {count}: {e}") from None
    except (RuntimeError, MemoryError) as e:
        from napari_dred.core.restore import explain  # brings torch

        raise RestorationError(f"plane {number} of {count}: {explain(e)}") from None


def _solve_plane(
    given: _Given, index: Index, looks: dict[Index, _Look], wholes: dict[int, Calibration]
) -> Iterator[Plan | Step | _Made]:
    """Restore a plane, its part, or its tiles; steps count those of all tiles."""
    given.control.check()
    p, region = given.p, given.region
    image, mask = given.planes.read(index)
    if index not in looks:
        yield _Made(unrestored(image, p, region), note="has no known sample and was left as it was")
        return
    whole = wholes[given.planes.channel_of(index)]
    known = observed(image, mask)
    margin = max(MARGIN, reach(p, given.psf))
    if region is not None and not any_known(
        known[region.grown(margin).clipped(*known.shape[:2]).slices]
    ):
        note = f"has {_UNKNOWN} in the region or next to it and was left as it was"
        yield _Made(unrestored(image, p, region), note=note)
        return
    if p.keep_observed and known.all():
        yield _Made(_as_result(image, image.dtype, p, whole))
        return
    height, width = image.shape[:2]
    grid = tiling((height, width), LONGEST, p, given.psf)
    options = {"psf": given.psf, "control": given.control, "calibration": whole}
    if region is not None or len(grid.tiles) == 1:
        for record in given.solve(image, mask, region, parameters=p, **options):
            yield _Made(record.image, record) if isinstance(record, Result) else record
        return
    # What is kept and what is rounded is so once, when the tiles are blended.
    in_tiles = p.replace(keep_observed=False, output_dtype="float32")
    parts: list[NDArray[Any]] = []
    total, result, lost = 0, None, list[int]()
    for tile in grid.tiles:
        if not any_known(known[tile.slices]):
            lost.append(len(parts))
            parts.append(unrestored(image[tile.slices], p, None))
            continue
        part = None if mask is None else mask[tile.slices]
        for record in given.solve(image[tile.slices], part, None, parameters=in_tiles, **options):
            if isinstance(record, Step):
                total = total or record.total
                at = (len(parts) + record.iteration / record.total) * total
                yield replace(
                    record, iteration=round(at), total=total * len(grid.tiles), image=None
                )
            elif isinstance(record, Result):
                result = record
                parts.append(record.image)
            elif result is None:
                shape = (height * p.scale, width * p.scale, *image.shape[2:])
                seconds = record.seconds * len(grid.tiles)
                yield replace(record, shape=shape, seconds=seconds)
        if given.control.cancelled:
            return
    if result is None:
        note = f"has {_UNKNOWN} in each of its tiles and was left as it was"
        yield _Made(unrestored(image, p, None), note=note)
        return
    block = Region(0, height * p.scale, 0, width * p.scale)
    made = blend(grid, block, lambda n, at: parts[n][at], image.shape[2:], p.scale, lost)
    made = _as_result(made, image.dtype, p, whole)
    if p.keep_observed:
        made = np.where(known, image.astype(made.dtype), made)
    note = f"has {_UNKNOWN} in {len(lost)} of its {len(parts)} tiles, which were left as they were"
    yield _Made(made, result, note if lost else "")


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


def _of_all(
    plan: Plan, looks: dict[Index, _Look], wholes: dict[int, Calibration], p: Parameters
) -> Plan:
    """The plan of a plane with the time, the numbers and the noise of all."""
    noise = [w.statement(p, c) for c, w in wholes.items()] if len(wholes) > 1 else []
    masked = sum(look.masked for look in looks.values())
    pixels = len(looks) * math.prod(plan.shape[:2]) / p.scale**2
    return replace(
        plan,
        seconds=plan.seconds * len(looks),
        masked=masked,
        missing=sum(look.missing for look in looks.values()),
        notes=(*plan.notes, *doubts_of_mask(masked / pixels), *noise),
    )


def _look(given: _Given, index: Index) -> _Look | None:
    """Look at a plane; None if nothing of it is known."""
    image, mask = given.planes.read(index)
    known = observed(image, mask)
    if not known.any():
        return None
    samples = image[known]
    part = ... if given.region is None else given.region.slices
    return _Look(
        float(samples.min()),
        float(samples.max()),
        0 if mask is None else int(np.count_nonzero(mask[part])),
        count_missing(known[part]),
    )


def _measure(given: _Given, channel: int, looks: dict[Index, _Look]) -> Calibration:
    """Measure a channel on samples from all over it, as for a stack in a file."""
    from napari_dred.core.calibration import calibrate  # brings torch

    planes = given.planes
    mine = [index for index in looks if planes.channel_of(index) == channel]
    samples, known = [], []
    # The planes of a channel count as points in time, in their order.
    for place, region in sample_places(planes.shape, [Place(t=i) for i in range(len(mine))]):
        image, mask = planes.read(mine[place.t])
        samples.append(image[region.slices])
        known.append(observed(image, mask)[region.slices])
    found = [looks[index] for index in mine]
    return calibrate(
        samples,
        known,
        (min(look.low for look in found), max(look.high for look in found)),
        given.p,
        masked=any(look.masked for look in found),
        missing=any(look.missing for look in found),
        check=given.control.check,
    )
