"""The writers: a picture as TIFF or PNG, whole or not at all, and what each can hold."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tifffile import imwrite

from napari_dred.core.errors import InputError
from napari_dred.io.axes import ONE
from napari_dred.io.ome_xml import adapted
from napari_dred.io.picture import Picture
from napari_dred.io.record import PNG_KEY, TIFF_TAG, record_text
from napari_dred.io.resolution import Resolution

TIFF_SUFFIXES = (".tif", ".tiff")
PNG_SUFFIX = ".png"


def check_no_input(path: str | os.PathLike[str], inputs: Iterable[Path | None]) -> None:
    """Refuse to write over what a run reads, into it (a folder), or over a folder that holds it.

    Raises
    ------
    InputError
    """
    path = Path(path)
    target = Path(os.path.realpath(path))
    for given in inputs:
        if given is None:
            continue
        source = Path(os.path.realpath(given))
        same = target == source or target in source.parents
        same = same or (source.suffix == ".zarr" and source in target.parents)
        with suppress(OSError):  # neither need be there
            same = same or path.samefile(given)
        if same:
            raise InputError(
                f"{path}: this is also an input of the run ({given}), or holds or lies in one; "
                "give another output"
            )


def check_output(
    path: str | os.PathLike[str],
    dtype: DTypeLike,
    picture: Picture | None = None,
) -> None:
    """Refuse what `write_picture` could not write, before anything is computed.

    Parameters
    ----------
    path : path-like
    dtype : dtype-like
        Of the samples that will be written.
    picture : Picture, optional
        What will be written, but for the samples' dtype; gray and opaque if left out.

    Raises
    ------
    InputError
        For a suffix, or samples, that cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*TIFF_SUFFIXES, PNG_SUFFIX):
        raise InputError(f"{path}: the output's name must end in .tif, .tiff or .png")
    dtype = np.dtype(dtype)
    if suffix in TIFF_SUFFIXES:
        if is_ome(path) and (dtype == np.float16 or dtype in (np.int64, np.uint64)):
            raise InputError(f"{path}: OME-TIFF cannot hold {dtype} samples; write a plain .tif")
        return
    if dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"{path}: PNG cannot hold {dtype} samples; write a TIFF (.tif), "
            "or choose another output dtype"
        )
    if picture is None:
        return
    colour = picture.samples.ndim == 3
    if dtype == np.uint16 and (colour or picture.alpha is not None):
        what = "colour" if colour else "transparency"
        raise InputError(
            f"{path}: PNG with 16 bits is written for gray only, without alpha, "
            f"and this image has {what}; write a TIFF (.tif)"
        )
    if picture.premultiplied:
        raise InputError(
            f"{path}: PNG cannot hold samples multiplied by their alpha; write a TIFF (.tif)"
        )


def write_picture(
    path: str | os.PathLike[str],
    picture: Picture,
    *,
    replace: bool = True,
    record: Mapping[str, Any] | None = None,
) -> Path:
    """Write a TIFF or PNG file, whole or not at all.

    Parameters
    ----------
    path : path-like
        Ends in .tif, .tiff or .png.
    picture : Picture
    replace : bool
        Whether a file of that name is replaced. Otherwise it stays, and the picture goes
        beside it, under the first free name of 'name-1.tif', 'name-2.tif', ...
    record : mapping, optional
        JSON-able; how the picture was made, for `read_record`.

    Returns
    -------
    Path
        Where the picture is: `path`, or the free name.

    Raises
    ------
    InputError
        If the kind of file cannot hold these samples.
    OSError
        If it cannot be written.
    """
    path = Path(path)
    check_output(path, picture.samples.dtype, picture)
    text = None if record is None else record_text(record)
    if path.suffix.lower() == PNG_SUFFIX:
        content = _png_bytes(picture, text)
    else:
        content = _tiff_bytes(picture, is_ome(path), text)
    for place in chain([path], _names_beside(path)):
        try:
            replace_file(place, content, claim=not replace)
        except FileExistsError:
            continue
        return place
    raise AssertionError("names are never used up")


