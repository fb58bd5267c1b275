"""Metrics against their definitions, written out here once more."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import gaussian_filter
from skimage import data

from napari_dred.core.errors import InputError
from napari_dred.metrics import default_data_range, frc, psnr, psnr_y, ssim, whiteness

IMAGES = hnp.arrays(np.uint8, st.sampled_from([(12, 13), (12, 13, 3)]))
SEEDS = st.integers(0, 2**32 - 1)


def noisy(image: np.ndarray, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 20, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


@given(IMAGES, SEEDS)
def test_psnr_is_its_definition(image: np.ndarray, seed: int) -> None:
    other = noisy(image, seed)
    mse = np.mean((image.astype(float) - other) ** 2)
    assume(mse > 0)
    assert psnr(other, image) == pytest.approx(10 * math.log10(255**2 / mse))
    assert psnr(other, image) == pytest.approx(psnr(image, other))
    # The unit of the samples does not matter.
    assert psnr(other / 255, image / 255) == pytest.approx(psnr(other, image))
    assert psnr(other.astype("u2") * 257, image.astype("u2") * 257) == pytest.approx(
        psnr(other, image)
    )


@given(IMAGES, SEEDS)
def test_psnr_y_is_the_paper_s(image: np.ndarray, seed: int) -> None:
    other = noisy(image, seed)

    def luma(x: np.ndarray) -> np.ndarray:
        if x.ndim == 2:
            return x / 255
        red, green, blue = np.moveaxis(x.astype(float), -1, 0)
        return np.round((65.481 * red + 128.553 * green + 24.966 * blue) / 255 + 16) / 255

    mse = np.mean((luma(image) - luma(other)) ** 2)
    assume(mse > 0)
    assert psnr_y(other, image) == pytest.approx(-10 * math.log10(mse))
    assert psnr_y(other / 255, image / 255) == pytest.approx(psnr_y(other, image))


def test_psnr_y_is_taken_on_eight_bits() -> None:
    image = np.full((4, 4), 100 / 255)
    assert psnr_y(image + 0.4 / 255, image) == math.inf
    assert psnr_y(np.full((4, 4), 7.0), np.ones((4, 4))) == math.inf  # clipped
    assert psnr_y(image + 1 / 255, image) == pytest.approx(20 * math.log10(255))


@given(IMAGES, SEEDS)
def test_ssim_is_its_definition(image: np.ndarray, seed: int) -> None:
    other = noisy(image, seed)

    def plane(a: np.ndarray, b: np.ndarray) -> float:
        a, b = a.astype(float), b.astype(float)

        def mean(x: np.ndarray) -> np.ndarray:
            return gaussian_filter(x, 1.5, truncate=3.5)

        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        ma, mb = mean(a), mean(b)
        va, vb, vab = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
        s = (2 * ma * mb + c1) * (2 * vab + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
        return float(s[5:-5, 5:-5].mean())  # where the whole window lies in the image

    a, b = np.atleast_3d(image), np.atleast_3d(other)
    expected = np.mean([plane(a[..., i], b[..., i]) for i in range(a.shape[-1])])
    assert ssim(other, image) == pytest.approx(expected)


@given(IMAGES)
def test_equal_images(image: np.ndarray) -> None:
    assert psnr(image, image) == psnr_y(image, image) == math.inf
    assert ssim(image, image) == pytest.approx(1)


def test_the_data_range_that_is_meant() -> None:
    assert default_data_range(np.zeros(3, np.uint8)) == 255
    assert default_data_range(np.zeros(3, np.uint16)) == 65535
    assert default_data_range(np.zeros(3, np.int16)) == 65535
    assert default_data_range(np.array([0.0, 1.0])) == 1
    with pytest.raises(InputError, match="give the data range"):
        default_data_range(np.array([0.0, 255.0]))


@pytest.mark.parametrize("metric", [psnr, psnr_y, ssim])
@pytest.mark.parametrize(
    ("result", "reference", "data_range", "message"),
    [
        (np.zeros((12, 12)), np.zeros((12, 13)), None, r"\(12, 12\).*\(12, 13\)"),
        (np.zeros((12, 12)), np.zeros((12, 12, 3)), None, "channels"),
        (np.zeros(12), np.zeros(12), None, "no images"),
        (np.zeros((0, 12)), np.zeros((0, 12)), None, "no images"),
        (np.zeros((12, 12)), np.full((12, 12), 9.0), None, "give the data range"),
        (np.zeros((12, 12), "u1"), np.zeros((12, 12), "u2"), None, "uint8 .* uint16"),
        (np.full((12, 12), np.nan), np.zeros((12, 12)), 1.0, "144 samples"),
        (np.zeros((12, 12)), np.zeros((12, 12)), 0.0, "data range is 0"),
        (np.zeros((12, 12)), np.zeros((12, 12)), math.nan, "data range is nan"),
    ],
)
def test_what_cannot_be_compared(metric, result, reference, data_range, message) -> None:
    with pytest.raises(InputError, match=message):
        metric(result, reference, data_range)


def test_what_only_one_metric_cannot_compare() -> None:
    two = np.zeros((12, 12, 2))
    assert psnr(two, two) == math.inf
    with pytest.raises(InputError, match="2 channels"):
        psnr_y(two, two)
    with pytest.raises(InputError, match="11 pixels a side"):
        ssim(two[:10], two[:10])


def with_cutoff(cutoff: float, size: int = 256) -> np.ndarray:
    """White noise up to a frequency, with a little white noise on it."""
    rng = np.random.default_rng(0)
    f = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size))
    x = np.fft.ifft2(np.fft.fft2(rng.normal(size=(size, size))) * (f < cutoff)).real
    return x / x.std() + rng.normal(0, 0.1, x.shape)


@pytest.mark.parametrize("cutoff", [0.1, 0.2, 0.3, 0.4])
def test_frc_finds_the_cutoff(cutoff: float) -> None:
    image = with_cutoff(cutoff)
    found = frc(image).resolution
    assert 1 / found == pytest.approx(cutoff, abs=0.015)
    assert frc(-7 * image + 1000).resolution == pytest.approx(found)
    assert frc(np.dstack([image] * 3)).resolution == pytest.approx(found)


def test_frc_of_noise_and_of_what_has_none() -> None:
    assert frc(np.random.default_rng(0).normal(size=(256, 256))).resolution > 20
    assert frc(data.camera()).resolution < 2.2
    with pytest.raises(InputError, match="flat"):
        frc(np.ones((64, 64)))
    with pytest.raises(InputError, match="32 pixels"):
        frc(np.ones((64, 30)))


def test_whiteness() -> None:
    noise = np.random.default_rng(1).normal(size=(200, 300))
    white = whiteness(noise)
    assert max(abs(white.horizontal), abs(white.vertical)) < 1.5 * white.bound
    blurred = whiteness(gaussian_filter(noise, 1))
    assert min(blurred.horizontal, blurred.vertical) == pytest.approx(math.exp(-1 / 4), abs=0.02)
    same = whiteness(3 * noise + 100)
    assert same.horizontal == pytest.approx(white.horizontal)
    holes = np.where(np.random.default_rng(2).random(noise.shape) < 0.2, np.nan, noise)
    assert abs(whiteness(holes).horizontal) < 2 * whiteness(holes).bound
    with pytest.raises(InputError, match="flat"):
        whiteness(np.full((5, 5), 0.1))
