"""What a denoiser tells of white noise."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color, data

from napari_dred import Parameters, Plan, plan
from napari_dred.core import stein
from napari_dred.core.calibration import calibrate
from napari_dred.core.control import Control, Interrupted, go_on
from napari_dred.core.noise import estimate_sigma
from napari_dred.core.photon import fit_photon_noise
from napari_dred.core.values import ValueRange

LAWN = data.camera()[100:280, 150:350].astype(np.float64)
TABLE = 255 * color.rgb2gray(data.coffee())[100:280, 150:350]
FACE = data.astronaut()[:128, 160:288].astype(np.float64)
NONE = -math.inf, math.inf
GRAY = ValueRange(0.0, 255.0, np.dtype(np.float64))

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
    """The level, and whether it grows with the signal."""
    planes = np.atleast_3d(image).transpose(2, 0, 1)
    known = np.ones(planes.shape, bool) if observed is None else observed
    pairs = [(planes, known)]
    found, photon = stein.refine_noise(pairs, limits, level, GRAY, photons=photons)
    return found, photon is not None


def told(image: Array, **options: object) -> Plan:
    return plan(image, preset="preview", **options)


@pytest.mark.parametrize("sigma", [5, 30])
def test_fine_texture_is_no_noise(sigma: float) -> None:
    image = noisy(LAWN, sigma)
    assert look(image, 1.6 * sigma)[0] == pytest.approx(sigma, rel=0.1)


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
    assert look(twice, 12)[0] == pytest.approx(look(image, 12)[0], rel=0.02)


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


def test_so_is_the_level_of_an_image_that_is_flat_where_it_is_looked_at() -> None:
    flat = np.full((400, 400), 255.0)
    assert look(flat, 10, limits=(0, 255)) == (10, False)
    assert look(np.stack([flat, flat], 2), 10) == (10, False)


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


@pytest.mark.parametrize("sigma", [5, 30])
@pytest.mark.parametrize("clean", [TABLE, FACE], ids=["gray", "colour"])
def test_even_noise_does_not_grow_with_the_signal(clean: Array, sigma: float) -> None:
    assert not look(noisy(clean, sigma), sigma, photons=True)[1]


def test_it_can_be_left() -> None:
    control = Control()
    control.cancel()
    pairs = [(LAWN[None], np.ones((1, *LAWN.shape), bool))]
    with pytest.raises(Interrupted):
        stein.refine_noise(pairs, NONE, 10, GRAY, photons=True, check=control.check)


@pytest.mark.parametrize("slope", [0.0, 0.5, 0.8])
def test_the_fixed_point_is_found(slope: float) -> None:
    calls = []

    def told(level: float) -> float:
        calls.append(level)
        return 0.1 * (level / 0.1) ** slope

    assert stein._fixed_point(told, 0.2) == pytest.approx(0.1, rel=0.01)
    assert len(calls) <= stein.ROUNDS
    assert stein._fixed_point(lambda level: None, 0.2) is None


@pytest.mark.parametrize("shape", [(256, 256), (383, 300), (512, 128), (640, 128), (900, 2000)])
def test_patches_are_others_each_time(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((1, *shape))
    places = stein._places([(image, np.ones(image.shape, bool))], NONE, go_on)
    assert len({(y.start, x.start) for _, y, x in places}) == stein.PATCHES


@pytest.mark.parametrize("size", [20, 96, 97, 300, 1000])
def test_patches_cover_an_image(size: int) -> None:
    starts = stein._starts(size)
    assert starts[0] == 0
    assert starts[-1] + min(size, stein.SIDE) == size
    assert all(b - a <= stein.SIDE for a, b in itertools.pairwise(starts))


def test_patches_lie_where_much_is_known_and_not_flat() -> None:
    image = np.random.default_rng(0).random((1, 640, 640))
    image[:, 320:] = 0.5
    observed = np.ones(image.shape, bool)
    observed[:, :, :256] = False
    empty = np.zeros_like(image), observed
    places = stein._places([empty, (image, observed)], NONE, go_on)
    assert len(places) == stein.PATCHES
    assert all((n, y.stop <= 320, x.start >= 256) == (1, True, True) for n, y, x in places)


@pytest.mark.parametrize("fill", [100.0, -50.0])
def test_padding_has_no_noise_and_does_not_count(fill: float) -> None:
    image = noisy(data.camera()[100:350, 100:350].astype(np.float64), 10)
    image[:70, :128] = fill
    found = told(image)
    assert found.sigma == pytest.approx(10, rel=0.15)
    assert found.photon_noise is None


def test_a_pattern_that_the_network_does_not_know_raises_it_by_little() -> None:
    image = noisy(60.0 * (np.indices((200, 200)).sum(0) % 2) + 90, 10)
    assert told(image).sigma < 13.5


def test_a_level_is_lowered_to_a_quarter_at_most() -> None:
    image = noisy(LAWN, 3)
    assert look(image, 40)[0] == 10


@pytest.mark.parametrize("sigma", [10, 25])
def test_noise_that_neighbours_share_a_little_is_not_underrated(sigma: float) -> None:
    noise = np.random.default_rng(0).normal(size=FACE.shape)
    noise = ndimage.convolve1d(ndimage.convolve1d(noise, [0.15, 1, 0.15], 0), [0.15, 1, 0.15], 1)
    image = FACE + sigma * noise / noise.std()
    planes = image.transpose(2, 0, 1)
    patches = estimate_sigma(planes, np.ones(planes.shape, bool))
    assert patches < 0.85 * sigma
    assert look(image, patches)[0] == pytest.approx(sigma, rel=0.12)
    # Neighbours that share nothing never raise it.
    assert look(noisy(FACE, sigma), 0.8 * sigma)[0] == 0.8 * sigma


def test_photon_noise_in_colour() -> None:
    image = photons(FACE, 100)
    unit = (image.transpose(2, 0, 1), np.ones((3, *FACE.shape[:2]), bool))
    _, found = stein.refine_noise([unit], NONE, 15, GRAY, photons=True)
    assert found is not None
    signal = np.quantile(FACE, [0.2, 0.8])
    true = np.sqrt(2.55 * signal)
    np.testing.assert_allclose(np.sqrt(found.variance(signal)), true, rtol=0.25)


def test_weak_noise_is_taken_as_even() -> None:
    assert look(photons(TABLE, 400), 10, photons=True)[1]
    assert not look(0.25 * photons(TABLE, 400), 2.5, photons=True)[1]


def test_noise_that_hardly_grows_counts_as_even() -> None:
    image = noisy(photons(TABLE, 400), 25)
    assert not look(image, 27, photons=True)[1]


def test_several_planes_are_looked_at_together() -> None:
    planes = [noisy(LAWN, 10, seed) for seed in range(3)]
    known = [np.ones(LAWN.shape, bool)] * 3
    known[1] = np.arange(LAWN.shape[1]) > 60 + np.zeros_like(LAWN)
    p = Parameters(preset="preview")
    measured = calibrate(planes, known, (-50.0, 300.0), p)
    assert measured.sigma == pytest.approx(10, rel=0.07)
