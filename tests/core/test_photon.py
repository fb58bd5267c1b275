"""Photon noise: found, told apart from even noise, and made even."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage import data
from torch import Tensor

from napari_dred import InputError, plan, restore
from napari_dred.core.noise import find_limits
from napari_dred.core.photon import (
    PhotonNoise,
    Uneven,
    fit_line,
    fit_photon_noise,
    relative_level,
)

CLEAN = data.camera()[100:260, 150:330].astype(np.float64)
GAIN = 6.0
QUICK: dict[str, Any] = {"preset": "preview", "iterations": 9}


def _photons(gain: float = GAIN, read: float = 2.0, offset: float = 0.0) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    return gain * rng.poisson(CLEAN / gain) + rng.normal(offset, read, CLEAN.shape)


def _fit(image: NDArray[np.float64]) -> PhotonNoise | None:
    stack = image[None]
    everywhere = np.ones(stack.shape, bool)
    return fit_photon_noise(stack, everywhere, find_limits(stack, everywhere))


def _mse(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    return float(np.mean((a.astype(np.float64) - b) ** 2))


@pytest.mark.parametrize("gain", [3.0, 12.0])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_levels_are_within_ten_percent(gain: float, offset: float) -> None:
    noise = _fit(_photons(gain, offset=offset))
    assert noise is not None
    signal = np.quantile(CLEAN, [0.2, 0.5, 0.9])
    np.testing.assert_allclose(
        np.sqrt(noise.variance(signal + offset)), np.sqrt(gain * signal + 4), rtol=0.1
    )


def test_the_fit_scales_with_the_image() -> None:
    one, hundred = _fit(_photons()), _fit(100 * _photons())
    assert one is not None
    assert hundred is not None
    assert hundred.gain == pytest.approx(100 * one.gain, rel=1e-6)
    assert hundred.offset == pytest.approx(1e4 * one.offset, rel=1e-6)


def test_a_line_rises_if_it_is_straight_and_steep() -> None:
    signal = np.linspace(10, 100, 8)
    line = fit_line(signal, 3 * signal + 5)
    assert (line.noise.gain, line.noise.offset) == pytest.approx((3, 5))
    assert line.ratio == pytest.approx(math.sqrt(305 / 35))
    assert line.rises(0.99, 0.01, 2.5)
    assert not line.rises(0.99, 0.01, 3.0)
    assert not fit_line(signal, 305 - 3 * signal).rises(-1, 0.01, 1.5)
    bent = fit_line(signal, 3 * signal * np.tile([1.3, 0.7], 4))
    assert not bent.rises(0.99, 1.0, 1.5)
    assert not bent.rises(0.5, 0.1, 1.5)


def test_a_line_on_another_scale() -> None:
    noise = PhotonNoise(0.02, 0.003, 0.001).stretched(50, 200)
    signal = np.array([0.1, 0.5])
    expected = 200**2 * (0.02 * signal + 0.003)
    np.testing.assert_allclose(noise.variance(50 + 200 * signal), expected)
    assert noise.variance(np.array([-1e9])) == 40


@pytest.mark.parametrize("sigma", [0, 2, 5, 15, 50])
@pytest.mark.parametrize("cut", [False, True])
def test_even_noise_is_not_taken_for_photons(sigma: float, cut: bool) -> None:
    for clean in (CLEAN, data.astronaut()[:200, :200, 1], data.cell()[:200, :200]):
        image = clean + np.random.default_rng(0).normal(0, sigma, clean.shape)
        assert _fit(np.rint(np.clip(image, 0, 255)) if cut else image) is None


def test_a_picture_too_small_tells_nothing() -> None:
    assert _fit(_photons()[:20, :20]) is None
    assert _fit(_photons()[:3, :3]) is None


def test_restoring_knows_where_the_noise_is_strong() -> None:
    noisy = np.clip(np.rint(_photons()), 0, 255).astype(np.uint8)
    told = restore(noisy, **QUICK)
    assert told.plan.photon_noise is not None
    assert told.plan.photon_noise[0] == pytest.approx(GAIN, rel=0.15)
    assert any("Photon noise found" in note for note in told.notes)
    assert told.provenance()["photon_noise"] == told.plan.photon_noise
    even = restore(noisy, noise="gaussian", **QUICK)
    assert even.plan.photon_noise is None
    assert _mse(told.image, CLEAN) < 0.9 * _mse(even.image, CLEAN)
    assert _mse(told.image, CLEAN) < 0.25 * _mse(noisy, CLEAN)


@pytest.mark.parametrize("damage", ["holes", "blur", "scale", "channels", "colour"])
def test_photon_noise_beside_other_damage(damage: str) -> None:
    mask = np.zeros(CLEAN.shape, bool)
    mask[::16] = damage == "holes"
    rng = np.random.default_rng(1)
    channels = {"channels": 2, "colour": 3}.get(damage, 1)
    seen = ndimage.gaussian_filter(CLEAN, 0.8) if damage == "blur" else CLEAN
    planes = [GAIN * rng.poisson(seen / GAIN) for _ in range(channels)]
    noisy = np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)
    result = restore(
        noisy,
        mask if mask.any() else None,
        **QUICK,
        blur_sigma=0.8 if damage == "blur" else 0,
        scale=2 if damage == "scale" else 1,
    )
    assert result.plan.photon_noise is not None
    image = result.image[::2, ::2] if damage == "scale" else result.image
    # Enlarged, it is sharper than the truth here.
    limit = 0.7 if damage == "scale" else 0.35
    assert _mse(image, CLEAN[..., None]) < limit * _mse(noisy, CLEAN[..., None])


def test_the_same_through_the_network_prior() -> None:
    noisy = np.clip(np.rint(_photons()), 0, 255).astype(np.uint8)[:96, :96]
    result = restore(noisy, noise="poisson", iterations=60, width=16, depth=3)
    assert result.plan.photon_noise is not None
    assert _mse(result.image, CLEAN[:96, :96]) < 0.4 * _mse(noisy, CLEAN[:96, :96])


def test_a_level_for_photon_noise_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="leave sigma out"):
        plan(_photons(), noise="poisson", sigma=3)
    assert plan(_photons(), sigma=3, preset="preview").photon_noise is None


def test_it_is_said_that_there_is_no_photon_noise() -> None:
    even = CLEAN + np.random.default_rng(0).normal(0, 10, CLEAN.shape)
    notes = plan(even, noise="poisson", preset="preview").notes
    assert any("No photon noise" in note for note in notes)


def test_relative_level_is_that_of_the_signal() -> None:
    signal = torch.linspace(0.1, 0.9, 64).expand(1, 1, 48, 64)
    noise = PhotonNoise(gain=2.0, offset=3.0, floor=1.0)
    sigma = 0.1

    def ideal(x: Tensor, level: float | Tensor, view: int = 0) -> Tensor:
        return signal

    level = relative_level(signal, noise, 50.0, 200.0, sigma, ideal)
    expected = torch.sqrt(2 * (50 + 200 * signal) + 3) / 200 / sigma
    torch.testing.assert_close(level, expected)


def test_uneven_levels_stay_within_what_the_denoiser_knows() -> None:
    seen: list[Tensor] = []

    def f(x: Tensor, level: float | Tensor, view: int = 0) -> Tensor:
        assert isinstance(level, Tensor)
        seen.append(level)
        return x

    relative = torch.tensor([0.5, 1.0, 8.0]).reshape(1, 1, 1, 3)
    Uneven(f, relative)(torch.zeros(1, 1, 1, 3), 0.1)
    torch.testing.assert_close(seen[0].flatten(), torch.tensor([0.05, 0.1, 75 / 255]))
