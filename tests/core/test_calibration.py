"""What is measured once of a whole, and what its parts are restored with."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_dred.core import calibration
from napari_dred.core.calibration import calibrate
from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.core.restore import plan, restore

RNG = np.random.default_rng(0)
QUICK = Parameters(preset="preview", iterations=2, threads=1)


def planes(sigmas, shape=(64, 72)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    clean = 1000 + 300 * np.sin(y / 9) * np.cos(x / 7)
    return [(clean + RNG.normal(0, s, shape)).astype(np.uint16) for s in sigmas]


def everywhere(images):
    return [np.ones(a.shape, bool) for a in images]


def test_the_level_is_the_median_of_the_samples():
    images = planes((20, 20, 20, 20, 80))
    whole = calibrate(images, everywhere(images), (500, 1500), Parameters())
    assert whole.sigma == pytest.approx(20, rel=0.1)
    assert (whole.values.low, whole.values.high) == (500 - 3 * whole.sigma, 1500 + 3 * whole.sigma)


def test_one_sample_gives_what_the_core_measures_itself():
    (image,) = planes((25,))
    ends = float(image.min()), float(image.max())
    whole = calibrate([image], everywhere([image]), ends, QUICK)
    assert whole.sigma == plan(image, parameters=QUICK).sigma
    np.testing.assert_array_equal(
        restore(image, parameters=QUICK, calibration=whole).image,
        restore(image, parameters=QUICK).image,
    )


def test_photon_noise_is_found_over_all_samples():
    y, x = np.mgrid[:96, :96]
    clean = 150 + 140 * np.sin(y / 19) * np.cos(x / 17)
    images = [(4.0 * RNG.poisson(clean)).astype(np.uint16) for _ in range(3)]
    whole = calibrate(images, everywhere(images), (0, 1600), Parameters())
    assert whole.photon_noise is not None
    assert whole.photon_noise.gain == pytest.approx(4, rel=0.15)


def test_padding_does_not_count():
    images = planes((20, 20, 20, 20, 20))
    for image in images[:3]:
        image[:, 1:] = 0  # as beside a turned scan
    images[3][...] = 0
    whole = calibrate(images, everywhere(images), (0, 1500), Parameters())
    assert whole.sigma == pytest.approx(20, rel=0.15)
    flat = [np.full((20, 20), 7, np.uint8)] * 2
    assert calibrate(flat, everywhere(flat), (0, 255), Parameters()).sigma == 0


def test_a_limit_is_an_extreme_of_the_whole():
    images = planes((20, 20))
    for image in images:
        image[:20, :20] = 2000  # a bar, and nothing brighter in the samples
    for highest, limit in ((2000, 2000), (40000, np.inf)):
        whole = calibrate(images, everywhere(images), (500, highest), Parameters())
        assert whole.limits == (-np.inf, limit)


def test_of_scattered_samples_all_count_that_tell_about_as_much():
    images = planes((20, 20, 20))
    known = [
        RNG.uniform(size=a.shape) < share
        for a, share in zip(images, (0.2, 0.18, 0.01), strict=True)
    ]
    assert (
        len(calibration._telling([(a[None], o[None]) for a, o in zip(images, known, strict=True)]))
        == 2
    )


def test_a_limit_beside_impulses_is_that_of_the_rest():
    images = planes((5, 5))
    for image in images:
        image[:20, :20] = 2000
        image.flat[RNG.choice(image.size, 60, replace=False)] = 60000
    whole = calibrate(images, everywhere(images), (500, 60000), Parameters())
    assert whole.impulses
    assert whole.limits == (-np.inf, 2000)
    images = planes((20, 20))
    for image in images:
        image[:20, :20] = 2000
    asked = calibrate(images, everywhere(images), (500, 60000), Parameters(noise="impulse"))
    assert asked.limits == (-np.inf, np.inf)


def test_impulses_need_not_be_the_extremes_of_the_whole():
    images = planes((5, 5))
    for image in images:
        image.flat[RNG.choice(image.size, 60, replace=False)] = 60000
    assert calibrate(images, everywhere(images), (500, 65000), Parameters()).impulses


def test_impulses_are_those_of_most_samples():
    images = planes((5, 5, 5))
    for image in images[:2]:
        image.flat[RNG.choice(image.size, 60, replace=False)] = 60000
    assert calibrate(images, everywhere(images), (500, 60000), Parameters()).impulses
    assert not calibrate(images[1:], everywhere(images[1:]), (500, 60000), Parameters()).impulses
    gaussian = Parameters(noise="gaussian")
    assert not calibrate(images, everywhere(images), (500, 60000), gaussian).impulses


def test_a_part_without_a_hole_is_restored_as_the_whole_is():
    (image,) = planes((3,))
    whole = calibrate(
        [image], everywhere([image]), (500, 1500), Parameters(), masked=True, missing=True
    )
    part = plan(image, np.zeros(image.shape, bool), calibration=whole)
    assert part.task == "inpaint"
    assert part.parameters.sigma_f == 10  # as with holes and little noise
    assert part.sigma == whole.sigma
    assert not any("no pixel" in note for note in part.notes)


def test_an_empty_sample_does_not_hide_that_the_noise_is_correlated():
    noise = [gaussian_filter(RNG.normal(0, 90, (128, 128)), 0.8) for _ in range(4)]
    images = [*(1000 + n for n in noise), np.full((128, 128), 1000.0)]
    whole = calibrate(images, everywhere(images), (700, 1300), Parameters())
    assert whole.correlation is not None
    images = [*images[3:], *planes((20, 20), (128, 128))]
    assert calibrate(images, everywhere(images), (500, 1500), Parameters()).correlation is None


def test_samples_that_are_mostly_masked_do_not_count_and_none_at_all_is_refused():
    images = planes((20, 90))
    known = everywhere(images)
    known[1][:60] = False
    whole = calibrate(images, known, (500, 1500), Parameters())
    assert whole.sigma == pytest.approx(20, rel=0.1)
    known[0][:], known[1][:] = False, False
    with pytest.raises(InputError, match="nothing is observed"):
        calibrate(images, known, (500, 1500), Parameters())


def test_it_says_that_the_denoiser_is_not_fitted() -> None:
    samples = 100 + np.random.default_rng(0).normal(0, 20, (64, 64))
    p = Parameters(preset="preview", adapt=5, noise="gaussian")
    whole = calibrate([samples], everywhere([samples]), (0, 200), p)
    assert "not fitted" not in whole.statement(p)
    quiet = dataclasses.replace(whole, sigma=0.1)
    assert "not fitted to it: there is too little noise" in quiet.statement(p)
    assert "not fitted" not in quiet.statement(p.replace(adapt=0))
