"""Random holes for a network to learn to fill: bars, strokes, text, blobs, single samples."""

from __future__ import annotations

import string

import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDEST = 20  # pixels
MOST = 0.7  # share of a patch that may be missing


def _bars(draw: ImageDraw.ImageDraw, size: int, rng: np.random.Generator) -> None:
    """Parallel bars, most of them along an axis; in some patches crossed by others."""
    for _ in range(rng.choice([1, 2], p=[0.7, 0.3])):
        width = np.exp(rng.uniform(0, np.log(WIDEST)))
        period = width * rng.uniform(1.6, 5) + 1
        angle = rng.choice([0, np.pi / 2, rng.uniform(0, np.pi)])
        across = np.array([np.cos(angle), np.sin(angle)])
        along = np.array([-across[1], across[0]])
        for k in range(-int(size / period) - 1, int(size / period) + 2):
            centre = size / 2 + (k + rng.uniform(-0.02, 0.02)) * period * across
            ends = np.concatenate([centre - 2 * size * along, centre + 2 * size * along])
            draw.line([float(v) for v in ends], fill=1, width=max(1, round(width)))


def _strokes(draw: ImageDraw.ImageDraw, size: int, rng: np.random.Generator) -> None:
    """Scratches of any direction: bent lines of up to `WIDEST` pixels."""
    for _ in range(rng.integers(1, 7)):
        corners = rng.uniform(-0.2, 1.2, (rng.integers(2, 5), 2)) * size
        width = round(np.exp(rng.uniform(0, np.log(WIDEST))))
        draw.line([float(v) for v in corners.ravel()], fill=1, width=max(1, width), joint="curve")


def _text(draw: ImageDraw.ImageDraw, size: int, rng: np.random.Generator) -> None:
    """Lines of letters."""
    height = rng.uniform(8, 40)
    font = ImageFont.load_default(float(height))
    top = -rng.uniform(0, height)
    while top < size:
        letters = rng.choice(list(string.ascii_letters + string.digits + " .,-"), 40)
        draw.text((-rng.uniform(0, 20), top), "".join(letters), fill=1, font=font)
        top += height * rng.uniform(1.1, 1.8)


def _blobs(draw: ImageDraw.ImageDraw, size: int, rng: np.random.Generator) -> None:
    """Ellipses of up to `WIDEST` pixels across their narrow side."""
    for _ in range(rng.integers(1, 12)):
        x, y = rng.uniform(0, size, 2)
        a, b = np.exp(rng.uniform(0, np.log(WIDEST / 2))), rng.uniform(1, WIDEST)
        if rng.uniform() < 0.5:
            a, b = b, a
        draw.ellipse([float(v) for v in (x - a, y - b, x + a, y + b)], fill=1)


def missing_samples(channels: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw what is missing of a patch.

    Parameters
    ----------
    channels, size : int
    rng : np.random.Generator
        Decides everything.

    Returns
    -------
    np.ndarray
        Boolean, shape (channels, size, size); some of it is False.
    """
    image = Image.new("1", (size, size))
    kinds = [_bars, _strokes, _text, _blobs, None]
    kind = kinds[rng.choice(len(kinds), p=[0.35, 0.2, 0.15, 0.1, 0.2])]
    if kind is not None:
        kind(ImageDraw.Draw(image), size, rng)
    missing = np.broadcast_to(np.asarray(image), (channels, size, size))
    if kind is None or rng.uniform() < 0.3:
        share = rng.uniform(0, 0.6) if kind is None else rng.uniform(0, 0.2)
        shape = (channels if rng.uniform() < 0.6 else 1, size, size)  # of a sensor, or of a pixel
        missing = missing | (rng.uniform(size=shape) < share)
    return missing if missing.mean() < MOST else np.zeros_like(missing)
