"""The writers of stacks: OME-TIFF, ImageJ and plain TIFF, plane by plane, whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffWriter

from napari_dred.core.errors import InputError
from napari_dred.io import ome_xml
from napari_dred.io.axes import STACKED, Place, Selection
from napari_dred.io.metadata import Channel, Metadata
from napari_dred.io.record import TIFF_TAG, record_text
from napari_dred.io.write import TIFF_SUFFIXES, is_ome

CLASSIC = 2**32 - 2**25  # bytes that a TIFF without 64-bit offsets holds
_IMAGEJ_LAYOUT = {"ImageJ", "images", "channels", "slices", "frames", "hyperstack", "axes"}
_INCHES = {"in": ("INCH", 1.0), "cm": ("CENTIMETER", 1.0)}


def stack_format(path: Path) -> str:
    """Tell what a name asks for: 'OME-Zarr', 'OME-TIFF' or 'TIFF'.

    Raises
    ------
    InputError
        For a suffix that no stack is written to.
    """
    # A field of a plate has no suffix; it lies in the plate.
    if ".zarr" in (
        path.suffix.lower(),
        *(p.suffix.lower() for p in path.parents if not path.suffix),
    ):
        return "OME-Zarr"
    if path.suffix.lower() not in TIFF_SUFFIXES:
        raise InputError(
            f"{path}: a stack is written to a name that ends in .ome.tif, .tif or .ome.zarr"
        )
    return "OME-TIFF" if is_ome(path) else "TIFF"


def check_stack_dtype(path: Path, dtype: np.dtype[Any]) -> None:
    """Refuse samples that the file cannot hold, before anything is computed.

    Raises
    ------
    InputError
    """
    if stack_format(path) == "OME-TIFF" and dtype.name in ("float16", "int64", "uint64"):
        raise InputError(f"{path}: OME-TIFF cannot hold {dtype} samples; write a plain .tif")


def write_tiff_stack(
    path: Path,
    read: Callable[[Place], NDArray[Any]],
    selection: Selection,
    axes: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    metadata: Metadata,
    record: Mapping[str, Any],
    factor: int = 1,
) -> None:
    """Write planes one by one.

    Parameters
    ----------
    path : Path
        Ends in .tif or .tiff; .ome.tif for an OME-TIFF.
    read : callable
        Gives the restored plane at a place of the input.
    selection : Selection
        The places, checked.
    axes : str
        Those of the input.
    shape : tuple of int
        Of a restored plane, (H, W) or (H, W, S).
    dtype : numpy dtype
    metadata : Metadata
        That of the input.
    record : mapping
        JSON-able; how the planes were made, for `read_record`.
    factor : int
        Restored pixels along each side for one of the input.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    colour, height, width = shape[2:], *shape[:2]
    made = metadata.part(selection, factor)
    options: dict[str, Any]
    stacked = [a for a in axes if a in STACKED and (selection.size(a) > 1 or a in axes)]
    if is_ome(path):
        xml, order = metadata.ome_xml, STACKED
        if xml:
            order = ome_xml.dimension_order(xml)
            text = ome_xml.adapted(xml, selection, (height, width), dtype.name, factor)
            options = {"description": text.encode(), "metadata": None}
        else:
            options = {"ome": True, "metadata": _ome_metadata(made, order, bool(colour))}
    elif _fits_imagej(dtype, bool(colour)) and (metadata.imagej or made.sizes or made.channels):
        order = "TZC"
        options = {"imagej": True, "metadata": _imagej_metadata(metadata, made, selection)}
        options["metadata"]["axes"] = "TZCYX" + "S" * bool(colour)
    else:
        order = "".join(stacked)
        options = {"metadata": {"axes": order + "YX" + "S" * bool(colour)}}
    order += "".join(a for a in STACKED if a not in order)
    planes = [selection.size(a) for a in order if is_ome(path) or a in axes or "imagej" in options]
    full = (*planes, *shape)
    big = int(np.prod(full)) * dtype.itemsize > CLASSIC
    if not is_ome(path):
        options |= _resolution(made, imagej="imagej" in options)
    if colour and colour[0] in (2, 4):
        options["extrasamples"] = ["unassalpha"]

    def in_order() -> Iterator[NDArray[Any]]:
        for place in selection.places(order):
            yield np.ascontiguousarray(read(place))

    imagej, ome = options.pop("imagej", False), options.pop("ome", False)
    with whole_file(path) as part, TiffWriter(part, bigtiff=big, imagej=imagej, ome=ome) as tiff:
        tiff.write(
            in_order(),
            shape=full,
            dtype=dtype,
            photometric="rgb" if colour and colour[0] > 2 else "minisblack",
            planarconfig="contig" if colour else None,
            iccprofile=metadata.icc_profile,
            extratags=[(TIFF_TAG, "s", None, record_text(record), True)],
            **options,
        )


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a name beside a file; what was written to it takes the file's place at the end."""
    path = Path(os.path.realpath(path))
    part = path.with_name(f".{secrets.token_hex(6)}.part")
    try:
        yield part
        with part.open("rb+") as f:
            os.fsync(f.fileno())
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _fits_imagej(dtype: np.dtype[Any], colour: bool) -> bool:
    return dtype == np.uint8 or (not colour and dtype in (np.uint16, np.float32))


