"""What holds for every file that is read: failures become words, memory is asked for first."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from PIL import Image

from napari_dred.core.errors import InputError
from napari_dred.text import memory


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn all that a file can do to a decoder into an `InputError` that names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders warn of much that does no harm
            yield
    except (InputError, MemoryError):
        raise
    except OSError as e:
        raise InputError(f"{path}: {e.strerror or e}") from e
    except Exception as e:  # on a damaged file a decoder may raise anything
        raise InputError(f"{path}: cannot be read, it may be damaged ({e})") from e


@contextmanager
def of_any_size() -> Iterator[None]:
    """Lift Pillow's own limit on the number of pixels; `check_memory` stands in its place."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def check_memory(path: Path, shape: tuple[int, ...], bytes_per_sample: int) -> None:
    """Refuse what a header promises before memory is taken for it."""
    need, have = math.prod(shape) * bytes_per_sample, psutil.virtual_memory().available
    # Decoding holds a copy; a restoration needs many times this, which its plan tells.
    if 2 * need > have:
        raise InputError(
            f"{path}: an image of shape {shape} takes {memory(need)}, and only "
            f"{memory(have)} of memory are free; crop it"
        )


def size_text(shape: tuple[int, ...]) -> str:
    """Say the size of an (H, W, ...) shape as people do, width first."""
    return f"{shape[1]}x{shape[0]} pixels"
