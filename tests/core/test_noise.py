"""Estimation of the noise level."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from napari_dred.core.noise import (
    _whole_windows,
    estimate_sigma,
    find_limits,
)


def _noisy(sigma: float, seed: int = 0) -> np.ndarray:
    clean = data.cell()[:200, :220].astype(np.float64)
    return (clean + np.random.default_rng(seed).normal(0, sigma, clean.shape))[None]


@pytest.mark.parametrize("sigma", [5, 15, 40])
def test_level_is_within_ten_percent(sigma: float) -> None:
    image = _noisy(sigma)
    assert estimate_sigma(image, np.ones(image.shape, bool)) == pytest.approx(sigma, rel=0.1)


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
    assert estimate_sigma(np.full((1, 32, 32), 5.0), np.ones((1, 32, 32), bool)) == 0


def test_two_values_are_no_noise() -> None:
    image = np.zeros((1, 64, 64))
    image[:, 20:40, 10:50] = 255
    assert estimate_sigma(image, np.ones(image.shape, bool)) == 0


@pytest.mark.parametrize("sigma", [5, 15, 25, 50])
def test_level_of_a_textured_colour_image_is_within_ten_percent(sigma: float) -> None:
    clean = np.moveaxis(data.astronaut()[:256, 100:356], 2, 0).astype(np.float64)
    noisy = clean + np.random.default_rng(0).normal(0, sigma, clean.shape)
    estimate = estimate_sigma(noisy, np.ones(clean.shape, bool))
    assert estimate == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("side", [96, 128])
def test_level_of_a_part_between_the_lines_of_a_grid(side: int) -> None:
    clean = np.moveaxis(data.astronaut()[:side, 150 : 150 + side], 2, 0).astype(np.float64)
    noisy = clean + np.random.default_rng(0).normal(0, 25, clean.shape)
    observed = np.ones(clean.shape, bool)
    observed[:, ::8] = observed[:, :, ::8] = False
    assert estimate_sigma(noisy, observed) == pytest.approx(25, rel=0.1)


def test_noise_that_was_cut_off_is_not_underrated() -> None:
    clean = np.moveaxis(data.astronaut()[:256, 100:356], 2, 0).astype(np.float64)
    noisy = clean + np.random.default_rng(0).normal(0, 40, clean.shape)
    cut = np.clip(np.rint(noisy), 0, 255)
    everywhere = np.ones(cut.shape, bool)
    assert estimate_sigma(cut, everywhere, (0, 255)) == pytest.approx(40, rel=0.12)
    assert estimate_sigma(cut, everywhere) < estimate_sigma(cut, everywhere, (0, 255)) - 1


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return np.moveaxis(data.astronaut()[:200, 120:320], 2, 0).astype(np.float64).clip(1, 254)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_limits_are_where_samples_pile_up(dtype: type) -> None:
    rng = np.random.default_rng(0)
    image = np.linspace(0, 200, 64 * 64).reshape(1, 64, 64) + rng.normal(0, 20, (1, 64, 64))
    everywhere = np.ones(image.shape, bool)
    cut = np.clip(image, 0, 180)
    image, cut = (np.rint(a - image.min() * (a is image)) for a in (image, cut))
    if dtype is np.float32:
        image, cut = image + rng.random(image.shape), cut / 255
    image, cut = image.astype(dtype), cut.astype(dtype)
    assert find_limits(image, everywhere) == (-np.inf, np.inf)
    assert find_limits(cut, everywhere) == (float(cut.min()), float(cut.max()))
    # What is missing does not count.
    assert find_limits(cut, cut < cut.max())[1] == np.inf


def test_a_constant_image_has_no_limits() -> None:
    image = np.full((1, 16, 16), 7.0)
    assert find_limits(image, np.ones(image.shape, bool)) == (-np.inf, np.inf)


def _estimate(image: np.ndarray) -> float:
    everywhere = np.ones(image.shape, bool)
    return estimate_sigma(image, everywhere, find_limits(image, everywhere))


def test_channels_that_are_alike_or_empty_count_once(photograph: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    plane = photograph[0] + rng.normal(0, 20, photograph[0].shape)
    empty = np.zeros_like(plane)
    alone = _estimate(plane[None])
    assert alone == pytest.approx(20, rel=0.1)
    assert _estimate(np.stack([plane] * 3)) == pytest.approx(alone)
    assert _estimate(np.stack([empty, plane, empty])) == pytest.approx(alone, rel=0.05)
    # All but the same noise: the channels have too little of their own.
    alike = np.stack([plane, plane + rng.normal(0, 0.1, plane.shape), plane + 1])
    assert _estimate(alike) == pytest.approx(alone, rel=0.05)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_padding_and_saturation_show_no_noise(
    photograph: np.ndarray, dtype: type, share: float
) -> None:
    noise = np.random.default_rng(0).normal(0, 2000, photograph[:1].shape)
    image = 20000 + 100 * photograph[:1] + noise
    padded = image.copy()
    padded[:, : int(share * image.shape[1])] = 0
    assert _estimate(padded.astype(dtype)) == pytest.approx(2000, rel=0.1)
    saturated = np.minimum(image, np.quantile(image, 1 - share))
    assert _estimate(saturated.astype(dtype)) == pytest.approx(2000, rel=0.15)


@pytest.mark.parametrize("side", [3, 4, 8])
def test_whole_windows(side: int) -> None:
    observed = np.random.default_rng(side).uniform(size=(20, 17)) > 0.03
    windows = np.lib.stride_tricks.sliding_window_view(observed, (side, side))
    np.testing.assert_array_equal(_whole_windows(observed, side), windows.all((2, 3)))
