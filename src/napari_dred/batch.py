"""Many images with the same settings, one after the other, and a note of each."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import napari_dred
from napari_dred.batch_items import Item
from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.parameters import Parameters
from napari_dred.io import check_output, read_mask, read_picture, write_picture
from napari_dred.io.ome_zarr import copy_plate
from napari_dred.io.stack import is_large, is_stack
from napari_dred.report import write_report
from napari_dred.volumes.cluster import Pool
from napari_dred.volumes.planning import StackOptions, state_of
from napari_dred.volumes.stacks import Progress, restore_stack

MANIFEST, SUMMARY = "manifest.jsonl", "summary.html"


@dataclass(frozen=True)
class Done:
    """An image that is restored.

    Attributes
    ----------
    source, target : Path
    record : dict
        How it was made, JSON-able.
    """

    source: Path
    target: Path
    record: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """An image that could not be restored, and why.

    Attributes
    ----------
    source : Path
    why : str
    """

    source: Path
    why: str


class Batch:
    """A folder of results, and the images that go into it.

    Parameters
    ----------
    folder : Path
    items : list of Item
    parameters : Parameters
    options : StackOptions
        Its mask and PSF hold for every image.
    """

    def __init__(
        self, folder: Path, items: list[Item], parameters: Parameters, options: StackOptions
    ) -> None:
        self.folder, self.items = folder, items
        self.parameters, self.options = parameters, options
        self.manifest = folder / MANIFEST
        self._copied = set[tuple[Path, Path]]()  # plates, without their images

    def run(self, pool: Pool, *, resume: bool = False) -> Iterator[Done | Failed]:
        """Restore what is not restored yet; give what became of each image, as it comes.

        Raises
        ------
        InputError
            If the folder has results already, and `resume` does not allow for them.
        OSError
            If it cannot be written to.
        """
        if self.manifest.exists() and not resume:
            raise InputError(
                f"{self.folder}: there are results of an earlier run; "
                "give --resume to go on with it, or another folder"
            )
        made = [item.plate[1] if item.plate else item.target for item in self.items]
        there = [path for path in (*made, self.folder / SUMMARY) if path.exists()]
        if there and not self.manifest.exists():  # of no run that could go on
            raise InputError(f"{there[0]}: it is there already; give another folder, or move it")
        self.folder.mkdir(parents=True, exist_ok=True)
        outcomes: dict[Path, Done | Failed] = {}
        left = []
        before = self._noted()
        for item in self.items:
            line = before.get(str(item.target))
            if line and line["identity"] == self._identity(item) and item.target.exists():
                outcomes[item.source] = Done(item.source, item.target, line["record"])
                yield outcomes[item.source]
            else:
                left.append(item)
        with self.manifest.open("a", encoding="utf-8") as notes:
            for item, outcome in self._restored(left, pool):
                outcomes[item.source] = outcome
                notes.write(json.dumps(self._line(item, outcome)) + "\n")
                notes.flush()
                os.fsync(notes.fileno())
                yield outcome
        rows = [outcomes[item.source] for item in self.items]
        write_report(
            self.folder / SUMMARY,
            [
                (o.source, o.target, o.record, "")
                if isinstance(o, Done)
                else (o.source, None, {}, o.why)
                for o in rows
            ],
        )

    def _restored(self, left: list[Item], pool: Pool) -> Iterator[tuple[Item, Done | Failed]]:
        # Single pictures are pieces of work by themselves, the planes of stacks are others.
        stacks = [i for i in left if self._is_stack(i)]
        pictures = [i for i in left if i not in stacks]
        calls = [(item, self.parameters, self.options) for item in pictures]
        for item in pictures:
            item.target.parent.mkdir(parents=True, exist_ok=True)
        done = set()
        try:
            for item, outcome in pool.run(restore_picture, calls):
                done.add(item)
                yield item, outcome
        except RestorationError as e:  # the workers died
            for item in pictures:
                if item not in done:
                    yield item, Failed(item.source, _why(e))
        for item in stacks:
            yield item, self._stack(item, pool)

    def _is_stack(self, item: Item) -> bool:
        if item.target.suffix == ".png":
            return False
        told = self.options.axes or self.options.selection.ranges or self.options.tile
        return (
            bool(told)
            or item.target.suffix == ".zarr"
            or is_stack(item.source)
            or is_large(item.source)
        )

    def _stack(self, item: Item, pool: Pool) -> Done | Failed:
        try:
            item.target.parent.mkdir(parents=True, exist_ok=True)
            options = self.options
            if item.plate is not None:
                if item.plate not in self._copied:
                    copy_plate(*item.plate)
                    self._copied.add(item.plate)
                options = dataclasses.replace(options, version=None)  # that of the plate
            record: dict[str, Any] = {}
            for step in restore_stack(
                item.source,
                item.target,
                self.parameters,
                options,
                pool=pool,
                resume=True,
                replace=True,
            ):
                record = record if isinstance(step, Progress) else step
        except Exception as e:  # noqa: BLE001 (one image does not keep the others from it)
            return Failed(item.source, _why(e))
        return Done(item.source, item.target, record)

    def _identity(self, item: Item) -> str:
        """A text that is another one once the image or the settings are."""
        mask, psf = self.options.mask, self.options.psf
        told = dataclasses.asdict(self.options)
        told["psf"] = None if psf is None else np.asarray(psf).tolist()
        parts = [
            state_of(item.source),
            None if mask is None else state_of(mask),
            self.parameters.to_dict(),
            told,
            napari_dred.__version__,
        ]
        return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()

    def _line(self, item: Item, outcome: Done | Failed) -> dict[str, Any]:
        line: dict[str, Any] = {
            "source": str(item.source),
            "target": str(item.target),
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        }
        if isinstance(outcome, Failed):
            return {**line, "status": "failed", "why": outcome.why}
        return line | {
            "status": "done",
            "identity": self._identity(item),
            "record": outcome.record,
        }

    def _noted(self) -> dict[str, dict[str, Any]]:
        """What the manifest says of each result, the last word of it."""
        found: dict[str, dict[str, Any]] = {}
        if not self.manifest.exists():
            return found
        with self.manifest.open("r+", encoding="utf-8") as notes:
            for text in notes:
                try:
                    line = json.loads(text)
                except ValueError:  # the run was cut off in the middle of a line
                    continue
                found.pop(line["target"], None)
                if line["status"] == "done":
                    found[line["target"]] = line
            if notes.tell() and not _ends_a_line(self.manifest):
                notes.write("\n")
        return found


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as f:
        f.seek(-1, os.SEEK_END)
        return f.read(1) == b"\n"


def restore_picture(
    item: Item, parameters: Parameters, options: StackOptions
) -> tuple[Item, Done | Failed]:
    """Restore a single picture into its file; what goes wrong comes back in words."""
    from napari_dred.core.restore import restore  # brings torch

    try:
        picture = read_picture(item.source)
        same = parameters.output_dtype == "same"
        dtype = picture.samples.dtype if same else parameters.output_dtype
        check_output(item.target, dtype, picture)
        mask = None
        if options.mask is not None:
            mask = read_mask(options.mask, picture.samples.shape, options.label)
        result = restore(picture.samples, mask, psf=options.psf, parameters=parameters)
        record = result.provenance()
        record["notes"] = [*picture.notes, *record["notes"]]
        record["source"] = {"image": item.source.name}
        restored = picture.restored(result.image, result.parameters.scale)
        write_picture(item.target, restored, record=record)
    except Exception as e:  # noqa: BLE001 (one image does not keep the others from it)
        return item, Failed(item.source, _why(e))
    return item, Done(item.source, item.target, record)


def _why(error: Exception) -> str:
    words = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return words or "out of memory"
    if isinstance(error, (InputError, RestorationError, OSError)):
        return words
    return f"it failed unexpectedly ({type(error).__name__}: {words})"
