"""The readers: a picture, a mask, a blur kernel. The content decides which decoder is asked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_dred.core.errors import InputError
from napari_dred.core.masks import missing_of
from napari_dred.io.guard import reading, size_text
from napari_dred.io.picture import Picture
from napari_dred.io.pillow import read_with_pillow
from napari_dred.io.tiff import read_tiff

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_JPEG_MAGIC = b"\xff\xd8\xff"


def read_picture(path: str | os.PathLike[str]) -> Picture:
    """Read one plane from a TIFF, PNG or JPEG file.

    The orientation that the file asks for is applied. Palette and CMYK images
    become RGB, one-bit images 8-bit gray.

    Parameters
    ----------
    path : path-like
        The content decides what kind of file it is, not the suffix.

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, of another kind, too large for
        the machine, or holds more than one plane.
    """
    path = Path(path)
    with reading(path):
        if known_kind(path) == "TIFF":
            picture = read_tiff(path)
        else:
            picture = read_with_pillow(path, ("PNG", "JPEG"))
    return picture


def read_mask(
    path: str | os.PathLike[str], shape: tuple[int, ...], label: int | None = None
) -> NDArray[np.bool_]:
    """Read a mask: a pixel that is marked in any colour channel is missing.

    Parameters
    ----------
    path : path-like
        TIFF or PNG; alpha is ignored.
    shape : tuple of int
        That of the image, (H, W) or (H, W, C).
    label : int, optional
        The only value that marks a pixel; any but zero if left out.

    Returns
    -------
    (H, W) bool array
        True = missing.

    Raises
    ------
    InputError
        If the file cannot be read, is a JPEG, or has another size.
    """
    path = Path(path)
    with reading(path):
        if known_kind(path) == "JPEG":
            raise InputError(
                f"{path}: a JPEG cannot be a mask, its zeros do not stay zero; use PNG or TIFF"
            )
    samples = read_picture(path).samples
    mask: NDArray[np.bool_] = np.any(np.atleast_3d(marked(samples, label)), axis=-1)
    if mask.shape != shape[:2]:
        raise InputError(
            f"{path}: the mask is {size_text(mask.shape)} but the image is {size_text(shape)}; "
            "they must have the same size"
        )
    return mask


def marked(samples: NDArray[Any], label: int | None = None) -> NDArray[np.bool_]:
    """Tell where the samples of a mask mark what is missing; `label` as in `read_mask`.

    Raises
    ------
    InputError
        For samples that are no real numbers.
    """
    return missing_of(samples) if label is None else np.asarray(samples == label)


def read_psf(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read a blur kernel.

    Parameters
    ----------
    path : path-like
        A gray TIFF or PNG, or a two-dimensional .npy array.

    Returns
    -------
    (h, w) array

    Raises
    ------
    InputError
        If the file cannot be read or is not two-dimensional and gray.
    """
    path = Path(path)
    if path.suffix.lower() == ".npy":
        with reading(path):
            # A memory map refuses a header that promises more than the file holds.
            psf = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    else:
        psf = read_picture(path).samples
    if psf.ndim != 2 or psf.size == 0:
        raise InputError(f"{path}: a PSF must be one gray plane, not of shape {psf.shape}")
    if psf.dtype.kind not in "buif":
        raise InputError(f"{path}: a PSF must hold real numbers, not {psf.dtype}")
    return psf


def kind_of(path: str | os.PathLike[str]) -> str | None:
    """Tell from a file's first bytes whether it is a 'TIFF', 'PNG' or 'JPEG'; None for others.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with Path(path).open("rb") as f:
        head = f.read(8)
    if head.startswith(_TIFF_MAGIC):
        return "TIFF"
    if head == _PNG_MAGIC:
        return "PNG"
    return "JPEG" if head.startswith(_JPEG_MAGIC) else None


def known_kind(path: Path) -> str:
    """Tell the kind as `kind_of`, and refuse a file of another one in words."""
    kind = kind_of(path)
    if kind is None:
        empty = path.stat().st_size == 0
        raise InputError(
            f"{path}: " + ("the file is empty" if empty else "this is not a TIFF, PNG or JPEG file")
        )
    return kind
