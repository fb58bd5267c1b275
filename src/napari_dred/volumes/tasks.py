"""The pieces of a stack's restoration, each done by itself in any process: scan, restore, put down.

All that a piece needs it reads from files, and what it makes it writes to files, whole and always
the same: a piece that was cut off is done again, and what is done twice is no harm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_dred.core.crops import crops
from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.io import enlarged
from napari_dred.io.axes import Place
from napari_dred.io.ome_zarr import blocks, open_level
from napari_dred.io.write_stack import whole_file
from napari_dred.volumes.job import Job, Reader, Scan
from napari_dred.volumes.planes import unrestored
from napari_dred.volumes.regions import Region, any_known
from napari_dred.volumes.tiles import blend, regions_around

if TYPE_CHECKING:
    from napari_dred.core.calibration import Calibration

BLOCK = 2048  # pixels a side that are read at once where all of a plane is looked at


def scan(job: Job, place: Place) -> Scan:
    """Look at a plane once, a block at a time."""
    low, high, masked, missing = math.inf, -math.inf, 0, 0
    with Reader(job) as reader:
        shape = reader.stack.shape
        marked = np.zeros(shape, bool) if job.around_mask else None
        for block in blocks(shape, (BLOCK, BLOCK)):
            region = block[0], block[1]
            image, known = reader.image(place, region), reader.observed(place, region)
            mask = reader.masked(place, region)
            unknown = ~(known.all(axis=2) if known.ndim == 3 else known)
            masked += 0 if mask is None else int(np.count_nonzero(mask))
            missing += int(np.count_nonzero(unknown))
            if marked is not None:
                marked[region] = unknown
            if known.any():
                samples = image[known]
                low, high = min(low, float(samples.min())), max(high, float(samples.max()))
        regions = job.grid.tiles if marked is None else regions_around(marked)
        regions = regions if low <= high else ()
        lost = tuple(
            n
            for n, region in enumerate(regions)
            if missing >= math.prod(region.shape)
            and not any_known(reader.observed(place, region.slices))
        )
    return Scan(place, low, high, masked, missing, regions, lost)


def measure(job: Job, channel: int, scans: list[Scan]) -> Calibration:
    """Measure noise and intensity scale of a channel, on samples from all over it."""
    from napari_dred.core.calibration import calibrate  # brings torch

    with Reader(job) as reader:
        samples, observed = [], []
        for place, region in sample_places(reader.stack.shape, [s.place for s in scans]):
            samples.append(reader.image(place, region.slices))
            observed.append(reader.observed(place, region.slices))
    extremes = min(s.low for s in scans), max(s.high for s in scans)
    try:
        return calibrate(
            samples,
            observed,
            extremes,
            job.parameters,
            masked=any(s.masked for s in scans),
            missing=any(s.missing for s in scans),
        )
    except InputError as e:
        raise InputError(f"{job.source}, channel {channel}: {e}") from None


def sample_places(shape: tuple[int, int], places: list[Place]) -> Iterator[tuple[Place, Region]]:
    """Crops for measuring noise: few, from planes and corners far apart."""
    parts = [Region(*crop) for crop in crops(shape)]
    some = np.unique(np.linspace(0, len(places) - 1, len(parts)).round().astype(int))
    planes = [places[i] for i in some]
    yield from dict.fromkeys((planes[i % len(planes)], part) for i, part in enumerate(parts))


def restore_part(job: Job, whole: Calibration, place: Place, number: int, region: Region) -> float:
    """Restore a tile or a rectangle of a plane into its file; give the seconds it took.

    Raises
    ------
    InputError, RestorationError
        Naming the plane and the rectangle.
    """
    from napari_dred.core.errors import RestorationError
    from napari_dred.core.restore import restore

    target = job.tile(place, number)
    p = job.parameters.replace(keep_observed=False)
    if not job.untiled:  # rounded once, when they are blended
        p = p.replace(output_dtype="float32")
    if target.exists():
        return 0.0
    with Reader(job) as reader:
        image = reader.image(place, region.slices)
        mask = reader.masked(place, region.slices)
        known = reader.observed(place, region.slices)
    made, seconds = image, 0.0
    if not any_known(known):
        made = unrestored(image, job.parameters, None)
    elif not (job.parameters.keep_observed and known.all()):
        try:
            result = restore(image, mask, psf=job.psf, parameters=_placed(p), calibration=whole)
        except (InputError, RestorationError) as e:
            raise type(e)(f"{job.source}, plane {place}, pixels {region}: {e}") from None
        made, seconds = result.image, result.seconds
    with whole_file(target) as part, part.open("xb") as f:
        np.save(f, made)
    return seconds


def _placed(p: Parameters) -> Parameters:
    """The parameters with the GPU that falls to this worker of a cluster, where there are some."""
    import torch

    if p.device != "auto" or not torch.cuda.is_available() or torch.cuda.device_count() < 2:
        return p
    from distributed import get_worker

    try:
        number = int(get_worker().name)
    except ValueError:  # no worker, or one with another name
        return p
    return p.replace(device=f"cuda:{number % torch.cuda.device_count()}")


def put_down(
    job: Job,
    whole: Calibration,
    place: Place,
    regions: tuple[Region, ...],
    lost: tuple[int, ...] = (),
) -> Place:
    """Put a plane together from its restored parts, into the array that is made."""
    if job.done(place).exists():
        return place
    factor = job.parameters.scale
    target = open_level(job.image)
    parts = [np.load(job.tile(place, n), mmap_mode="r") for n in range(len(regions))]

    def part_of(number: int, region: tuple[slice, slice]) -> NDArray[Any]:
        rectangle: NDArray[Any] = parts[number][region]
        return rectangle

    with Reader(job) as reader:
        colours = (3,) if reader.colours else ()
        height, width = (n * factor for n in reader.stack.shape)
        sizes = dict(zip(job.axes_made, target.chunks, strict=True))
        for rows, columns in blocks((height, width), (sizes["Y"], sizes["X"])):
            block = Region(rows.start, rows.stop, columns.start, columns.stop)
            given = (rows, columns) if factor == 1 else None
            if not regions:  # nothing of it is known, or nothing of it is to be done
                image = _unrestored(reader, place, block, factor)
            elif job.around_mask:
                image = _pasted(reader.image(place, block.slices), block, parts, regions)
            elif job.untiled:
                image = part_of(0, block.slices)
            else:
                image = blend(job.grid, block, part_of, colours, factor, lost)
            if image.dtype != target.dtype:
                image = whole.values.restore_dtype(image, target.dtype)
            if given and (job.parameters.keep_observed or job.around_mask):
                known = reader.observed(place, given)
                image = np.where(known, reader.image(place, given).astype(image.dtype), image)
            if reader.stack.samples in (2, 4):
                alpha = _alpha(reader, place, block, factor)
                image = np.dstack([image, alpha.astype(image.dtype)])
            if reader.stack.samples == 1 and "S" in job.axes_made:
                image = image[..., None]
            _write(target, job, place, block, image)
    with whole_file(job.done(place)) as part:
        part.touch()
    parts.clear()
    for n in range(len(regions)):
        job.tile(place, n).unlink(missing_ok=True)
    return place


def _unrestored(reader: Reader, place: Place, block: Region, factor: int) -> NDArray[Any]:
    """A rectangle of the (enlarged) plane as it was, each pixel repeated."""
    top, left = block.top // factor, block.left // factor
    rows, columns = slice(top, -(-block.bottom // factor)), slice(left, -(-block.right // factor))
    image = reader.image(place, (rows, columns)).repeat(factor, axis=0).repeat(factor, axis=1)
    return image[block.moved(-top * factor, -left * factor).slices]


def _pasted(
    image: NDArray[Any], block: Region, parts: list[NDArray[Any]], regions: tuple[Region, ...]
) -> NDArray[Any]:
    """A rectangle of the plane with what was restored of it."""
    made = image.astype(np.float64)
    for part, region in zip(parts, regions, strict=True):
        top, left = max(block.top, region.top), max(block.left, region.left)
        bottom, right = min(block.bottom, region.bottom), min(block.right, region.right)
        if top < bottom and left < right:
            common = Region(top, bottom, left, right)
            made[common.moved(-block.top, -block.left).slices] = part[
                common.moved(-region.top, -region.left).slices
            ]
    return made


def _alpha(reader: Reader, place: Place, block: Region, factor: int) -> NDArray[Any]:
    """The alpha that goes with a rectangle of the restored plane."""
    if factor == 1:
        alpha = reader.alpha(place, block.slices)
        assert alpha is not None
        return alpha
    whole = reader.alpha(place)
    assert whole is not None
    return enlarged(whole, factor)[block.slices]


def _write(target: Any, job: Job, place: Place, block: Region, image: NDArray[Any]) -> None:
    """Write a rectangle; colour becomes the channels of an array that has no axis S."""
    index = job.index(place, block.slices)
    if image.ndim == 3 and "S" not in job.axes_made:
        channel = job.axes_made.index("C")
        for c in range(image.shape[2]):
            target[(*index[:channel], c, *index[channel + 1 :])] = image[..., c]
    else:
        target[index] = image
