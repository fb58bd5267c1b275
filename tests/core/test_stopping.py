"""Held-out samples and the rule that reads their error."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from napari_dred.core.operators import build_operator
from napari_dred.core.problem import Problem
from napari_dred.core.stopping import PATIENCE, TOLERANCE, BestImage, HeldOut

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
