"""Correlated noise: found, told apart from white noise and texture, and restored."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage import data

from napari_dred import plan, restore
from napari_dred.core.calibration import calibrate
from napari_dred.core.correlation import Correlation, find_correlation, thinned
from napari_dred.core.noise import find_limits
from napari_dred.core.parameters import Parameters

PICTURES = ("camera", "coins", "text", "page", "moon", "brick", "grass", "gravel")
QUICK = Parameters(preset="preview", iterations=8, threads=1)


def _noise(shape: tuple[int, ...], blur: float, sigma: float = 10.0) -> NDArray[np.float64]:
    """Gaussian noise of that level, as correlated as a Gaussian blur of white noise."""
    white = np.random.default_rng(0).normal(size=shape)
    noise = ndimage.gaussian_filter(white, (blur, blur) + (0,) * (len(shape) - 2), mode="wrap")
    return sigma * noise / noise.std()


def _picture(name: str) -> NDArray[np.float64]:
    picture = getattr(data, name)()[:256, :256].astype(np.float64)
    assert isinstance(picture, np.ndarray)
    return picture


def _find(image: NDArray[np.float64]) -> Correlation | None:
    planes = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
    seen = np.ones(planes.shape, bool)
    return find_correlation(planes, seen, find_limits(planes, seen))


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("sigma", [0, 3, 10, 30])
def test_white_noise_and_texture_are_not_taken_for_it(name: str, sigma: float) -> None:
    picture = _picture(name)
    noisy = picture + np.random.default_rng(1).normal(0, sigma, picture.shape)
    assert _find(noisy) is None
    assert _find(np.rint(np.clip(noisy, 0, 255))) is None


@pytest.mark.parametrize("blur", [0.6, 0.8])
@pytest.mark.parametrize("name", ["camera", "coins", "moon"])
def test_it_is_measured(name: str, blur: float) -> None:
    noise = _noise(_picture(name).shape, blur)
    found = _find(_picture(name) + noise)
    assert found is not None
    true = np.mean(noise[1:] * noise[:-1]) / noise.var()
    assert found.neighbours == pytest.approx(true, abs=0.08)
    # White noise through a blur that keeps low frequencies: as strong there as before it.
    white = (
        10
        / ndimage.gaussian_filter(
            np.random.default_rng(0).normal(size=noise.shape), blur, mode="wrap"
        ).std()
    )
    assert 0.75 < 10 * found.spread / white < 1.1


def test_the_level_is_that_of_the_noise_and_not_of_its_differences() -> None:
    image = _picture("camera") + _noise((256, 256), 0.7)
    told = plan(image, parameters=QUICK)
    assert told.sigma == pytest.approx(10, rel=0.25)
    assert told.correlation is not None
    assert any("neighbouring pixels is correlated" in note for note in told.notes)
    white = plan(image, parameters=QUICK, noise="gaussian")
    assert white.correlation is None
    assert white.sigma < 0.6 * told.sigma


@pytest.mark.parametrize("colour", [False, True])
def test_it_is_removed(colour: bool) -> None:
    picture = data.astronaut()[:192, :192] if colour else data.camera()[:192, :192]
    noise = _noise(picture.shape, 0.7, 15)
    noisy = np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)

    def error(noise: str) -> float:
        made = restore(noisy, parameters=QUICK, noise=noise).image
        return float(np.mean((made.astype(np.float64) - picture) ** 2))

    told = error("auto")
    assert told < 0.7 * error("gaussian")
    assert told < 0.6 * np.mean(noise**2)


def test_a_part_is_restored_with_what_was_measured_of_the_whole() -> None:
    image = (_picture("camera") + _noise((256, 256), 0.7) + 100).astype(np.uint16)
    ends = float(image.min()), float(image.max())
    whole = calibrate([image], [np.ones(image.shape, bool)], ends, QUICK)
    assert whole.correlation is not None
    assert whole.sigma == plan(image, parameters=QUICK).sigma
    np.testing.assert_array_equal(
        restore(image, parameters=QUICK, calibration=whole).image,
        restore(image, parameters=QUICK).image,
    )


def test_too_little_to_tell_is_white() -> None:
    image = _picture("camera") + _noise((256, 256), 0.7)
    assert _find(image[:12, :40]) is None
    assert _find(image[:40, :40]) is None
    seen = np.zeros((1, *image.shape), bool)
    seen[:, ::2] = True
    assert find_correlation(image[None], seen, (-np.inf, np.inf)) is None


def test_thinned_grids_hold_every_sample_once() -> None:
    image = np.arange(2 * 7 * 9).reshape(2, 7, 9)
    grids = list(thinned(image, image % 2 == 0, 3))
    assert [a.shape for a, _ in grids] == [(2, 2, 3)] * 9
    samples = np.concatenate([a.ravel() for a, _ in grids])
    np.testing.assert_array_equal(np.sort(samples), image[:, :6].ravel())
    assert all(np.array_equal(o, a % 2 == 0) for a, o in grids)


def test_rounding_is_no_noise():
    image = np.full((1, 64, 64), 100.0)
    assert find_correlation(image, np.ones(image.shape, bool), (-np.inf, np.inf)) is None
