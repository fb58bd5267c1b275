"""The noise of one image: measured once for the same samples, and left when nobody waits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from napari_dred import Control, Parameters, RestorationError, plan, restore, solve
from napari_dred.core import given as checking
from napari_dred.core.control import Interrupted
from napari_dred.core.found_noise import find_noise
from napari_dred.core.impulses import find_impulses
from napari_dred.core.remembered import Remembered


def _scene(seed: int = 0) -> NDArray[np.uint8]:
    """A part of a photograph with noise, and a few hundred white samples."""
    rng = np.random.default_rng(seed)
    noisy = data.camera()[100:196, 200:296] * 0.8 + 20 + rng.normal(0, 8, (96, 96))
    noisy[rng.random(noisy.shape) < 0.03] = 255
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Parameters]:
    """The parameters of each time that noise is measured, with nothing remembered yet."""
    calls: list[Parameters] = []

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(args[2])
        return find_noise(*args, **options)

    monkeypatch.setattr(checking, "find_noise", counted)
    monkeypatch.setattr(checking, "_last_found", Remembered())
    return calls


def test_impulses_are_spared_sample_by_sample() -> None:
    planes = np.stack([_scene(), _scene(1), _scene(2)])
    observed = np.ones(planes.shape, bool)
    observed[:, 5:9] = False
    found = find_noise(planes, observed, Parameters())
    hit = find_impulses(np.where(observed, planes, 0).astype(float), observed)
    assert found.impulses == hit.sum() > 500
    np.testing.assert_array_equal(found.spared(observed), observed & ~hit)


@pytest.mark.parametrize("photons", [False, True])
def test_a_run_after_its_forecast_does_not_measure_again(
    measured: list[Parameters], *, photons: bool
) -> None:
    image: NDArray[Any] = _scene()
    if photons:
        signal = np.linspace(10, 200, 160)[:, None] * np.ones(160)
        image = np.random.default_rng(0).poisson(signal).astype(np.uint16)
    before = plan(image, preset="preview", iterations=4)
    result = restore(image.copy(), preset="preview", iterations=3)
    assert len(measured) == 1
    told = (before.sigma, before.impulses, before.photon_noise, before.notes)
    again = result.plan
    assert (again.sigma, again.impulses, again.photon_noise, again.notes) == told
    measured.clear()
    checking._last_found = Remembered()
    fresh = restore(image, preset="preview", iterations=3)
    assert len(measured) == 1
    np.testing.assert_array_equal(fresh.image, result.image)


@pytest.mark.parametrize(
    "other", ["samples", "mask", "dtype", {"sigma": 5.0}, {"noise": "gaussian"}]
)
def test_anything_that_counts_is_measured_anew(measured: list[Parameters], other: Any) -> None:
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


class _Ended(BaseException):
    pass


def test_it_can_be_left_all_along() -> None:
    planes = np.stack([_scene(), _scene(1)])
    observed = np.ones(planes.shape, bool)
    left = 0
    while True:
        looks = 0

        def check(at: int = left) -> None:
            nonlocal looks
            looks += 1
            if looks > at:
                raise _Ended

        try:
            find_noise(planes, observed, Parameters(), check=check)
        except _Ended:
            left += 1
            continue
        break
    assert left > 12  # each channel's medians, level and correlation, and in between


@pytest.mark.parametrize("how", ["cancel", "stop"])
def test_a_run_that_ends_while_it_is_measured(
    measured: list[Parameters], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    control = Control()

    def ended(*args: Any, check: Any = None, **options: Any) -> Any:
        getattr(control, how)()
        args[-1]()
        raise AssertionError

    monkeypatch.setattr(checking, "find_noise", ended)
    records = solve(_scene(), control=control, preset="preview")
    if how == "cancel":
        assert list(records) == []
    else:
        with pytest.raises(RestorationError, match="no image yet"):
            list(records)
    with pytest.raises(Interrupted):
        control.check()
