"""Which images a batch is of, and where the restored one of each goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_dred.core.errors import InputError
from napari_dred.io.ome_zarr import fields_of_plate, is_plate, is_zarr

#: What a folder is searched for.
SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class Item:
    """An image, and where its restored one goes.

    Attributes
    ----------
    source, target : Path
    plate : (Path, Path) or None
        The plate that it is a field of, and the one that the target is.
    """

    source: Path
    target: Path
    plate: tuple[Path, Path] | None = None


def expand(
    inputs: Sequence[str],
    output: Path,
    suffix: str | None = None,
    others: Sequence[Path] = (),
) -> list[Item]:
    """Find the images that files, folders, patterns and plates name.

    Parameters
    ----------
    inputs : sequence of str
    output : Path
        Folder for the results; what lies in it is no input.
    suffix : str, optional
        Of the results; that of each input if left out.
    others : sequence of Path
        What else the run reads: a mask, a PSF, settings.

    Raises
    ------
    InputError
        If one of them names nothing, or a result would overwrite one of them or lie elsewhere
        than in `output`.
    """
    items: list[Item] = []
    taken: set[Path] = set()

    def free(folder: Path, stem: str, end: str) -> Path:
        target, n = output / folder / f"{stem}{end}", 1
        while target in taken:
            n += 1
            target = output / folder / f"{stem}-{n}{end}"
        taken.add(target)
        return target

    def add(source: Path, folder: Path) -> None:
        stem, own = _split(source.name)
        if not is_plate(source):
            items.append(Item(source, free(folder, f"{stem}-restored", suffix or own)))
            return
        copy = free(folder, stem, source.name[len(stem) :])
        items.extend(
            Item(source / field, copy / field, (source, copy)) for field in fields_of_plate(source)
        )

    for text in inputs:
        given = Path(text)
        found = [given] if given.exists() else sorted(_matching(given))
        if not found:
            raise InputError(f"{text}: there is no such file or folder")
        for path in found:
            if path.is_dir() and not is_zarr(path):
                if path.resolve() == output.resolve():
                    raise InputError(
                        f"{output}: this folder is searched for images, so that its results would "
                        f"be images of the next run; give another one, such as {output}-restored"
                    )
                for file in _images_in(path, output):
                    add(file, file.parent.relative_to(path))
            else:
                add(path, Path())
    _check(items, others)
    return items


def _check(items: list[Item], others: Sequence[Path]) -> None:
    """Refuse results that would go over an input, or out of their plate."""
    inputs = {i.source.resolve() for i in items} | {path.resolve() for path in others}
    inputs |= {i.plate[0].resolve() for i in items if i.plate}
    taken = inputs | {folder for path in inputs for folder in path.parents}
    for item in items:
        target = item.target.resolve()
        if item.plate and item.plate[1].resolve() not in target.parents:
            raise InputError(
                f"{item.plate[0]}: the plate names an image that lies outside of it, "
                f"{item.source}; correct what the plate says of its wells"
            )
        if target in taken or not inputs.isdisjoint(target.parents):
            raise InputError(
                f"{item.target}: the result for {item.source} would overwrite an input of the run; "
                "give another folder for the results"
            )


def _matching(pattern: Path) -> Iterator[Path]:
    """The files that a pattern names, where the shell has left it to us."""
    root = Path(pattern.anchor)
    yield from root.glob(str(pattern.relative_to(pattern.anchor)))


def _split(name: str) -> tuple[str, str]:
    """A file's name without its ending, and the ending of its result."""
    lower = name.lower()
    for ending, own in (
        *((".ome.tif", ".ome.tif"), (".ome.tiff", ".ome.tif"), (".tif", ".tif"), (".tiff", ".tif")),
        *((".ome.zarr", ".ome.zarr"), (".zarr", ".ome.zarr")),
    ):
        if lower.endswith(ending):
            return name[: -len(ending)], own
    return Path(name).stem, ".png"


def _images_in(folder: Path, output: Path) -> Iterator[Path]:
    """The images in a folder and its folders, in order; an OME-Zarr image is one."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.resolve() == output.resolve():
            continue
        if path.is_dir():
            if is_zarr(path):
                yield path
            else:
                yield from _images_in(path, output)
        elif path.suffix.lower() in SUFFIXES:
            yield path
