"""The bound on a noise level: above the truth, and near it where an image has flat places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data

from napari_dred.core import noise as noise_module
from napari_dred.core.flattest import LEAST_WINDOWS, highest_level
from napari_dred.core.noise import estimate_sigma

NOWHERE = (-np.inf, np.inf)


def _everywhere(image: np.ndarray) -> np.ndarray:
    return np.ones(image.shape, bool)


@given(
    sigma=st.floats(0.01, 1e4),
    offset=st.floats(-1e5, 1e5),
    missing=st.floats(0, 0.3),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 20),
)
def test_of_noise_alone_it_is_about_the_level(
    sigma: float, offset: float, missing: float, channels: int, seed: int
):
    rng = np.random.default_rng(seed)
    image = offset + sigma * rng.standard_normal((channels, 90, 110))
    bound = highest_level(image, rng.random(image.shape) >= missing, NOWHERE, sigma)
    assert 0.85 * sigma < bound < 1.15 * sigma


@pytest.mark.parametrize("sigma", [2.0, 10.0, 40.0])
@pytest.mark.parametrize("name", ["camera", "brick", "coins", "grass", "moon"])
def test_an_image_is_never_rated_much_too_low(name: str, sigma: float):
    clean = getattr(data, name)().astype(np.float64)[None, :256, :256]
    image = clean + np.random.default_rng(0).normal(0, sigma, clean.shape)
    assert highest_level(image, _everywhere(image), NOWHERE, sigma) > 0.95 * sigma


def test_texture_beside_flat_places_is_no_noise():
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 255, (1, 64, 64))
    image[..., :20] = np.repeat(np.arange(8) * 30, 8)[:, None]
    image += rng.normal(0, 1, image.shape)
    assert 0.9 < highest_level(image, _everywhere(image), NOWHERE, 50.0) < 1.6


def test_dark_places_do_not_rate_noise_that_grows_with_the_signal():
    photons = np.linspace(1, 100, 128)[None, :, None] * np.ones((1, 128, 128))
    image = np.random.default_rng(0).poisson(photons).astype(np.float64)
    level = np.sqrt(photons.mean())
    assert 0.85 * level < highest_level(image, _everywhere(image), NOWHERE, level)


def test_padding_and_saturation_tell_nothing():
    image = np.random.default_rng(0).normal(100, 10, (1, 96, 96)).clip(None, 110)
    image[:, :70] = 55  # padding
    observed = _everywhere(image)
    assert highest_level(image, observed, (-np.inf, 110.0), 10.0) == np.inf
    image[:, :70] = np.random.default_rng(1).normal(70, 10, (1, 70, 96))
    assert highest_level(image, observed, (-np.inf, 110.0), 10.0) == pytest.approx(10, rel=0.15)


def test_a_small_image_is_not_bounded():
    side = int(LEAST_WINDOWS**0.5)
    image = np.random.default_rng(0).standard_normal((1, side, side))
    assert highest_level(image, _everywhere(image), NOWHERE, 1.0) == np.inf
    none = np.zeros((1, 64, 64))
    assert highest_level(none, none > 0, NOWHERE, 1.0) == np.inf


@pytest.mark.parametrize("name", ["camera", "coins"])
def test_texture_between_scattered_holes_counts_for_less(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    clean = getattr(data, name)().astype(np.float64)[None, 40:296:4, 40:296:4]
    observed = np.random.default_rng(0).random(clean.shape) > 0.2
    bounded = estimate_sigma(clean, observed)
    monkeypatch.setattr(noise_module, "highest_level", lambda *_: np.inf)
    assert bounded < 0.75 * estimate_sigma(clean, observed)


@pytest.mark.parametrize("hole", ["none", "one", "bars"])
def test_a_clean_part_of_an_image_does_not_rate_the_noise_of_the_rest(hole: str):
    clean = data.camera()[100:356, 100:356].astype(np.float64)[None]
    image = clean + np.random.default_rng(0).normal(0, 20, clean.shape)
    image[:, -8:] = np.linspace(0, 255, 256)  # a bar of all values
    observed = _everywhere(image)
    if hole == "one":
        observed[:, 10:200, 10:200] = False
    elif hole == "bars":
        observed[:, np.arange(256) % 60 < 40] = False
    assert 18 < estimate_sigma(image, observed) < 25
