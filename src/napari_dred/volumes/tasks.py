"""The pieces of a stack's restoration, each done by itself in any process: scan, restore, put down.

All that a piece needs it reads from files, and what it makes it writes to files, whole and always
the same: a piece that was cut off is done again, and what is done twice is no harm.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.io import enlarged, marked
from napari_dred.io.axes import Place, Selection
from napari_dred.io.ome_zarr import blocks, open_level
from napari_dred.io.stack import WHOLE, Stack, open_stack
from napari_dred.volumes.regions import Region
from napari_dred.volumes.tiles import Grid, blend, regions_around

if TYPE_CHECKING:
    from napari_dred.core.calibration import Calibration

BLOCK = 2048  # pixels a side that are read at once where all of a plane is looked at
SAMPLE, SAMPLES = 1024, 5  # side and number of the crops that a channel's noise is measured on


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
        The extremes of its known samples.
    masked, missing : int
        Pixels that are masked; and those that are masked or not finite.
    regions : tuple of Region
        What of it is to be restored.
    """

    place: Place
    low: float
    high: float
    masked: int
    missing: int
    regions: tuple[Region, ...]


class Reader:
    """The planes of a job's input with their masks; a context manager."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._files = ExitStack()

    def __enter__(self) -> Reader:
        job = self.job
        self.stack = self._files.enter_context(open_stack(job.source, job.axes))
        self.mask: Stack | None = None
        if job.mask is not None:
            self.mask = self._files.enter_context(open_stack(job.mask, job.mask_axes))
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
        image, mask = self.image(place, region), self.masked(place, region)
        finite: NDArray[np.bool_] = np.asarray(np.isfinite(image))
        if mask is None:
            return finite
        return np.logical_and(finite, ~np.expand_dims(mask, tuple(range(2, image.ndim))))


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
    if low > high:
        raise InputError(f"{job.source}: no sample of the plane {place} is known")
    regions = job.grid.tiles if marked is None else regions_around(marked)
    return Scan(place, low, high, masked, missing, regions)


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
    height, width = (min(n, SAMPLE) for n in shape)
    corners = [(0.5, 0.5), (0, 0), (1, 1), (0, 1), (1, 0)]
    some = np.unique(np.linspace(0, len(places) - 1, SAMPLES).round().astype(int))
    planes = [places[i] for i in some]
    seen = set()
    for i, (down, right) in enumerate(corners):
        top, left = round(down * (shape[0] - height)), round(right * (shape[1] - width))
        place = planes[i % len(planes)]
        if (place, top, left) not in seen:
            seen.add((place, top, left))
            yield place, Region(top, top + height, left, left + width)


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
    if not (job.parameters.keep_observed and known.all()):
        try:
            result = restore(image, mask, psf=job.psf, parameters=_placed(p), calibration=whole)
        except (InputError, RestorationError) as e:
            raise type(e)(f"{job.source}, plane {place}, pixels {region}: {e}") from None
        made, seconds = result.image, result.seconds
    with whole_path(target) as part, part.open("xb") as f:
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


def put_down(job: Job, whole: Calibration, place: Place, regions: tuple[Region, ...]) -> Place:
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
            if job.around_mask:
                image = _pasted(reader.image(place, block.slices), block, parts, regions)
            elif job.untiled:
                image = part_of(0, block.slices)
            else:
                image = blend(job.grid, block, part_of, colours, factor)
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
    with whole_path(job.done(place)) as part:
        part.touch()
    parts.clear()
    for n in range(len(regions)):
        job.tile(place, n).unlink(missing_ok=True)
    return place


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


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Give a name beside a file, which takes its place at the end."""
    part = path.with_name(f".{secrets.token_hex(6)}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
