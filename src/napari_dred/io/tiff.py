"""What tifffile decodes; what else a TIFF may hold goes to Pillow."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, TiffFile, TiffPage

from napari_dred.core.errors import InputError
from napari_dred.io.guard import check_memory
from napari_dred.io.ome_xml import metadata_of
from napari_dred.io.picture import Picture
from napari_dred.io.pillow import read_with_pillow
from napari_dred.io.resolution import Resolution


def read_tiff(path: Path) -> Picture:
    """Decode a TIFF file with one plane, upright.

    Raises
    ------
    InputError
        If it holds more than one plane, or what cannot be taken without a loss.
    """
    with TiffFile(path) as tiff:
        page, shape, axes = _only_plane(path, tiff)
        check_memory(path, shape, max(1, page.dtype.itemsize if page.dtype else 1))
        end = max((o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False)))
        if end > path.stat().st_size:
            raise InputError(
                f"{path}: the file is truncated, {path.stat().st_size} bytes of at least {end}"
            )
        turn = page.tags.valueof("Orientation") or 1
        notes: tuple[str, ...] = ()
        try:
            resolution = resolution_of(tiff, page)
        except (ValueError, ElementTree.ParseError):
            resolution = None
            notes = ("How large a pixel is cannot be read from the file, and is left out.",)
        picture = _picture(path, page, axes, turn)
        xml = _ome_xml(tiff)
    if picture is None:
        picture = read_with_pillow(path, ("TIFF",))
        if page.bitspersample >= 8 and picture.samples.dtype != page.dtype:
            raise InputError(
                f"{path}: {page.dtype} samples are not read from this kind of TIFF; "
                "save the image uncompressed"
            )
    return dataclasses.replace(
        picture,
        resolution=resolution and resolution.turned(turn),
        ome_xml=xml if picture.alpha is None and turn == 1 else "",
        notes=(*picture.notes, *notes),
    )


def _ome_xml(tiff: TiffFile) -> str:
    """What OME says, if it can be read."""
    text = tiff.ome_metadata if tiff.is_ome else None
    if not text:
        return ""
    try:
        metadata_of(text)
    except (ValueError, ElementTree.ParseError):
        return ""
    return text


def _only_plane(path: Path, tiff: TiffFile) -> tuple[TiffPage, tuple[int, ...], str]:
    """The page, shape and axes of the one plane that the file holds."""
    # Reduced images behind the first are thumbnails.
    series = [s for s in tiff.series if s is tiff.series[0] or not s.keyframe.is_reduced]
    plane, page = series[0], series[0].keyframe
    shape, axes = plane.shape, plane.axes
    if len(series) > 1:
        raise InputError(
            f"{path}: the file holds {len(series)} images, the first of shape {shape}; give one"
        )
    if axes not in ("YX", "YXS", "SYX") or not isinstance(page, TiffPage):
        raise InputError(
            f"{path}: the file holds a stack of shape {shape} (axes {axes}); give a single plane"
        )
    if 0 in shape:
        raise InputError(f"{path}: the image is empty, its shape is {shape}")
    return page, shape, axes


def _picture(path: Path, page: TiffPage, axes: str, turn: int) -> Picture | None:
    """What tifffile makes of the page, upright, or None if that is Pillow's part."""
    photometric, bits, dtype = page.photometric, page.bitspersample, page.dtype
    if dtype is None or dtype.kind not in "buif" or (bits > 8 and dtype.itemsize * 8 != bits):
        raise InputError(f"{path}: {bits}-bit samples ({dtype}) are not read; use 8 or 16 bits")
    plain = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB)
    built_in = (COMPRESSION.NONE, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE)
    if (
        photometric not in plain
        or bits < 8
        or page.compression not in built_in
        or page.predictor not in (1, 2)
    ):
        if bits > 8 and page.samplesperpixel > 1:  # Pillow would cut it down to 8 bits
            raise InputError(
                f"{path}: {bits}-bit colour compressed by {COMPRESSION(page.compression).name} "
                "is not read; save the image uncompressed or with Deflate"
            )
        return None
    data = page.asarray()
    if axes == "SYX":
        data = np.moveaxis(data, 0, -1)
    data = _upright(data, turn)
    colours = 3 if photometric == PHOTOMETRIC.RGB else 1
    extra = page.extrasamples
    if page.samplesperpixel - colours != len(extra) or len(extra) > 1:
        raise InputError(
            f"{path}: {page.samplesperpixel} channels (shape {data.shape}) are not read; "
            "give gray or RGB, with or without alpha"
        )
    alpha = np.ascontiguousarray(data[..., -1]) if extra else None
    samples = data if data.ndim == 2 else data[..., :3] if colours == 3 else data[..., 0]
    if photometric == PHOTOMETRIC.MINISWHITE and dtype.kind == "u":
        samples = (2**bits - 1 - samples).astype(samples.dtype)
    profile = page.tags.valueof("InterColorProfile")
    return Picture(
        np.ascontiguousarray(samples),
        alpha,
        EXTRASAMPLE.ASSOCALPHA in extra,
        bytes(profile) if profile else None,
    )


def _upright(a: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply a TIFF or EXIF orientation (1 to 8) to an (H, W) or (H, W, C) array."""
    if orientation in (5, 6, 7, 8):
        a = a.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        a = a[::-1]
    if orientation in (2, 3, 6, 7):
        a = a[:, ::-1]
    return a


def resolution_of(tiff: TiffFile, page: Any) -> Resolution | None:
    """How large a pixel of a page is, as OME, ImageJ or TIFF itself says it."""
    if tiff.is_ome and tiff.ome_metadata:
        pixels = ElementTree.fromstring(tiff.ome_metadata).find(".//{*}Pixels")
        sizes = {} if pixels is None else pixels.attrib
        if "PhysicalSizeX" in sizes and "PhysicalSizeY" in sizes:
            unit = sizes.get("PhysicalSizeXUnit", "um")
            if unit == sizes.get("PhysicalSizeYUnit", "um"):
                x, y = (float(sizes[f"PhysicalSize{a}"]) for a in "XY")
                return Resolution.of(1 / x, 1 / y, unit) if x > 0 and y > 0 else None
    x, y = (_ratio(page.tags.valueof(name)) for name in ("XResolution", "YResolution"))
    unit = {2: "inch", 3: "cm"}.get(int(page.tags.valueof("ResolutionUnit", 2)), "none")
    imagej_unit = (tiff.imagej_metadata or {}).get("unit", "pixel")
    if unit == "none" and isinstance(imagej_unit, str) and imagej_unit not in ("", "pixel"):
        unit = imagej_unit
    return Resolution.of(x, y, unit)


def _ratio(rational: Any) -> float:
    """A TIFF rational as a number, 0 for none."""
    return rational[0] / rational[1] if rational and rational[1] else 0.0
