"""Held-out samples and the rule that reads their error; sharpness that settles; a sudden fall."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data

from napari_dred.core.operators import build_operator
from napari_dred.core.problem import Problem
from napari_dred.core.stopping import (
    LOOK_EVERY,
    PATIENCE,
    TOLERANCE,
    BestImage,
    Fall,
    HeldOut,
    Settled,
    _sharpness,
)

SIZE = 40, 50


def _problem(y: torch.Tensor, **changes: object) -> Problem:
    problem = Problem(
        y=y,
        start=y,
        operator=build_operator(SIZE),
        sigma=0.1,
        denoiser=lambda x, level: x,
        bfloat16=False,
        check=lambda: None,
    )
    return dataclasses.replace(problem, **changes)


@pytest.fixture
def noise() -> torch.Tensor:
    return 0.1 * torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def test_the_error_of_the_truth_is_the_noise_level(noise):
    held_out = HeldOut(_problem(0.5 + noise), 0.2, seed=0)
    assert float(held_out.error(torch.full_like(noise, 0.5))) == pytest.approx(1, rel=0.1)
    level = torch.rand_like(noise) + 0.5
    held_out = HeldOut(_problem(0.5 + noise * level, level=level), 0.2, seed=0)
    assert float(held_out.error(torch.full_like(noise, 0.5))) == pytest.approx(1, rel=0.1)


def test_what_is_held_out_is_not_fitted_and_the_other_way_round(noise):
    problem = _problem(0.5 + noise)
    held_out = HeldOut(problem, 0.1, seed=0)
    assert float(held_out.fitted.mean()) == pytest.approx(0.9, abs=0.02)
    # Wrong where it is fitted only: no error held out; and wrong where it is held out only: no
    # misfit.
    assert float(held_out.error(problem.y + held_out.fitted)) == pytest.approx(0, abs=1e-5)
    wrong = problem.y + (1 - held_out.fitted)
    assert float(problem.misfit(wrong, held_out.fitted)) == 0
    assert torch.equal(held_out.fitted, HeldOut(problem, 0.1, seed=0).fitted)
    assert not torch.equal(held_out.fitted, HeldOut(problem, 0.1, seed=1).fitted)


def test_missing_and_cut_off_samples_are_never_held_out(noise):
    observed = torch.rand_like(noise) < 0.7
    y = (0.5 + 5 * noise).clamp(0, 1) * observed
    held_out = HeldOut(_problem(y, observed=observed, limits=(-math.inf, 1.0)), 0.5, seed=0)
    held = held_out.fitted == 0
    assert held.any()
    assert not (held & ~observed).any()
    assert not (held & (y >= 1)).any()


def test_too_few_held_out_samples_say_nothing(noise):
    assert HeldOut.of(_problem(noise), 0.05, seed=0) is None
    assert HeldOut.of(_problem(noise), 0.15, seed=0) is not None
    assert HeldOut.of(_problem(noise), 0, seed=0) is None


def test_without_noise_nothing_is_held_out(noise):
    assert HeldOut.of(_problem(noise, sigma=0.0), 0.5, seed=0) is None


def test_nothing_to_hold_out_is_not_a_number(noise):
    held_out = HeldOut(_problem(noise, observed=torch.zeros(1, 3, *SIZE, dtype=torch.bool)), 0.5, 0)
    assert math.isnan(float(held_out.error(noise)))


def test_an_error_that_rises_for_long_enough_ends_the_run():
    best, images = BestImage(), {k: torch.tensor(k) for k in range(0, 400, 10)}
    errors = {k: 1 + abs(k - 100) / 1000 for k in images}
    stopped = next(k for k in images if best.update(k, errors[k], images[k]))
    assert stopped == 100 + PATIENCE
    assert best.iteration == 100
    assert best.image == 100
    assert best.passed


def test_a_flat_or_falling_error_does_not():
    best = BestImage()
    for k in range(0, 1000, 10):
        wobble = TOLERANCE / 2 * (k % 20 > 0)
        assert not best.update(k, 1 + wobble - k / 1e6, torch.zeros(1))
    assert not best.passed


def test_without_an_error_there_is_no_stop():
    best = BestImage()
    for k in range(0, 1000, 10):
        assert not best.update(k, math.nan, torch.zeros(1))
    assert not best.passed


def _blurred(sigma: float) -> torch.Tensor:
    return torch.from_numpy(gaussian_filter(data.camera()[100:164, 150:230] / 255, sigma))[
        None, None
    ]


def test_an_image_that_stays_as_sharp_has_settled_after_two_hundred_iterations():
    settled, image = Settled(0.01), _blurred(2)
    answers = [settled.update(image) for _ in range(0, 200, LOOK_EVERY)]
    assert answers == [False] * (len(answers) - 1) + [True]


def test_an_image_that_gets_sharper_has_not():
    settled = Settled(0.01)
    for sigma in np.geomspace(8, 0.5, 40):
        assert not settled.update(_blurred(sigma))


def test_a_flat_image_is_not_one_that_has_settled():
    settled = Settled(0.01)
    assert not any(settled.update(torch.full((1, 3, 20, 24), 0.5)) for _ in range(40))


def test_sharpness_grows_with_an_edge_and_colours_count_alike():
    values = [float(_sharpness(_blurred(sigma)[0, 0])) for sigma in (4, 2, 1, 0.5)]
    assert values == sorted(values)
    gray, colour = Settled(0.01), Settled(0.01)
    gray.update(_blurred(1))
    colour.update(_blurred(1).expand(1, 3, -1, -1))
    assert list(gray._ratios) == pytest.approx(list(colour._ratios))


def test_a_sudden_fall_is_seen_once():
    fall = Fall(5)
    errors = [1.0, 0.5, 1.5, 0.4, 1.3, 1.2, 1.0]  # 5 dB are a factor of 3.16
    assert [fall.seen(torch.tensor(e)) for e in errors] == [
        False,
        False,
        False,
        False,
        True,
        False,
        False,
    ]


def test_no_fall_is_seen_where_none_is_asked_for():
    fall = Fall(0)
    assert not any(fall.seen(torch.tensor(10.0**k)) for k in range(9))
