"""The noise of one image: measured once for the same samples, and left when nobody waits."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from napari_dred import Control, Parameters, Plan, RestorationError, plan, restore, solve
from napari_dred.core import found_noise, impulses
from napari_dred.core import given as checking
from napari_dred.core.calibration import calibrate
from napari_dred.core.found_noise import find_noise
from napari_dred.core.impulses import find_impulses


def _scene(seed: int = 0) -> NDArray[np.uint8]:
    """A part of a photograph with noise, and a few hundred white samples."""
    rng = np.random.default_rng(seed)
    noisy = data.camera()[100:196, 200:296] * 0.8 + 20 + rng.normal(0, 8, (96, 96))
    noisy[rng.random(noisy.shape) < 0.03] = 255
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kind of noise that was asked for each time it is measured, with nothing kept yet."""
    calls: list[str] = []

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(args[2])
        return find_noise(*args, **options)

    monkeypatch.setattr(checking, "find_noise", counted)
    checking.FOUND.clear()
    return calls


def test_impulses_are_spared_sample_by_sample() -> None:
    planes = np.stack([_scene(), _scene(1), _scene(2)])
    observed = np.ones(planes.shape, bool)
    observed[:, 5:9] = False
    planes[~observed] = 0
    found = find_noise(planes, observed, "auto")
    hit = find_impulses(planes.astype(float), observed)
    assert found.impulses == hit.sum() > 500
    np.testing.assert_array_equal(found.spared(observed), observed & ~hit)


def test_where_nothing_of_a_channel_would_be_left_no_impulses_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planes = np.stack([_scene(), _scene(1)])
    observed = np.ones(planes.shape, bool)
    hit = planes == 255
    hit[1] = True
    monkeypatch.setattr(found_noise, "find_impulses", lambda *_, **__: hit)
    found = find_noise(planes, observed, "impulse")
    assert (found.impulses, found.replaced) == (0, None)
    assert "No impulse noise was found at the ends of the range." in found.notes


@pytest.mark.parametrize("photons", [False, True])
def test_a_run_after_its_forecast_does_not_measure_again(
    measured: list[str], *, photons: bool
) -> None:
    image: NDArray[Any] = _scene()
    if photons:
        signal = np.linspace(10, 200, 160)[:, None] * np.ones(160)
        image = np.random.default_rng(0).poisson(signal).astype(np.uint16)
    before = plan(image, preset="preview", iterations=4)
    plan(image[:64, :64])  # the preview of a part of it
    result = restore(image.copy(), preset="preview", iterations=3)
    assert len(measured) == 2
    told = (before.sigma, before.impulses, before.photon_noise, before.notes)
    again = result.plan
    assert (again.sigma, again.impulses, again.photon_noise, again.notes) == told
    checking.FOUND.clear()
    fresh = restore(image, preset="preview", iterations=3)
    assert len(measured) == 3
    np.testing.assert_array_equal(fresh.image, result.image)


@pytest.mark.parametrize(
    "other", ["samples", "mask", "dtype", {"sigma": 5.0}, {"noise": "gaussian"}]
)
def test_anything_that_counts_is_measured_anew(measured: list[str], other: Any) -> None:
    image, mask = _scene(), np.zeros((96, 96), bool)
    mask[3] = True
    plan(image, mask)
    options = other if isinstance(other, dict) else {}
    if other == "samples":
        image = np.flipud(image)
    elif other == "mask":
        mask = np.flipud(mask)
    elif other == "dtype":
        image = image.astype(np.uint16)
    plan(image, mask, **options)
    assert len(measured) == 2


def test_a_part_has_the_noise_of_its_whole_whatever_is_kept(measured: list[str]) -> None:
    image = _scene()
    calm = (image // 4 + 80).astype(np.uint8)
    alone = plan(image)
    whole = calibrate([calm], [np.ones(calm.shape, bool)], (0, 255), Parameters())
    assert plan(image, calibration=whole).sigma == whole.sigma != alone.sigma
    assert plan(image).sigma == alone.sigma
    assert len(measured) == 2


def test_all_that_takes_long_looks_whether_to_go_on() -> None:
    planes = np.stack([_scene(), _scene(1)])
    everywhere = np.ones(planes.shape, bool)
    looks: list[str] = []

    def check() -> None:
        frame = inspect.currentframe()
        assert frame is not None
        assert frame.f_back is not None
        looks.append(frame.f_back.f_code.co_name)

    find_noise(planes, everywhere, "auto", check=check)
    for name, times in {
        "find_impulses": 1,
        "_medians": 2 * 2,  # a strip of each channel, and before it
        "unbounded_level": 2 * 3,  # with the impulses and without: each channel, and both
        "find_correlation": 2,
        "measure_noise": 4,
    }.items():
        assert looks.count(name) >= times, name
    looks.clear()
    calibrate([planes[0]], [everywhere[0]], (0, 255), Parameters(), check=check)
    assert {"find_impulses", "measure_noise"} <= set(looks)


def test_medians_in_strips_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    planes = np.stack([_scene(), _scene(1)]).astype(float)
    observed = np.random.default_rng(0).random(planes.shape) < 0.7
    whole = impulses._medians(planes, observed, lambda: None)
    for rows in (7, 32, 95):
        monkeypatch.setattr(impulses, "STRIP", rows)
        np.testing.assert_array_equal(impulses._medians(planes, observed, lambda: None), whole)


def _at_the_first_look(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    def acting(*args: Any, check: Any, **options: Any) -> Any:
        act()
        check()
        return find_noise(*args, check=check, **options)

    checking.FOUND.clear()
    monkeypatch.setattr(checking, "find_noise", acting)


def test_a_run_that_is_cancelled_while_it_is_measured_gives_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control = Control()
    _at_the_first_look(monkeypatch, control.cancel)
    assert list(solve(_scene(), control=control, preset="preview")) == []
    assert list(solve(_scene(1), control=control, preset="preview")) == []


def test_a_run_that_is_stopped_while_it_is_measured_says_that_there_is_no_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control = Control()
    _at_the_first_look(monkeypatch, control.stop)
    with pytest.raises(RestorationError, match="no image yet"):
        next(solve(_scene(), control=control, preset="preview"))


def test_a_run_that_is_paused_while_it_is_measured_goes_on_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control = Control()
    _at_the_first_look(monkeypatch, control.pause)
    resume = threading.Timer(0.3, control.resume)
    resume.start()
    assert isinstance(next(solve(_scene(), control=control, preset="preview")), Plan)
    assert not resume.is_alive()
