"""What a denoiser tells of white noise."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import color, data

from napari_dred import Plan, plan
from napari_dred.core import stein
from napari_dred.core.control import Control, Interrupted
from napari_dred.core.noise import estimate_sigma
from napari_dred.core.photon import fit_photon_noise

LAWN = data.camera()[100:280, 150:350].astype(np.float64)
TABLE = 255 * color.rgb2gray(data.coffee())[100:280, 150:350]
FACE = data.astronaut()[:128, 160:288].astype(np.float64)
NONE = -math.inf, math.inf

Array = NDArray[np.float64]


def noisy(clean: Array, sigma: float, seed: int = 0) -> Array:
    return clean + np.random.default_rng(seed).normal(0, sigma, clean.shape)


def photons(clean: Array, a_white: float) -> Array:
    """With so many photons where the image is white."""
    return 255 / a_white * np.random.default_rng(0).poisson(clean / 255 * a_white)


def look(
    image: Array,
    level: float,
    observed: NDArray[np.bool_] | None = None,
    limits: tuple[float, float] = NONE,
    *,
    photons: bool = False,
) -> tuple[float, bool]:
    """The level in gray values, and whether it grows with the signal."""
    unit = (np.atleast_3d(image).transpose(2, 0, 1) / 255).astype(np.float32)
    known = np.ones(unit.shape, bool) if observed is None else observed
    ends = limits[0] / 255, limits[1] / 255
    found, photon = stein.refine_noise(unit, known, ends, level / 255, photons=photons)
    return 255 * found, photon is not None


def told(image: Array, **options: object) -> Plan:
    return plan(image, preset="preview", **options)


@pytest.mark.parametrize("sigma", [5, 10, 30])
@pytest.mark.parametrize("start", [0.7, 1.6], ids="from {} times it".format)
def test_fine_texture_is_no_noise(sigma: float, start: float) -> None:
    image = noisy(LAWN, sigma)
    assert look(image, start * sigma)[0] == pytest.approx(sigma, rel=0.1)


def test_patches_take_it_for_noise_and_a_run_is_told_otherwise() -> None:
    image = noisy(LAWN, 5)
    assert estimate_sigma(image[None], np.ones((1, *image.shape), bool)) > 1.1 * 5
    assert told(image).sigma == pytest.approx(5, rel=0.1)
    assert told(image, noise="gaussian").sigma == pytest.approx(5, rel=0.1)
    assert told(image, sigma=9).sigma == 9


@pytest.mark.parametrize("sigma", [15, 50])
def test_three_channels_together_tell_it_closely(sigma: float) -> None:
    assert look(noisy(FACE, sigma), 1.2 * sigma)[0] == pytest.approx(sigma, rel=0.04)


@pytest.mark.parametrize("channels", [2, 4])
def test_other_numbers_of_channels_are_looked_at_one_by_one(channels: int) -> None:
    image = noisy(np.stack([LAWN] * channels, 2), 10)
    assert look(image, 14)[0] == pytest.approx(10, rel=0.1)


def test_a_channel_that_is_there_twice_counts_once() -> None:
    image = noisy(LAWN, 10)
    twice = np.stack([image, image, np.full_like(image, 7.0)], 2)
    assert look(twice, 12) == look(image, 12)


def test_the_unit_of_the_samples_makes_no_difference() -> None:
    image = noisy(LAWN, 10)
    first, second = told(image), told(1000 * image - 5000)
    assert second.sigma == pytest.approx(1000 * first.sigma, rel=1e-3)


def test_what_is_missing_does_not_count() -> None:
    image, known = noisy(LAWN, 10), np.ones((1, *LAWN.shape), bool)
    known[:, 40:50] = known[:, :, ::25] = False
    level, _ = look(image, 13, known)
    assert level == pytest.approx(10, rel=0.1)
    assert look(np.where(known[0], image, 255), 13, known)[0] == level


def test_where_noise_was_cut_off_nobody_looks() -> None:
    image = LAWN.copy()
    image[:, 100:] = 0
    cut = noisy(image, 20).clip(0, None)
    assert look(cut, 26, limits=(0, math.inf))[0] == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("level", [0.0, 0.1, 90.0])
def test_levels_for_which_there_is_no_network_are_left(level: float) -> None:
    assert look(noisy(LAWN, 10), level) == (level, False)


def test_so_are_levels_of_which_hardly_a_sample_tells() -> None:
    known = np.random.default_rng(1).random((1, *LAWN.shape)) < 0.3
    assert look(noisy(LAWN, 10), 17, known) == (17, False)
    assert look(noisy(LAWN[:40, :40], 10), 17) == (17, False)


@pytest.mark.parametrize("a_white", [100, 400])
def test_photon_noise_that_patches_cannot_tell_from_texture(a_white: float) -> None:
    image = photons(TABLE, a_white)
    everywhere = np.ones((1, *image.shape), bool)
    assert fit_photon_noise(image[None], everywhere, NONE) is None
    found = told(image)
    assert found.photon_noise is not None
    signal = np.quantile(TABLE, [0.2, 0.8])
    gain, offset = found.photon_noise
    true = np.sqrt(255 / a_white * signal)
    np.testing.assert_allclose(np.sqrt(gain * signal + offset), true, rtol=0.2)
    assert told(image, noise="gaussian").photon_noise is None


@pytest.mark.parametrize("sigma", [3, 10, 30])
@pytest.mark.parametrize("clean", [TABLE, FACE], ids=["gray", "colour"])
def test_even_noise_does_not_grow_with_the_signal(clean: Array, sigma: float) -> None:
    assert not look(noisy(clean, sigma), sigma, photons=True)[1]


def test_it_can_be_left() -> None:
    control = Control()
    control.cancel()
    unit = (LAWN[None] / 255).astype(np.float32)
    find = partial(stein.refine_noise, unit, np.ones(unit.shape, bool), NONE, 0.1, photons=True)
    with pytest.raises(Interrupted):
        find(check=control.check)


@pytest.mark.parametrize("slope", [0.0, 0.5, 0.8])
def test_the_fixed_point_is_found(slope: float) -> None:
    calls = []

    def told(level: float) -> float:
        calls.append(level)
        return 0.1 * (level / 0.1) ** slope

    assert stein._fixed_point(told, 0.2) == pytest.approx(0.1, rel=0.01)
    assert len(calls) <= stein.ROUNDS
    assert stein._fixed_point(lambda level: None, 0.2) is None


def test_parts_lie_apart_and_where_much_is_known() -> None:
    known = np.ones((1, 700, 1000), bool)
    known[:, :300] = False
    parts = stein._parts(known)
    assert len(parts) == stein.PIECES
    assert all(known[part].mean() > 0.9 for part in parts)
    tops, lefts = ({part[axis].start for part in parts} for axis in (1, 2))
    assert len(tops) > 1
    assert len(lefts) > 1
    assert stein._parts(np.ones((1, 20, 30), bool)) == [(slice(None), slice(0, 20), slice(0, 30))]
