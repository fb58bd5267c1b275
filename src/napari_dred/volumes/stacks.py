"""A whole stack: checked, planned, restored plane by plane and tile by tile, and written."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_dred.core.errors import InputError
from napari_dred.core.masks import doubts_of_mask
from napari_dred.core.parameters import Parameters
from napari_dred.io.axes import Place
from napari_dred.io.stack import open_stack
from napari_dred.io.write import check_no_input
from napari_dred.io.write_stack import check_stack_dtype, stack_format
from napari_dred.volumes.cluster import Here, Pool, threads_each
from napari_dred.volumes.job import Job, Reader, check_mask
from napari_dred.volumes.planning import StackOptions, StackPlan
from napari_dred.volumes.tasks import measure, put_down, restore_part, scan

if TYPE_CHECKING:
    from napari_dred.core.calibration import Calibration


@dataclass(frozen=True)
class Progress:
    """How far a stack is.

    Attributes
    ----------
    done, total : int
        Tiles.
    note : str
        A sentence for the user, usually empty.
    """

    done: int
    total: int
    note: str = ""


def restore_stack(
    source: Path,
    output: Path,
    parameters: Parameters | None = None,
    options: StackOptions | None = None,
    *,
    pool: Pool | None = None,
    resume: bool = False,
    replace: bool = False,
) -> Iterator[Progress | dict[str, Any]]:
    """Restore the planes of a file into another file, whole or not at all.

    Parameters
    ----------
    source : Path
        TIFF, OME-TIFF, ImageJ TIFF, PNG, JPEG or OME-Zarr image.
    output : Path
        Ends in .ome.tif, .tif or .zarr.
    parameters : Parameters, optional
    options : StackOptions, optional
    pool : Pool, optional
        Where the work is done; this process if left out.
    resume : bool
        Go on with what a run of the same kind that was cut off has left.
    replace : bool
        Whether an output that is there is replaced.

    Yields
    ------
    Progress
        Many.
    dict
        Last, once: how it was made, JSON-able.

    Raises
    ------
    InputError
        If files or parameters cannot be used.
    RestorationError
        If the run fails. What is done of it stays beside the output, for `resume`.
    """
    began = time.perf_counter()
    p, options, pool = parameters or Parameters(), options or StackOptions(), pool or Here()
    if pool.workers > 1 and p.threads is None:
        p = p.replace(threads=threads_each(pool.workers))
    if options.around_mask and p.scale > 1:
        raise InputError("around the mask nothing is enlarged: leave out the scale, or around_mask")
    weights = None if p.weights is None else Path(p.weights)
    check_no_input(output, (source, options.mask, weights))
    if output.exists() and not replace:
        raise InputError(f"{output}: it is there already; give --force to replace it")
    kind = stack_format(output)
    with open_stack(source, options.axes) as stack:
        dtype = np.dtype(np.float32) if p.output_dtype == "float32" else stack.dtype
        check_stack_dtype(output, dtype)
        plan = StackPlan(stack, source, output, kind, p, options, dtype)
    work = plan.prepare(pool.workers, resume=resume)
    try:
        if p.keep_observed and p.scale > 1:
            raise InputError(f"keep_observed keeps pixels as they are, but the scale is {p.scale}")
        yield from _restore(plan, plan.job(work), pool, began)
    except InputError:
        if not any((*work.glob("done/*"), *work.glob("tiles/*"))):
            shutil.rmtree(work, ignore_errors=True)
        raise


def _restore(
    plan: StackPlan, job: Job, pool: Pool, began: float
) -> Iterator[Progress | dict[str, Any]]:
    p, output = plan.parameters, plan.output
    with Reader(job) as reader:
        check_mask(reader)
    left = [place for place in job.selection.places() if not job.done(place).exists()]
    notes: list[str] = []
    scans = list(pool.run(scan, [(job, place) for place in job.selection.places()]))
    missing = sum(s.missing for s in scans)
    if not missing and (p.keep_observed or job.around_mask):
        raise InputError(
            f"{plan.source}: no pixel is missing, and all others are to be kept as they are: "
            "nothing is left to restore; give a mask that marks some"
        )
    wholes: dict[int, Calibration] = {}
    channels = job.selection.range("C")
    for channel in channels:
        mine = sorted((s for s in scans if s.place.c == channel), key=lambda s: s.place)
        unknown = [s.place for s in mine if not s.known]
        if len(unknown) == len(mine):
            raise InputError(
                f"{plan.source}: no sample of channel {channel} is known: all are masked, or are "
                "no numbers; leave the channel out"
            )
        notes += [f"Plane {place} has no known sample and was left as it was." for place in unknown]
        notes += [
            f"Plane {s.place} has no known sample, or none of a colour, in {len(s.lost)} of its "
            f"{len(s.regions)} parts, which were left as they were."
            for s in mine
            if s.lost
        ]
        mine = [s for s in mine if s.known]
        wholes[channel] = measure(job, channel, mine)
        notes.append(wholes[channel].statement(p, channel if len(channels) > 1 else None))
    masked = [s.masked for s in scans if s.known]
    notes += doubts_of_mask(sum(masked) / (len(masked) * math.prod(plan.plane)))
    regions, lost = {s.place: s.regions for s in scans}, {s.place: s.lost for s in scans}
    if all(len(s.lost) == len(s.regions) for s in scans):
        raise InputError(
            f"{plan.source}: nothing can be restored: each part of each plane has a colour of "
            "which no sample is known"
        )
    total = sum(len(regions[place]) for place in left)
    for note in notes:
        yield Progress(0, total, note)
    done = 0
    # A plane at a time is put together, so that the tiles on disk stay few.
    for places in _in_groups(left, 1 if pool.workers == 1 else 4 * pool.workers):
        calls = [
            (job, wholes[place.c], place, n, region)
            for place in places
            for n, region in enumerate(regions[place])
        ]
        for _ in pool.run(restore_part, calls):
            done += 1
            yield Progress(done, total)
        ends = [(job, wholes[c.c], c, regions[c], lost[c]) for c in places]
        for _ in pool.run(put_down, ends):
            pass
    record = plan.record(wholes, notes)
    ranges = {s.place.c: (math.inf, -math.inf) for s in scans}
    for s in scans:
        low, high = ranges[s.place.c]
        ranges[s.place.c] = min(low, s.low), max(high, s.high)
    plan.write(job, record, [ranges[c] for c in sorted(ranges)])
    yield {**record, "seconds": round(time.perf_counter() - began, 3), "output": str(output)}


def _in_groups(places: list[Place], size: int) -> Iterator[list[Place]]:
    for i in range(0, len(places), size):
        yield places[i : i + size]