def _resolution(made: Metadata, imagej: bool) -> dict[str, Any]:
    if not {"X", "Y"} <= made.sizes.keys():
        return {}
    (x, unit), (y, _) = made.sizes["X"], made.sizes["Y"]
    name, factor = ("NONE", 1.0) if imagej else _INCHES.get(unit, ("NONE", 1.0))
    return {"resolution": (factor / x, factor / y), "resolutionunit": name}


def _imagej_metadata(whole: Metadata, made: Metadata, selection: Selection) -> dict[str, Any]:
    """What ImageJ's header says, for the planes that are written."""
    kept = {k: v for k, v in whole.imagej.items() if k not in _IMAGEJ_LAYOUT}
    if not whole.imagej:
        if made.sizes.get("X", (0.0, ""))[1]:
            kept["unit"] = made.sizes["X"][1].replace("\N{MICRO SIGN}", "u")
        if "Z" in made.sizes:
            kept["spacing"] = made.sizes["Z"][0]
        if "T" in made.sizes:
            kept["finterval"] = made.sizes["T"][0]
        if made.channels and all(c.color for c in made.channels):
            kept |= {"mode": "composite", "LUTs": [_lut(c) for c in made.channels]}
        if any(c.name for c in made.channels):
            kept["Labels"] = [made.channels[p.c].name for p in _local(selection).places("TZC")]
        return kept
    before = {a: int(whole.imagej.get(n, 1)) for a, n in _IMAGEJ_SIZES.items()}
    labels = kept.get("Labels")
    if isinstance(labels, list) and len(labels) == np.prod(list(before.values())):
        places = selection.places("TZC")
        numbers = ((p.t * before["Z"] + p.z) * before["C"] + p.c for p in places)
        kept["Labels"] = [labels[n] for n in numbers]
    channels = selection.range("C")
    if isinstance(luts := kept.get("LUTs"), list) and len(luts) == before["C"]:
        kept["LUTs"] = [luts[c] for c in channels]
    if isinstance(ranges := kept.get("Ranges"), tuple) and len(ranges) == 2 * before["C"]:
        kept["Ranges"] = tuple(v for c in channels for v in ranges[2 * c : 2 * c + 2])
    return kept


_IMAGEJ_SIZES = {"T": "frames", "Z": "slices", "C": "channels"}


def _local(selection: Selection) -> Selection:
    return Selection({axis: (0, selection.size(axis)) for axis in STACKED})


def _lut(channel: Channel) -> NDArray[np.uint8]:
    colour = [int(channel.color[i : i + 2], 16) for i in (0, 2, 4)]
    ramp = np.arange(256)[None] * np.array(colour)[:, None] / 255
    lut: NDArray[np.uint8] = np.rint(ramp).astype(np.uint8)
    return lut


def _ome_metadata(made: Metadata, order: str, colour: bool) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": order + "YX" + "S" * colour}
    for axis, (size, unit) in made.sizes.items():
        name = "TimeIncrement" if axis == "T" else f"PhysicalSize{axis}"
        metadata |= {name: size} | ({f"{name}Unit": unit} if unit else {})
    if made.name:
        metadata["Name"] = made.name
    if made.channels and not colour:
        channel: dict[str, Any] = {"Name": [c.name for c in made.channels]}
        if all(c.color for c in made.channels):
            channel["Color"] = [ome_xml.color_number(c.color) for c in made.channels]
        metadata["Channel"] = channel
    return metadata
