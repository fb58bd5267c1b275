"""Pictures as files that are small and the same each time: PNG and animated WebP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Of a picture with 256 colours to the true one, in dB; with less, all its colours are kept.
FAITHFUL = 38.0


def save_png(path: Path, picture: Image.Image | NDArray[np.uint8], *, exact: bool = False) -> None:
    """Write a picture, as gray if it is; with 256 colours where that does no harm, unless exact."""
    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(picture)
    picture = picture.convert("RGB")
    samples = np.asarray(picture, float)
    if (samples == samples[..., :1]).all():
        picture = picture.convert("L")
    elif not exact:
        few = picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.FLOYDSTEINBERG)
        error = float(np.mean((np.asarray(few.convert("RGB"), float) - samples) ** 2))
        if error == 0 or 10 * np.log10(255**2 / error) > FAITHFUL:
            picture = few
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, "PNG", optimize=True)


def save_animation(path: Path, frames: Sequence[Image.Image], milliseconds: Sequence[int]) -> None:
    """Write frames as a WebP that repeats for ever."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(
        path,
        "WEBP",
        save_all=True,
        append_images=frames[1:],
        duration=list(milliseconds),
        loop=0,
        quality=70,
        method=4,
    )
