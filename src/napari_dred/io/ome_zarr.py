"""OME-Zarr 0.4 and 0.5: an image opened, an image written with its pyramid, a plate's fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_dred.core.errors import InputError
from napari_dred.io.metadata import UNIT_NAMES, Channel, Metadata, unit_symbol

#: Versions that are written, and the Zarr format of each.
FORMATS: Final[dict[str, Any]] = {"0.4": 2, "0.5": 3}
CHUNK = 1024  # pixels a side
SMALLEST = 256  # the pyramid's top has no longer side than this
_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_MEASURED = "TZYX"  # axes with a distance of two samples
_DEFINED = {"multiscales", "version", "plate", "well", "image-label", "labels"}


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr group or array."""
    return any((path / name).is_file() for name in ("zarr.json", ".zgroup", ".zarray"))


def ome_attributes(group: zarr.Group) -> dict[str, Any]:
    """What OME says of a group, in whichever version."""
    attributes = dict(group.attrs)
    ome = attributes.get("ome")
    return dict(ome) if isinstance(ome, dict) else attributes


def version_of(path: Path) -> str:
    """The version of OME-Zarr that goes with the folder's Zarr format."""
    return "0.5" if (path / "zarr.json").is_file() else "0.4"


def open_image(path: Path) -> tuple[zarr.Array[Any], str, Metadata]:
    """Open the finest level of an image.

    Returns
    -------
    array, str, Metadata
        The samples, which are not read yet; a letter for each axis; and what lies beside them.

    Raises
    ------
    InputError
        If it is no image.
    """
    node = _opened(path)
    if isinstance(node, zarr.Array):
        return node, "TCZYX"[-node.ndim :] if node.ndim == 2 else "?" * node.ndim, Metadata()
    ome = ome_attributes(node)
    if "plate" in ome:
        raise InputError(f"{path}: this is a plate of many images; restore it with 'batch'")
    if "bioformats2raw.layout" in ome and "multiscales" not in ome:
        return open_image(path / "0")
    if not ome.get("multiscales"):
        raise InputError(f"{path}: this is a Zarr group, and no OME-Zarr image")
    scales = ome["multiscales"][0]
    first = scales["datasets"][0]
    array = node[first["path"]]
    assert isinstance(array, zarr.Array)
    axes = scales.get("axes") or [*"tczyx"[-array.ndim :]]
    named = [axis if isinstance(axis, dict) else {"name": axis} for axis in axes]
    letters = "".join(str(axis["name"]).upper() for axis in named)
    factors, shifts = np.ones(array.ndim), np.zeros(array.ndim)
    steps = [*first.get("coordinateTransformations", ())]
    for step in [*steps, *scales.get("coordinateTransformations", ())]:
        if step.get("type") == "scale":
            scale = np.array(step["scale"], float)
            factors, shifts = factors * scale, shifts * scale
        elif step.get("type") == "translation":
            shifts = shifts + np.array(step["translation"], float)
    sizes = {
        letter: (float(factor), unit_symbol(str(axis.get("unit") or "")))
        for letter, factor, axis in zip(letters, factors, named, strict=True)
        if letter in _MEASURED and (axis.get("unit") or factor != 1)
    }
    pairs = zip(letters, shifts, strict=True)
    origin = {letter: float(at) for letter, at in pairs if letter in _MEASURED and at}
    omero = ome.get("omero") or {}
    channels = tuple(
        Channel(str(c.get("label", "")), str(c.get("color", "")).lstrip("#").upper())
        for c in omero.get("channels", ())
    )
    kept = {key: value for key, value in ome.items() if key not in _DEFINED}
    name = str(scales.get("name", ""))
    metadata = Metadata(sizes=sizes, origin=origin, channels=channels, ome_zarr=kept, name=name)
    return array, letters, metadata


