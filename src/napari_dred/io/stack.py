"""Stacks of planes, opened without being read: TIFF, OME-TIFF, ImageJ TIFF and OME-Zarr."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.etree import ElementTree

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray
from tifffile import EXTRASAMPLE, PHOTOMETRIC, TiffFile

from napari_dred.core.errors import InputError
from napari_dred.io import ome_xml
from napari_dred.io.axes import Place, checked_axes
from napari_dred.io.guard import reading
from napari_dred.io.metadata import Metadata, unit_symbol
from napari_dred.io.ome_zarr import is_zarr, open_image
from napari_dred.io.pillow import read_with_pillow
from napari_dred.io.read import kind_of
from napari_dred.io.tiff import resolution_of

LARGE = 2048  # pixels a side from which on a plane is restored in tiles
WHOLE = (slice(None), slice(None))


@dataclass(frozen=True)
class Stack:
    """Planes of one size, read when they are asked for.

    Attributes
    ----------
    path : Path
    axes : str
        A letter for each axis of `data`: T, C, Z, Y, X, and S for colour samples.
    data : array-like
        Has `shape` and `dtype`; an index reads what it names.
    metadata : Metadata
    kind : 'TIFF', 'OME-TIFF', 'ImageJ', 'OME-Zarr' or 'picture'
    close : callable
        Gives the file back.
    """

    path: Path
    axes: str
    data: Any = field(repr=False)
    metadata: Metadata
    kind: str
    close: Callable[[], None] = field(default=lambda: None, repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def sizes(self) -> dict[str, int]:
        """The number of samples on each axis."""
        return dict(zip(self.axes, map(int, self.data.shape), strict=True))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the samples, in the machine's byte order."""
        own: np.dtype[Any] = np.dtype(self.data.dtype).newbyteorder("=")
        return own

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of a plane."""
        return self.sizes["Y"], self.sizes["X"]

    @property
    def samples(self) -> int:
        """Colour samples a pixel, 0 where there is no such axis."""
        return self.sizes.get("S", 0)

    def plane(self, place: Place, region: tuple[slice, slice] = WHOLE) -> NDArray[Any]:
        """Read one plane, or a rectangle of it.

        Returns
        -------
        (H, W) or (H, W, S) array
            Without a sample axis of length 1.

        Raises
        ------
        InputError
            If that part of the file is damaged.
        """
        at = {"T": place.t, "C": place.c, "Z": place.z, "Y": region[0], "X": region[1]}
        with reading(self.path):
            data = np.asarray(self.data[tuple(at.get(axis, slice(None)) for axis in self.axes)])
        left = [axis for axis in self.axes if axis in "YXS"]
        data = data.transpose([left.index(axis) for axis in "YXS" if axis in left])
        if data.ndim == 3 and data.shape[2] == 1:
            data = data[..., 0]
        return data.astype(self.dtype, copy=False)


def open_stack(path: str | os.PathLike[str], axes: str | None = None) -> Stack:
    """Open a file for reading plane by plane; a context manager.

    Parameters
    ----------
    path : path-like
        A TIFF, PNG or JPEG file or an OME-Zarr image; the content decides.
    axes : str, optional
        A letter for each axis, in place of what the file says.

    Raises
    ------
    InputError
        If it cannot be read, or its axes are not known.
    """
    path = Path(path)
    with reading(path):
        if is_zarr(path):
            data, found, metadata = open_image(path)
            letters = checked_axes(axes or found, data.shape, str(path))
            stack = Stack(path, letters, data, metadata, "OME-Zarr")
        elif kind_of(path) == "TIFF":
            stack = _open_tiff(path, axes)
        else:
            stack = _open_picture(path, axes)
    if stack.data.dtype.kind not in "uif":
        stack.close()
        raise InputError(f"{path}: {stack.data.dtype} samples are not real numbers")
    return stack


def is_stack(path: Path) -> bool:
    """Whether a file holds more than a plane, or planes in a container of many: not a picture."""
    if is_zarr(path):
        return True
    try:
        if kind_of(path) != "TIFF":
            return False
        with TiffFile(path) as tiff:
            return tiff.series[0].axes not in ("YX", "YXS", "SYX")
    except Exception:  # noqa: BLE001 (on a damaged file; who reads it says what is wrong)
        return False


def is_large(path: Path, longest: int = LARGE) -> bool:
    """Whether a TIFF file holds a gray or RGB plane with more pixels a side."""
    try:
        if kind_of(path) != "TIFF":
            return False
        with open_stack(path) as stack:
            return max(stack.shape) > longest
    except (InputError, OSError):
        return False


def _open_picture(path: Path, axes: str | None) -> Stack:
    if kind_of(path) is None:
        empty = path.is_file() and path.stat().st_size == 0
        what = "the file is empty" if empty else "this is not a TIFF, PNG, JPEG or OME-Zarr image"
        raise InputError(f"{path}: {what}")
    picture = read_with_pillow(path, ("PNG", "JPEG"))
    data = picture.samples if picture.alpha is None else np.dstack([picture.samples, picture.alpha])
    letters = checked_axes(axes or "YXS"[: data.ndim], data.shape, str(path))
    metadata = Metadata(sizes=_sizes(picture.resolution), icc_profile=picture.icc_profile)
    return Stack(path, letters, data, metadata, "picture")


class _Heard(logging.Handler):
    """Keeps what tifffile only logs: that a file is damaged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextmanager
