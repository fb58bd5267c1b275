"""Estimation of the noise level."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data
from skimage.restoration import estimate_sigma as reference

from napari_dred.core.noise import estimate_sigma


def _noisy(sigma: float, seed: int = 0) -> np.ndarray:
    clean = data.cell()[:200, :220].astype(np.float64)
    return (clean + np.random.default_rng(seed).normal(0, sigma, clean.shape))[None]


@pytest.mark.parametrize("sigma", [5, 15, 40])
def test_level_is_within_ten_percent(sigma: float) -> None:
    image = _noisy(sigma)
    assert estimate_sigma(image, np.ones(image.shape, bool)) == pytest.approx(sigma, rel=0.1)


def test_is_scikit_images_where_everything_is_observed() -> None:
    image = _noisy(10)
    got = estimate_sigma(image, np.ones(image.shape, bool))
    assert got == pytest.approx(reference(image[0]))


@pytest.mark.parametrize("kind", ["scattered", "grid", "half"])
def test_holes_do_not_count(kind: str) -> None:
    image = _noisy(15)
    observed = np.ones(image.shape, bool)
    if kind == "scattered":
        observed &= np.random.default_rng(1).random(image.shape) > 0.05
    elif kind == "grid":
        observed[:, ::8] = observed[:, :, ::8] = False
    else:
        observed[:, :, 100:] = False
    estimate = estimate_sigma(np.where(observed, image, 255), observed)
    assert estimate == pytest.approx(15, rel=0.1)


def test_estimate_exists_where_hardly_anything_is_observed() -> None:
    image = _noisy(15)
    observed = np.random.default_rng(0).random(image.shape) > 0.9
    assert 0 < estimate_sigma(np.where(observed, image, 0), observed) < 60


def test_estimate_scales_with_the_image() -> None:
    image = _noisy(10)
    observed = np.random.default_rng(1).random(image.shape) > 0.05
    assert estimate_sigma(7 * image, observed) == pytest.approx(7 * estimate_sigma(image, observed))


def test_flat_image_has_no_noise() -> None:
    assert estimate_sigma(np.full((1, 32, 32), 5.0), np.ones((1, 32, 32), bool)) < 1e-9