def replace_file(path: Path, content: bytes, *, claim: bool = False) -> None:
    """Write a file by way of a temporary one beside it, so that it is whole or not there.

    Parameters
    ----------
    path : Path
        A link stays a link; what it points to is replaced.
    content : bytes
    claim : bool
        Whether the name must be free.

    Raises
    ------
    FileExistsError
        If the name must be free and is not.
    OSError
        If it cannot be written.
    """
    path = Path(os.path.realpath(path))
    part = path.with_name(f".{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        if claim:
            path.open("xb").close()  # ours from here on, whoever else may come
        try:
            part.replace(path)
        except OSError:
            if claim:
                path.unlink()
            raise
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _names_beside(path: Path) -> Iterator[Path]:
    suffix = "".join(path.suffixes[-2:]) if is_ome(path) else path.suffix
    for n in count(1):
        yield path.with_name(f"{path.name.removesuffix(suffix)}-{n}{suffix}")


def _png_bytes(picture: Picture, record: str | None) -> bytes:
    data = np.ascontiguousarray(picture.samples)
    if picture.alpha is not None:
        data = np.dstack([data, picture.alpha])
    options: dict[str, Any] = {"icc_profile": picture.icc_profile}
    density = picture.resolution and picture.resolution.per_centimetre()
    if density and max(density) * 100 < 2**32:  # pixels a metre, in 32 bits
        options["dpi"] = tuple(2.54 * d for d in density)
    if record is not None:
        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_itxt(PNG_KEY, record)
    buffer = BytesIO()
    Image.fromarray(data).save(buffer, "PNG", **options)
    return buffer.getvalue()


def _fits_imagej(unit: str) -> bool:
    """Whether ImageJ's header, lines of ASCII, can hold the name of a unit."""
    return unit.isascii() and unit.isprintable()


def _tiff_bytes(picture: Picture, ome: bool, record: str | None) -> bytes:
    data, alpha, resolution = picture.samples, picture.alpha, picture.resolution
    colour = data.ndim == 3
    options: dict[str, Any] = {"metadata": None}
    if alpha is not None:
        data = np.dstack([data, alpha])
        options["extrasamples"] = ["assocalpha" if picture.premultiplied else "unassalpha"]
    if resolution:
        # What tells lengths other than inch and cm, ImageJ reads; the rest is put in cm.
        if resolution.unit in ("inch", "cm", "none"):
            unit = resolution.unit
        elif (alpha is None and _fits_imagej(resolution.unit)) and (
            data.dtype == np.uint8 or (not colour and data.dtype in (np.uint16, np.float32))
        ):
            options |= {"imagej": True, "metadata": {"unit": resolution.unit}}
            unit = "none"
        else:
            density = resolution.per_centimetre()
            if density:
                resolution = Resolution(*density, "cm")
            unit = "cm" if density else "none"
        if all(2**-32 < n < 2**32 for n in (resolution.x, resolution.y)):  # a TIFF rational
            options["resolution"] = (resolution.x, resolution.y)
            options["resolutionunit"] = {"inch": "INCH", "cm": "CENTIMETER"}.get(unit, "NONE")
    if ome:
        options |= {"ome": True, "imagej": False, "metadata": _ome_metadata(picture, data.ndim)}
        if picture.ome_xml:
            xml = adapted(picture.ome_xml, ONE, data.shape[:2], data.dtype.name)
            options |= {"ome": False, "metadata": None, "description": xml.encode()}
    if record is not None:
        options["extratags"] = [(TIFF_TAG, "s", None, record, True)]
    buffer = BytesIO()
    imwrite(
        buffer,
        data,
        photometric="rgb" if colour else "minisblack",
        planarconfig="contig" if data.ndim == 3 else None,
        iccprofile=picture.icc_profile,
        **options,
    )
    return buffer.getvalue()


def _ome_metadata(picture: Picture, ndim: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": "YXS"[:ndim]}
    density = picture.resolution and picture.resolution.per_centimetre()
    if density:
        for axis, d in zip("XY", density, strict=True):
            metadata[f"PhysicalSize{axis}"] = 1e4 / d
            metadata[f"PhysicalSize{axis}Unit"] = "\N{MICRO SIGN}m"
    return metadata


def is_ome(path: Path) -> bool:
    """Whether a name asks for an OME-TIFF."""
    return path.name.lower().endswith((".ome.tif", ".ome.tiff"))
