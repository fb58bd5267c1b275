"""Drawn structures that photographs have few of: weaves, stripes, tilings, straight edges.

A denoiser that was trained on a few hundred photographs alone knows grass and skin better than
cloth, brickwork, gratings and printed pages.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

OVERSAMPLING = 3  # of the polygons, whose edges are drawn hard and then reduced


def _smooth(size: int, rng: np.random.Generator, cells: int) -> np.ndarray:
    """A smooth random field of about zero mean and unit size, shape (size, size)."""
    coarse = rng.standard_normal((cells, cells)).astype(np.float32)
    field = Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(field)


def _stripes(size: int, rng: np.random.Generator) -> np.ndarray:
    """A grating in [-1, 1], often bent and of uneven strength, as cloth has it."""
    period = np.exp(rng.uniform(np.log(2.5), np.log(20)))
    angle = rng.uniform(0, np.pi)
    row, column = np.mgrid[:size, :size].astype(np.float32)
    along = row * np.sin(angle) + column * np.cos(angle)
    along += rng.choice([0, rng.uniform(0, 1.5)]) * period * _smooth(size, rng, 4)
    wave = np.sin(2 * np.pi * (along / period + rng.uniform()))
    steepness = rng.choice([0.1, rng.uniform(0.5, 4)]) if period > 4 else 0.1
    return np.tanh(steepness * wave) / np.tanh(steepness)


def _tiling(size: int, rng: np.random.Generator) -> np.ndarray:
    """Bricks or checks with joints, turned by any angle; values about -1 to 1."""
    width, height = rng.uniform(5, 40), rng.uniform(4, 20)
    joint, offset = rng.uniform(0.8, 2.5), rng.choice([0.0, 0.5])
    angle = rng.choice([0, rng.uniform(0, np.pi)])
    row, column = np.mgrid[:size, :size].astype(np.float32)
    v = (row * np.cos(angle) - column * np.sin(angle)) / height + rng.uniform()
    u = (row * np.sin(angle) + column * np.cos(angle)) / width + offset * (np.floor(v) % 2)
    tones = rng.standard_normal((64, 64)) * rng.uniform(0, 0.6)
    tone = tones[np.floor(v).astype(int) % 64, np.floor(u).astype(int) % 64]
    to_joint = np.minimum(
        np.abs(u - np.rint(u)) * width,
        np.abs(v - np.rint(v)) * height,
    )
    return tone - np.clip(joint - to_joint, 0, 1) * rng.choice([-1, 1])


def _polygons(size: int, rng: np.random.Generator) -> np.ndarray:
    """Overlapping shapes of even tone with straight edges, and thin lines, in [0, 1]."""
    full = size * OVERSAMPLING
    image = Image.new("F", (full, full), float(rng.uniform()))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(2, 9)):
        tone = float(rng.uniform())
        if rng.uniform() < 0.4:
            ends = rng.uniform(-0.2, 1.2, 4) * full
            draw.line(list(map(float, ends)), fill=tone, width=int(rng.integers(2, 20)))
            continue
        centre, reach = rng.uniform(0, full, 2), rng.uniform(0.1, 0.8) * full
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 6)))
        corners = centre + reach * np.stack([np.cos(angles), np.sin(angles)], 1)
        draw.polygon([(float(x), float(y)) for x, y in corners], fill=tone)
    reduced = image.resize((size, size), Image.Resampling.BOX)
    return np.clip(np.asarray(reduced) + 0.05 * _smooth(size, rng, 3), 0, 1)


def draw_over(patch: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw structures over a patch of a photograph, or in its place.

    Parameters
    ----------
    patch : np.ndarray
        uint8, shape (C, size, size).
    rng : np.random.Generator
        Decides everything.

    Returns
    -------
    np.ndarray
        uint8, the same shape.
    """
    size = patch.shape[-1]
    if rng.uniform() < 0.5:
        colour = rng.uniform(0.3, 1, (patch.shape[0], 1, 1))
        ground = _polygons(size, rng) * colour / colour.mean()
    else:
        ground = patch.astype(np.float32) / 255
    kind = rng.uniform()
    if kind < 0.5:
        pattern = _stripes(size, rng)
    elif kind < 0.65:
        pattern = (_stripes(size, rng) + _stripes(size, rng)) / 2
    elif kind < 0.9:
        pattern = _tiling(size, rng)
    else:
        pattern = np.zeros((size, size))
    where = np.clip(3 * (_smooth(size, rng, 4) + rng.uniform(-0.5, 1.5)), 0, 1)
    tint = 1 + 0.3 * rng.standard_normal((patch.shape[0], 1, 1))
    strength = np.exp(rng.uniform(np.log(0.03), np.log(0.4)))
    drawn = ground + strength * tint * where * pattern
    return np.rint(np.clip(drawn, 0, 1) * 255).astype(np.uint8)
