"""The width of a blur, estimated from the image, and when that is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data

from napari_dred.core.blur import estimate_blur
from napari_dred.core.errors import InputError

INSIDE = (slice(16, -16),) * 2


def blurred(name, sigma, noise=3.0, side=288):
    rng = np.random.default_rng(1)
    soft = gaussian_filter(getattr(data, name)()[:side, :side].astype(float), sigma)[INSIDE]
    return np.clip(np.rint(soft + rng.normal(0, noise, soft.shape)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", ["camera", "coins", "grass"])
@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_it_is_a_fifth_off_at_most(name, sigma):
    assert estimate_blur(blurred(name, sigma)) == pytest.approx(sigma, rel=0.2)


def test_neither_units_nor_a_few_missing_pixels_nor_channels_matter():
    image = blurred("coins", 2)
    expected = estimate_blur(image)
    assert estimate_blur(image * 1e-3 - 7) == pytest.approx(expected, rel=0.02)
    assert estimate_blur(np.stack([image] * 3, 2)) == pytest.approx(expected, rel=0.02)
    mask = np.zeros(image.shape, bool)
    mask[40:50, 60:80] = True
    holed = image.astype(float)
    holed[mask] = np.nan
    assert estimate_blur(holed) == pytest.approx(expected, rel=0.1)
    assert estimate_blur(np.where(mask, 255, image), mask) == pytest.approx(expected, rel=0.1)


def correlated():
    noise = gaussian_filter(np.random.default_rng(0).normal(0, 40, (256, 256)), 0.8)
    return gaussian_filter(data.camera()[:256, :256].astype(float), 3) + noise


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (lambda: data.coins()[:256, :256], "sharp"),
        (lambda: np.random.default_rng(0).normal(0, 9, (128, 128)), ""),
        (lambda: np.full((80, 80), 7), "shows nothing"),
        (lambda: np.full((80, 80), np.nan), "missing"),
        (lambda: np.zeros((63, 90)), "less than 64"),
        (lambda: np.zeros((80, 80), bool), "bool"),
        (lambda: np.zeros((2, 80, 80, 3)), "shape"),
        (correlated, "correlated"),
    ],
)
def test_what_cannot_be_told_is_refused_with_advice(image, why):
    with pytest.raises(InputError, match=f"blur cannot be estimated: .*{why}.*; measure it"):
        estimate_blur(image())


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(InputError, match="must be alike"):
        estimate_blur(blurred("coins", 2), np.zeros((9, 9)))
    with pytest.raises(InputError, match="too many"):
        estimate_blur(blurred("coins", 2), np.ones((256, 256)))
