"""Deblurring at the border: what lies beyond is unknown, and no ring of it comes in."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage import data

from napari_dred import restore

SIGMA, BEYOND, BAND = 2.0, 32, 8


def _seen(name: str) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """A part of a picture, and what a blur of more than that part has made of it."""
    around = getattr(data, name)()[:192, :192].astype(np.float64)
    inside = (slice(BEYOND, -BEYOND),) * 2
    clean = around[inside]
    noise = np.random.default_rng(0).normal(0, 2, clean.shape)
    blurred = ndimage.gaussian_filter(around, SIGMA)[inside] + noise
    return clean, np.clip(np.rint(blurred), 0, 255).astype(np.uint8)


def _errors(image: NDArray[np.generic], clean: NDArray[np.float64]) -> list[float]:
    """Root mean square errors at the border, beside that, and inside."""
    error = np.square(image.astype(np.float64) - clean)
    depth = np.minimum.outer(*(np.minimum(np.arange(n), n - 1 - np.arange(n)) for n in clean.shape))
    return [
        float(np.sqrt(error[(depth >= start) & (depth < stop)].mean()))
        for start, stop in ((0, BAND), (BAND, 2 * BAND), (2 * BAND, max(clean.shape)))
    ]


def _restored(blurred: NDArray[np.uint8], boundary: str) -> NDArray[np.float32]:
    options = {"preset": "preview", "threads": 1, "output_dtype": "float32"}
    image: NDArray[np.float32] = restore(
        blurred, blur_sigma=SIGMA, boundary=boundary, **options
    ).image
    return image


@pytest.mark.parametrize("name", ["camera", "coins", "moon"])
def test_no_ring_comes_in_from_the_border(name: str) -> None:
    clean, blurred = _seen(name)
    before = _errors(blurred, clean)
    after = _errors(_restored(blurred, "reflect"), clean)
    gain = [a / b for a, b in zip(after, before, strict=True)]
    assert gain[0] < 0.85  # sharper up to the very edge
    assert gain[1] < 0.75  # where the first ring would be


def test_a_border_that_is_not_there_rings() -> None:
    clean, blurred = _seen("coins")
    circular = _errors(_restored(blurred, "circular"), clean)
    assert circular[0] > 3 * _errors(_restored(blurred, "reflect"), clean)[0]
