"""A whole stack: checked, planned, restored plane by plane and tile by tile, and written."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import napari_dred
from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.io.axes import LETTERS, STACKED, Place, Selection
from napari_dred.io.metadata import Channel, Metadata
from napari_dred.io.ome_zarr import create_image, finish_image, is_zarr, open_level, version_of
from napari_dred.io.record import record_text
from napari_dred.io.stack import Stack, open_stack
from napari_dred.io.write_stack import check_stack_dtype, stack_format, write_tiff_stack
from napari_dred.volumes.cluster import Here, Pool, threads_each
from napari_dred.volumes.regions import reach
from napari_dred.volumes.tasks import Job, Reader, check_mask, measure, put_down, restore_part, scan
from napari_dred.volumes.tiles import OVERLAP, SHORTEST, Grid, longest_side

if TYPE_CHECKING:
    from napari_dred.core.calibration import Calibration

COLOURS = tuple(
    Channel(n, c)
    for n, c in zip(("red", "green", "blue"), ("FF0000", "00FF00", "0000FF"), strict=True)
)


@dataclass(frozen=True)
class StackOptions:
    """What a stack's restoration is told beside the parameters of the core.

    Attributes
    ----------
    axes : str, optional
        A letter for each axis, in place of what the file says.
    mask : Path, optional
        A file with one plane for all, or one for each.
    mask_axes : str, optional
    label : int, optional
        The only value of the mask that marks a pixel; any but zero if left out.
    psf : 2-D array, optional
    selection : Selection
        The planes that are restored and written.
    tile : int, optional
        The longest side of a tile in pixels; from the free memory if left out.
    around_mask : bool
        Compute only rectangles around missing pixels, and change only those pixels.
    version : '0.4' or '0.5'
        Of OME-Zarr, if that is written; that of the input, or 0.5, if left out.
    """

    axes: str | None = None
    mask: Path | None = None
    mask_axes: str | None = None
    label: int | None = None
    psf: ArrayLike | None = None
    selection: Selection = dataclasses.field(default_factory=Selection)
    tile: int | None = None
    around_mask: bool = False
    version: str | None = None


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
    if output.exists() and not replace:
        raise InputError(f"{output}: it is there already; give --force to replace it")
    kind = stack_format(output)
    with open_stack(source, options.axes) as stack:
        dtype = np.dtype(np.float32) if p.output_dtype == "float32" else stack.dtype
        check_stack_dtype(output, dtype)
        plan = _Plan(stack, source, output, kind, p, options, dtype)
    work = plan.prepare(pool.workers, resume=resume)
    job = plan.job(work)
    with Reader(job) as reader:
        check_mask(reader)
    left = [place for place in job.selection.places() if not job.done(place).exists()]
    notes: list[str] = []
    scans = list(pool.run(scan, [(job, place) for place in job.selection.places()]))
    wholes: dict[int, Calibration] = {}
    for channel in job.selection.range("C"):
        mine = sorted((s for s in scans if s.place.c == channel), key=lambda s: s.place)
        wholes[channel] = measure(job, channel, mine)
        notes.append(_noise_note(channel, wholes[channel], p, len(job.selection.range("C")) > 1))
    regions = {s.place: s.regions for s in scans}
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
        for _ in pool.run(put_down, [(job, wholes[c.c], c, regions[c]) for c in places]):
            pass
    record = plan.record(wholes, notes)
    ranges = {s.place.c: (math.inf, -math.inf) for s in scans}
    for s in scans:
        low, high = ranges[s.place.c]
        ranges[s.place.c] = min(low, s.low), max(high, s.high)
    plan.write(job, record, [ranges[c] for c in sorted(ranges)])
    yield {**record, "seconds": round(time.perf_counter() - began, 3), "output": str(output)}


class _Plan:
    """What is known of a run from its input alone."""

    def __init__(
        self,
        stack: Stack,
        source: Path,
        output: Path,
        kind: str,
        p: Parameters,
        options: StackOptions,
        dtype: np.dtype[Any],
    ) -> None:
        self.source, self.output, self.kind = source, output, kind
        self.parameters, self.options, self.dtype = p, options, dtype
        self.selection = options.selection.checked(stack.sizes, str(source))
        self.metadata, self.axes, self.samples = stack.metadata, stack.axes, stack.samples
        self.plane = stack.shape
        self.version = options.version or (version_of(source) if is_zarr(source) else "0.5")
        self.psf = None if options.psf is None else np.asarray(options.psf)
        self.channels = 3 if stack.samples > 2 else 1
        self.axes_made = "".join(a for a in LETTERS if a in stack.axes)
        if kind == "OME-Zarr" and self.samples:
            if "C" in stack.axes or self.samples in (2, 4):
                what = "channels and colour samples" if "C" in stack.axes else "alpha"
                raise InputError(f"{output}: OME-Zarr cannot hold {what}; write a .tif")
            letters = {*stack.axes, *("C" if self.samples > 1 else "")} - {"S"}
            self.axes_made = "".join(a for a in LETTERS if a in letters)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a restored plane."""
        height, width = (n * self.parameters.scale for n in self.plane)
        return height, width

    def prepare(self, workers: int, *, resume: bool) -> Path:
        """Make the folder for what is made, or find the one that a run has left."""
        work = self.output.with_name(f".{self.output.name}.part")
        identity = self.identity()
        note = work / "job.json"
        if resume and note.is_file():
            left = json.loads(note.read_text("utf-8"))
            # With another input or other settings, it is of no use.
            if left["identity"] == identity:
                self.longest = int(left["tile"])
                return work
        self.longest = self._longest(workers)
        if work.exists():
            shutil.rmtree(work)
        for name in ("done", "tiles"):
            (work / name).mkdir(parents=True)
        sizes = {a: self.selection.size(a) for a in STACKED}
        sizes |= {"Y": self.size[0], "X": self.size[1], "S": self.samples}
        if "S" not in self.axes_made and self.samples > 1:
            sizes["C"] = self.channels
        shape = tuple(sizes[a] for a in self.axes_made)
        create_image(work / "image", self.axes_made, shape, self.dtype, self.version)
        # Last: without it nothing is resumed.
        note.write_text(json.dumps({"identity": identity, "tile": self.longest}), "utf-8")
        return work

    def identity(self) -> str:
        """A text that two runs share if they make the same."""
        files = [self.source, *([self.options.mask] if self.options.mask else [])]
        stats = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        told = dataclasses.asdict(self.options) | {"psf": None, "mask": str(self.options.mask)}
        parts = [
            *(stats, self.parameters.to_dict(), told, self.version, self.kind),
            None if self.psf is None else self.psf.tolist(),
            napari_dred.__version__,
        ]
        return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()

    def job(self, work: Path) -> Job:
        """What every process that works on it knows."""
        overlap = max(OVERLAP, 2 * reach(self.parameters, self.psf))
        options = self.options
        return Job(
            source=self.source.absolute(),
            axes=options.axes,
            mask=options.mask and options.mask.absolute(),
            mask_axes=options.mask_axes,
            label=options.label,
            psf=self.psf,
            parameters=self.parameters,
            selection=self.selection,
            grid=Grid.of(self.plane, max(self.longest, 2 * overlap), overlap),
            around_mask=options.around_mask,
            work=work.absolute(),
            axes_made=self.axes_made,
        )

    def _longest(self, workers: int) -> int:
        """The longest side of a tile."""
        if self.options.tile is not None:
            if self.options.tile < SHORTEST:
                raise InputError(
                    f"tile is {self.options.tile}; it must be at least {SHORTEST} pixels"
                )
            return self.options.tile
        from napari_dred.core.devices import choose_device, free_memory  # they bring torch
        from napari_dred.core.estimate import estimate_memory
        from napari_dred.core.presets import fill_in

        p = fill_in(self.parameters, "denoise", 0.0)
        kernel = None if self.psf is None else self.psf.shape
        if kernel is None and p.blur_sigma:
            kernel = (2 * reach(p, None) * p.scale + 1,) * 2

        def memory_of(side: int) -> int:
            return estimate_memory(self.channels, (side * p.scale,) * 2, p, kernel)

        return longest_side(memory_of, free_memory(choose_device(p.device)) // workers)

    def record(self, wholes: dict[int, Calibration], notes: list[str]) -> dict[str, Any]:
        """How the planes were made, JSON-able."""
        options = self.options
        source: dict[str, Any] = {"image": self.source.name}
        if options.mask:
            source["mask"] = options.mask.name
        if options.label is not None:
            source["label"] = options.label
        return {
            "parameters": self.parameters.to_dict(),
            "channels": [
                {
                    "channel": c,
                    "sigma": w.sigma,
                    "sigma_estimated": self.parameters.sigma is None,
                    "photon_noise": w.photon_noise and (w.photon_noise.gain, w.photon_noise.offset),
                }
                for c, w in wholes.items()
            ],
            "planes": {a: list(self.selection.ranges[a]) for a in STACKED},
            "axes": self.axes,
            "tile": self.longest,
            "around_mask": options.around_mask,
            "seed": self.parameters.seed,
            "version": napari_dred.__version__,
            "notes": notes,
            "source": source,
        }

    def write(self, job: Job, record: dict[str, Any], ranges: list[tuple[float, float]]) -> None:
        """Make the output of the planes that are there, and take away what is left over."""
        made, factor = (
            self.metadata.part(self.selection, self.parameters.scale),
            job.parameters.scale,
        )
        if self.kind == "OME-Zarr":
            if self.samples > 1:
                made, ranges = dataclasses.replace(made, channels=COLOURS), ranges * 3
            made = dataclasses.replace(made, ome_zarr=_ome_zarr(made, self.selection))
            finish_image(
                job.image,
                self.axes_made,
                made,
                self.version,
                json.loads(record_text(record)),
                ranges,
            )
            replace_folder(job.image, self.output)
        else:
            array = open_level(job.image)

            def read(place: Place) -> NDArray[Any]:
                return np.asarray(array[job.index(place)])

            shape = (*self.size, *((self.samples,) if self.samples else ()))
            write_tiff_stack(
                self.output,
                read,
                self.selection,
                self.axes,
                shape,
                self.dtype,
                self.metadata,
                record,
                factor,
            )
        shutil.rmtree(job.work)


def _ome_zarr(made: Metadata, selection: Selection) -> dict[str, Any]:
    """The attributes of an OME-Zarr image for some of its channels."""
    kept = dict(made.ome_zarr)
    omero = kept.get("omero")
    if isinstance(omero, dict) and isinstance(channels := omero.get("channels"), list):
        some = [c for i, c in enumerate(channels) if i in selection.range("C")]
        kept["omero"] = {**omero, "channels": some}
    return kept


def replace_folder(made: Path, target: Path) -> None:
    """Put a folder in the place of what is there, which goes last."""
    old = None
    if target.exists():
        old = target.with_name(f".{target.name}.old")
        if old.exists():
            shutil.rmtree(old)
        target.replace(old)
    made.replace(target)
    if old is not None:
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink()


def _in_groups(places: list[Place], size: int) -> Iterator[list[Place]]:
    for i in range(0, len(places), size):
        yield places[i : i + size]


def _noise_note(channel: int, whole: Calibration, p: Parameters, several: bool) -> str:
    which = f"Channel {channel}: " if several else ""
    how = "given" if p.sigma is not None else "estimated"
    if whole.photon_noise is not None:
        how = f"photon noise of gain {whole.photon_noise.gain:.3g}, on average"
    return f"{which}noise level {how}: sigma = {whole.sigma:.3g} in the image's sample values."
