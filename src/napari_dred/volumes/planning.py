"""What a stack's restoration is told, what follows from it, and how its output comes to be."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import napari_dred
from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.io.axes import LETTERS, STACKED, Place, Selection
from napari_dred.io.metadata import Channel
from napari_dred.io.ome_zarr import create_image, finish_image, is_zarr, open_level, version_of
from napari_dred.io.record import record_text
from napari_dred.io.stack import Stack
from napari_dred.io.write_stack import write_tiff_stack
from napari_dred.volumes.job import Job
from napari_dred.volumes.regions import reach
from napari_dred.volumes.tiles import SHORTEST, longest_side, tiling

if TYPE_CHECKING:
    from napari_dred.core.calibration import Calibration

COLOURS = tuple(
    Channel(n, c)
    for n, c in zip(("red", "green", "blue"), ("FF0000", "00FF00", "0000FF"), strict=True)
)


def unfinished(output: Path) -> Path:
    """Where lies what is made, until all of it is done and becomes the output."""
    return output.with_name(f".{output.name}.part")


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


class StackPlan:
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
        work = unfinished(self.output)
        identity = self.identity()
        note = work / "job.json"
        # A run that was killed at its very end has no image left there.
        if resume and note.is_file() and (work / "image").is_dir():
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
        told = dataclasses.asdict(self.options) | {"psf": None, "mask": str(self.options.mask)}
        parts = [
            *([state_of(f) for f in files], told, self.version, self.kind),
            self.parameters.replace(threads=None).to_dict(),  # any number makes the same
            None if self.psf is None else self.psf.tolist(),
            napari_dred.__version__,
        ]
        return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()

    def job(self, work: Path) -> Job:
        """What every process that works on it knows."""
        options = self.options
        grid = tiling(
            self.plane, self.longest, self.parameters, self.psf, in_parts=options.around_mask
        )
        return Job(
            source=self.source.absolute(),
            axes=options.axes,
            mask=options.mask and options.mask.absolute(),
            mask_axes=options.mask_axes,
            label=options.label,
            psf=self.psf,
            parameters=self.parameters,
            selection=self.selection,
            grid=grid,
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

        p = fill_in(self.parameters, "inpaint", 0.0)  # as with the network, which needs most
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
            "channels": [{"channel": c, **w.to_dict(self.parameters)} for c, w in wholes.items()],
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


def state_of(path: Path) -> tuple[str, list[tuple[str, int, int]]]:
    """What is another one once a file, or a file in a folder, has changed."""
    inside = sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]
    stats = [(str(f.relative_to(path)), f.stat()) for f in inside]
    return str(path.resolve()), [(name, s.st_size, s.st_mtime_ns) for name, s in stats]


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
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        else:
            old.unlink()