def create_image(
    folder: Path, axes: str, shape: tuple[int, ...], dtype: np.dtype[Any], version: str
) -> zarr.Array[Any]:
    """Make an image without samples, in which planes can be written in any order.

    Parameters
    ----------
    folder : Path
        Is not there yet, or empty.
    axes : str
        Of T, C, Z, Y, X, in that order; S may follow in a store that is not OME's.
    shape, dtype
    version : '0.4' or '0.5'
    """
    group = zarr.open_group(folder, mode="a", zarr_format=FORMATS[version])
    chunks = tuple(
        min(n, CHUNK) if axis in "YX" else n if axis == "S" else 1
        for axis, n in zip(axes, shape, strict=True)
    )
    return _create(group, "0", axes, shape, chunks, dtype, version)


def _create(
    group: zarr.Group,
    name: str,
    axes: str,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dtype: np.dtype[Any],
    version: str,
) -> zarr.Array[Any]:
    newer = version != "0.4"
    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=0,
        overwrite=name != "0",  # a pyramid that a run which was killed has left
        dimension_names=[*axes.lower()] if newer else None,
        chunk_key_encoding={"name": "default" if newer else "v2", "separator": "/"},
    )


def open_level(folder: Path, name: str = "0") -> zarr.Array[Any]:
    """Open a level of an image for reading and writing."""
    array = zarr.open_group(folder, mode="r+")[name]
    assert isinstance(array, zarr.Array)
    return array


def finish_image(
    folder: Path,
    axes: str,
    metadata: Metadata,
    version: str,
    record: Mapping[str, Any],
    ranges: Sequence[tuple[float, float]],
) -> None:
    """Add the pyramid and the attributes to an image whose samples are there.

    Parameters
    ----------
    folder : Path
    axes : str
        Of T, C, Z, Y, X, in that order.
    metadata : Metadata
        What holds for its finest level.
    version : '0.4' or '0.5'
    record : mapping
        JSON-able; how the image was made.
    ranges : sequence of (float, float)
        The least and the greatest sample of each channel, which viewers show black and white.
    """
    group = zarr.open_group(folder, mode="r+")
    level, count = open_level(folder), 1
    while max(level.shape[-2:]) > SMALLEST:
        level = _halved(group, level, str(count), axes, version)
        count += 1
    factors = [metadata.sizes.get(axis, (1.0, ""))[0] for axis in axes]
    datasets = [
        {
            "path": str(k),
            "coordinateTransformations": [
                {
                    "type": "scale",
                    "scale": [
                        f * (2**k if a in "YX" else 1) for a, f in zip(axes, factors, strict=True)
                    ],
                },
                *_moved(axes, metadata, factors, k),
            ],
        }
        for k in range(count)
    ]
    scales = {
        "axes": [_axis(axis, metadata) for axis in axes],
        "datasets": datasets,
        "name": metadata.name,
        "type": "mean",
    }
    if version == "0.4":
        scales["version"] = version
    ome: dict[str, Any] = {**metadata.ome_zarr, "multiscales": [scales]}
    # Axes that the user told may make other channels than the file names.
    if metadata.channels and len(metadata.channels) == len(ranges) and "omero" not in ome:
        pairs = zip(metadata.channels, ranges, strict=True)
        ome["omero"] = {"channels": [_omero_channel(c, *r) for c, r in pairs]}
    if version == "0.4":
        group.attrs.update({**ome, "napari-dred": dict(record)})
    else:
        group.attrs.update({"ome": {"version": version, **ome}, "napari-dred": dict(record)})


def _moved(axes: str, metadata: Metadata, factors: list[float], level: int) -> list[dict[str, Any]]:
    """Where a level begins: a mean of pixels lies in their middle, not on the first of them."""
    shifts = [
        metadata.origin.get(a, 0.0) + (f * (2**level - 1) / 2 if a in "YX" else 0.0)
        for a, f in zip(axes, factors, strict=True)
    ]
    return [{"type": "translation", "translation": shifts}] if any(shifts) else []


def _axis(axis: str, metadata: Metadata) -> dict[str, str]:
    entry = {"name": axis.lower(), "type": _TYPES[axis]}
    unit = metadata.sizes.get(axis, (0.0, ""))[1]
    if unit:
        entry["unit"] = UNIT_NAMES.get(unit, unit)
    return entry


