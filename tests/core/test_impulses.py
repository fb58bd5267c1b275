"""Impulses: found wherever they fall, and nothing else taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage
from skimage import data

from napari_dred.core import crops, impulses
from napari_dred.core.control import Check
from napari_dred.core.impulses import find_impulses


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return np.moveaxis(data.astronaut()[:200, 120:320], 2, 0).astype(np.float64).clip(1, 254)


@pytest.mark.parametrize("share", [0.005, 0.05, 0.18])
@pytest.mark.parametrize("sigma", [0, 10])
def test_impulses_are_found(photograph: np.ndarray, share: float, sigma: float) -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(photograph + rng.normal(0, sigma, photograph.shape), 1, 254)
    hit = rng.random(noisy.shape) < share
    # What lies near white anyway is no great loss.
    matters = hit & (photograph < 255 - 4 * sigma - 40)
    found = find_impulses(np.where(hit, 255.0, noisy), np.ones(noisy.shape, bool))
    assert (found & matters).sum() > 0.95 * matters.sum()
    assert (found & ~hit).sum() < 0.005 * hit.size


@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_not_one_of_dense_impulses_is_missed(photograph: np.ndarray, holes: float) -> None:
    # One in 30,000 that stays costs a deblurred image 4 dB.
    rng = np.random.default_rng(0)
    image = np.minimum(photograph, 225)
    observed = np.broadcast_to(rng.random(image.shape[1:]) >= holes, image.shape)
    hit = observed & (rng.random(image.shape) < 0.22)
    found = find_impulses(np.where(hit, 255, image), observed)
    assert (hit & ~found).sum() == 0
    assert (found & ~hit).sum() == 0


def test_pepper_is_found_beside_salt(photograph: np.ndarray) -> None:
    u = np.random.default_rng(0).random(photograph.shape)
    hit = (u < 0.04) | (u > 0.96)
    image = np.where(u < 0.04, 0, np.where(u > 0.96, 255, photograph))
    found = find_impulses(image, np.ones(image.shape, bool))
    assert (found & hit).sum() > 0.7 * hit.sum()
    assert (found & ~hit).sum() < 0.005 * hit.size


@pytest.mark.parametrize("sigma", [0, 5, 15, 50])
def test_gaussian_noise_is_not_taken_for_impulses(photograph: np.ndarray, sigma: float) -> None:
    noise = np.random.default_rng(0).normal(0, sigma, photograph.shape)
    image = np.clip(np.rint(photograph + noise), 0, 255)
    assert not find_impulses(image, np.ones(image.shape, bool)).any()


def test_white_page_stays_white() -> None:
    page = data.page().astype(np.float64)
    printed = np.where(page > 150, 255, np.where(page < 60, 0, page))[None]
    assert not find_impulses(printed, np.ones(printed.shape, bool)).any()


def test_bright_lines_are_no_impulses() -> None:
    image = np.random.default_rng(0).normal(100, 5, (1, 128, 128))
    image[:, ::16, :] = image[:, :, ::16] = 255
    image[:, 40:60, 40:60] = 255
    assert not find_impulses(image, np.ones(image.shape, bool)).any()


@pytest.mark.parametrize(("share", "least"), [(0.055, 0.95), (0.025, 0.85), (0.008, 0.85)])
@pytest.mark.parametrize("bright", [True, False])
def test_impulses_beside_a_few_structures_are_found(
    bright: bool, share: float, least: float
) -> None:
    image = 0.9 * data.camera()[128:384, 128:384].astype(np.float64)
    lines = np.zeros(image.shape, bool)
    lines[100, :] = lines[:128, 50] = True
    hit = np.random.default_rng(0).random(image.shape) < share
    image[lines | hit] = 255
    image = (image if bright else 255 - image)[None]
    found = find_impulses(image, np.ones(image.shape, bool))[0]
    assert found[hit & ~lines].mean() > least
    assert not found[~hit & ~lines].any()


@pytest.mark.parametrize("share", [0.005, 0.01])
@pytest.mark.parametrize("noise", [0, 8])
@pytest.mark.parametrize("bright", [True, False])
def test_few_impulses_are_found_beside_a_caption(share: float, noise: float, bright: bool) -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(data.camera())
    font = ImageFont.load_default(24.0)
    ImageDraw.Draw(picture).text((20, 30), "Fig. 3  scale 50 um: a.b.c", fill=255, font=font)
    letters = (np.asarray(picture) != data.camera()) & (np.asarray(picture) > 200)
    image = np.clip(np.asarray(picture) + rng.normal(0, noise, picture.size), 0, 255).round()
    assert not find_impulses(image[None], np.ones((1, *image.shape), bool)).any()
    hit = rng.random(image.shape) < share
    image[hit] = 255
    image = (image if bright else 255 - image)[None]
    found = find_impulses(image, np.ones(image.shape, bool))[0]
    assert found[hit].mean() > 0.6
    assert found[letters & ~hit].mean() < 0.1
    assert found[~hit].sum() < 0.05 * hit.sum()


@pytest.mark.parametrize(("share", "kind"), [(0.05, "dashes"), (0.05, "beads"), (0.02, "rows")])
def test_impulses_among_many_structures_are_left_with_them(share: float, kind: str) -> None:
    image = 0.9 * data.camera()[128:384, 128:384].astype(np.float64)
    rng = np.random.default_rng(0)
    structures = np.zeros(image.shape, bool)
    if kind == "rows":
        structures[::20] = True
    else:
        seeds = rng.random(image.shape) < 0.01
        height, width = (1, 3) if kind == "dashes" else (2, 2)
        structures = ndimage.maximum_filter(seeds, (height, width))
    image[structures | (rng.random(image.shape) < share)] = 255
    assert not find_impulses(image[None], np.ones((1, *image.shape), bool)).any()


def test_saturated_texture_is_no_impulses() -> None:
    rng = np.random.default_rng(0)
    texture = ndimage.gaussian_filter(rng.standard_normal((256, 256)), 0.7)
    image = texture.clip(None, 1.5 * texture.std())[None]
    assert not find_impulses(image, np.ones(image.shape, bool)).any()


def test_missing_samples_are_no_impulses(photograph: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    observed = np.broadcast_to(rng.random(photograph.shape[1:]) > 0.2, photograph.shape)
    image = np.where(observed, photograph, 255)
    assert not find_impulses(image, observed).any()


@pytest.mark.parametrize("share", [0.005, 0.01, 0.02])
def test_the_cut_off_tail_of_photon_noise_is_no_impulses(share: float) -> None:
    noisy = np.random.default_rng(0).poisson(data.camera()[128:384, 128:384] / 12).astype(float)
    image = np.minimum(noisy, np.quantile(noisy, 1 - share))[None]
    assert not find_impulses(image, np.ones(image.shape, bool)).any()


def test_a_few_bright_spots_are_the_image() -> None:
    image = np.random.default_rng(0).normal(100, 5, (1, 32, 32))
    image[0, 4::12, 4::12] = 900
    assert not find_impulses(image, np.ones(image.shape, bool)).any()


def test_a_grid_and_a_dither_are_no_impulses() -> None:
    grid = np.rint(128 + np.random.default_rng(0).normal(0, 2, (1, 256, 256)))
    grid[:, ::7, ::7] = 0
    ramp = np.tile(np.linspace(0, 255, 256), (256, 1)).astype(np.uint8)
    dither = np.asarray(Image.fromarray(ramp).convert("1")).astype(np.uint8) * 255
    dither = np.concatenate([ramp[:8], dither])[None]
    for image in (grid, dither.astype(np.float64)):
        assert not find_impulses(image, np.ones(image.shape, bool)).any()


@pytest.mark.parametrize("share", [0.01, 0.02])
def test_few_impulses_in_a_dark_picture_are_found(share: float) -> None:
    clean = data.camera()[128:384, 128:384].astype(np.float64)[None]
    rng = np.random.default_rng(0)
    hit = rng.random(clean.shape) < share
    image = np.where(hit, 255.0 * (rng.random(clean.shape) < 0.5), clean)
    found = find_impulses(image, np.ones(image.shape, bool))
    assert (found & hit).sum() > 0.85 * hit.sum()
    assert (found & ~hit).sum() < 0.002 * image.size


@pytest.fixture
def small_crops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impulses, "CROP", 64)
    monkeypatch.setattr(crops, "CROP", 64)


@pytest.mark.parametrize("masked", [False, True])
def test_all_impulses_of_a_large_image_are_found(
    request: pytest.FixtureRequest, photograph: np.ndarray, masked: bool
) -> None:
    image, observed = photograph[:1].copy(), np.ones((1, 200, 200), bool)
    if masked:  # the corners and the middle
        for part in (np.s_[:, :64, :64], np.s_[:, :64, 136:], np.s_[:, 68:132, 68:132]):
            observed[part] = observed[:, ::-1][part] = False
    image[np.random.default_rng(0).uniform(size=image.shape) < 0.03] = 255
    expected = find_impulses(image, observed)
    assert expected.any()
    request.getfixturevalue("small_crops")
    np.testing.assert_array_equal(find_impulses(image, observed), expected)


@pytest.mark.usefixtures("small_crops")
def test_a_large_image_without_impulses_in_its_crops_is_not_searched(
    monkeypatch: pytest.MonkeyPatch, photograph: np.ndarray
) -> None:
    image, shapes, medians = photograph[:1].copy(), [], impulses._medians
    image[:, 20:30, 20:30] = 255

    def seen(image: np.ndarray, observed: np.ndarray, check: Check) -> np.ndarray:
        shapes.append(image.shape)
        return medians(image, observed, check)

    monkeypatch.setattr(impulses, "_medians", seen)
    assert not find_impulses(image, np.ones(image.shape, bool)).any()
    assert set(shapes) == {(1, 64, 64)}
    find_impulses(image, np.ones(image.shape, bool), everywhere=True)
    assert image.shape in shapes