def _damage_raises(path: Path) -> Iterator[None]:
    logger, heard = logging.getLogger("tifffile"), _Heard()
    before = logger.level, logger.propagate
    logger.addHandler(heard)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(heard)
        logger.level, logger.propagate = before
    if heard.texts:
        raise InputError(f"{path}: the file is damaged or truncated ({heard.texts[0]})")


def _open_tiff(path: Path, axes: str | None) -> Stack:
    with ExitStack() as files:
        with _damage_raises(path):
            tiff = files.enter_context(TiffFile(path))
            stack = _stack_of(path, tiff, axes)
        files.pop_all()  # the stack closes it
        return stack


def _stack_of(path: Path, tiff: TiffFile, axes: str | None) -> Stack:
    # Reduced images behind the first are thumbnails.
    series = [s for s in tiff.series if s is tiff.series[0] or not s.keyframe.is_reduced]
    if len(series) > 1:
        raise InputError(
            f"{path}: the file holds {len(series)} images of different kinds, the first of "
            f"shape {series[0].shape}; save the one to be restored by itself"
        )
    first = series[0]
    if first.keyframe.photometric == PHOTOMETRIC.PALETTE:
        raise InputError(f"{path}: a stack with a palette is not read; convert it to RGB")
    _check_meaning(path, first.keyframe)
    letters = checked_axes(axes or first.axes, first.shape, str(path))
    _check_whole(path, tiff, first.pages)
    metadata, kind = _tiff_metadata(tiff)
    profile = first.keyframe.tags.valueof("InterColorProfile")
    if profile:
        metadata = Metadata(**{**vars(metadata), "icc_profile": bytes(profile)})
    data: Any = None
    if first.dataoffset is not None and first.keyframe.is_memmappable:
        data = tifffile.memmap(path, mode="r")
        if data.shape != first.shape:
            data = None
    if data is None:
        data = zarr.open_array(first.aszarr(level=0), mode="r")
    return Stack(path, letters, data, metadata, kind, tiff.close)


def _check_meaning(path: Path, page: Any) -> None:
    """Refuse samples that mean something else than their values, where pictures are converted."""
    wrong = None
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        wrong = "0 stands for white; save it with 0 for black"
    elif page.tags.valueof("Orientation", 1) != 1:
        wrong = "its planes are stored turned or mirrored; save it upright"
    elif EXTRASAMPLE.ASSOCALPHA in page.extrasamples:
        wrong = "its colours were multiplied by their alpha; save it without alpha"
    if wrong:
        raise InputError(f"{path}: this stack is not read as it is: {wrong}")


def _check_whole(path: Path, tiff: TiffFile, pages: Any) -> None:
    last = next((p for p in reversed(list(pages)) if p is not None), None)
    if last is None or last.parent is not tiff:
        return
    end = max(o + n for o, n in zip(last.dataoffsets, last.databytecounts, strict=False))
    if end > path.stat().st_size:
        raise InputError(
            f"{path}: the file is truncated, {path.stat().st_size} bytes of at least {end}"
        )


def _tiff_metadata(tiff: TiffFile) -> tuple[Metadata, str]:
    if tiff.is_ome and tiff.ome_metadata:
        try:
            return ome_xml.metadata_of(tiff.ome_metadata), "OME-TIFF"
        except (ValueError, ElementTree.ParseError):
            return Metadata(), "OME-TIFF"
    sizes = _sizes(resolution_of(tiff, tiff.pages.first))
    imagej = dict(tiff.imagej_metadata or {})
    if not imagej:
        return Metadata(sizes=sizes), "TIFF"
    unit = sizes["X"][1] if "X" in sizes else unit_symbol(str(imagej.get("unit", "")))
    if isinstance(spacing := imagej.get("spacing"), (int, float)) and unit:
        sizes["Z"] = (abs(float(spacing)), unit)
    if isinstance(interval := imagej.get("finterval"), (int, float)) and interval > 0:
        sizes["T"] = (float(interval), unit_symbol(str(imagej.get("tunit", "s"))))
    return Metadata(sizes=sizes, imagej=imagej), "ImageJ"


def _sizes(resolution: Any) -> dict[str, tuple[float, str]]:
    if resolution is None or resolution.unit == "none":
        return {}
    unit = unit_symbol(resolution.unit)
    return {"Y": (1 / resolution.y, unit), "X": (1 / resolution.x, unit)}