def _omero_channel(channel: Channel, low: float, high: float) -> dict[str, Any]:
    window = {"min": low, "start": low, "max": high, "end": high}
    color = channel.color or "FFFFFF"
    return {"label": channel.name, "color": color, "active": True, "window": window}


def _halved(
    group: zarr.Group, fine: zarr.Array[Any], name: str, axes: str, version: str
) -> zarr.Array[Any]:
    """Write the next level, a chunk at a time: means of 2 x 2 pixels."""
    shape = (*fine.shape[:-2], *(-(-n // 2) for n in fine.shape[-2:]))
    chunks = (*fine.chunks[:-2], *(min(n, CHUNK) for n in shape[-2:]))
    coarse = _create(group, name, axes, shape, chunks, fine.dtype, version)
    for index in blocks(shape, chunks):
        rows, columns = (slice(2 * s.start, 2 * s.stop) for s in index[-2:])
        coarse[index] = _means(np.asarray(fine[(*index[:-2], rows, columns)]))
    return coarse


def blocks(shape: tuple[int, ...], chunks: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """The index of each chunk of an array."""
    starts = (range(0, n, c) for n, c in zip(shape, chunks, strict=True))
    for corner in product(*starts):
        ends = (min(i + c, n) for i, c, n in zip(corner, chunks, shape, strict=True))
        yield tuple(slice(i, end) for i, end in zip(corner, ends, strict=True))


def _means(a: NDArray[Any]) -> NDArray[Any]:
    odd = [n % 2 for n in a.shape[-2:]]
    if any(odd):
        a = np.pad(a, [(0, 0)] * (a.ndim - 2) + [(0, n) for n in odd], mode="edge")
    quads = a.reshape(*a.shape[:-2], a.shape[-2] // 2, 2, a.shape[-1] // 2, 2)
    means = quads.mean(axis=(-3, -1), dtype=np.float64)
    rounded: NDArray[Any] = (np.rint(means) if a.dtype.kind in "ui" else means).astype(a.dtype)
    return rounded


def fields_of_plate(path: Path) -> list[str]:
    """The images of a plate, as paths within it ('A/1/0').

    Raises
    ------
    InputError
        If it is no plate.
    """
    plate = _said_of(path).get("plate")
    if not isinstance(plate, dict):
        raise InputError(f"{path}: this is no plate")
    found = []
    try:
        for well in plate.get("wells", ()):
            place = str(well["path"])
            images = _said_of(path / place).get("well", {}).get("images", ())
            found += [f"{place}/{image['path']}" for image in images]
    except (AttributeError, KeyError, TypeError, FileNotFoundError) as e:
        raise InputError(
            f"{path}: the plate's wells are not as OME-Zarr has them ({e!r}); "
            "write the plate anew, or name its images one by one"
        ) from None
    return found


def is_plate(path: Path) -> bool:
    """Whether a folder is a plate; a damaged one is none."""
    try:
        return is_zarr(path) and "plate" in _said_of(path)
    except (InputError, OSError):
        return False


def _said_of(path: Path) -> dict[str, Any]:
    """What OME says of a group; nothing of an array."""
    node = _opened(path)
    return ome_attributes(node) if isinstance(node, zarr.Group) else {}


def _opened(path: Path) -> zarr.Group | zarr.Array[Any]:
    try:
        return zarr.open(path, mode="r")
    except OSError:
        raise
    except Exception as e:  # noqa: BLE001 (zarr has no error of its own for a damaged store)
        raise InputError(f"{path}: this Zarr store is damaged ({e}); write it anew") from None


def copy_plate(source: Path, target: Path) -> None:
    """Make a plate's groups, with what they say, and without its images."""
    plate = zarr.open_group(source, mode="r")
    form: Any = plate.metadata.zarr_format
    copy = zarr.open_group(target, mode="a", zarr_format=form)
    copy.attrs.update(dict(plate.attrs))
    for field in fields_of_plate(source):
        well = field.rpartition("/")[0]
        group = zarr.open_group(source / well, mode="r")
        copy.require_group(well).attrs.update(dict(group.attrs))
