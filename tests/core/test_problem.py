"""Samples that were cut off, and what stands in for them."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import truncnorm
from torch import Tensor

from napari_dred.core.operators import Identity
from napari_dred.core.problem import Problem


def _problem(y: Tensor, sigma: float, limits: tuple[float, float]) -> Problem:
    return Problem(
        y=y,
        start=y,
        operator=Identity((y.shape[-2], y.shape[-1])),
        sigma=sigma,
        denoiser=lambda x, _: x,
        bfloat16=False,
        check=lambda: None,
        limits=limits,
    )


@pytest.mark.parametrize("sigma", [0.1, 0.3])
def test_a_sample_that_was_cut_off_gets_its_expectation(sigma: float) -> None:
    hx = torch.rand((1, 2, 8, 8), generator=torch.Generator().manual_seed(0))
    y = torch.full_like(hx, 0.5)
    y[0, 0], y[0, 1] = 0.0, 1.0
    got = _problem(y, sigma, (0.0, 1.0)).uncut(hx)
    m = hx.double().numpy()
    below = truncnorm.mean(-math.inf, (0 - m[0, 0]) / sigma, m[0, 0], sigma)
    above = truncnorm.mean((1 - m[0, 1]) / sigma, math.inf, m[0, 1], sigma)
    torch.testing.assert_close(got[0, 0].double(), torch.from_numpy(below), atol=1e-4, rtol=0)
    torch.testing.assert_close(got[0, 1].double(), torch.from_numpy(above), atol=1e-4, rtol=0)


@pytest.mark.parametrize("sigma", [0.0, 1e-9, 0.3])
def test_an_expectation_is_finite_and_beyond_the_limit(sigma: float) -> None:
    y = torch.ones(1, 1, 8, 8)
    hx = torch.linspace(-5, 5, 64).reshape(1, 1, 8, 8)
    got = _problem(y, sigma, (-math.inf, 1.0)).uncut(hx)
    assert torch.isfinite(got).all()
    assert (got >= 1 - 1e-6).all()
    if sigma < 1e-6:
        torch.testing.assert_close(got, y)


def test_nothing_changes_where_nothing_was_cut_off() -> None:
    y = torch.rand((1, 3, 8, 8), generator=torch.Generator().manual_seed(1))
    problem = _problem(y, 0.1, (-math.inf, math.inf))
    assert problem.uncut(1 - y) is y
    assert problem.within(5 * y).max() > 1
    one_sided = _problem(y, 0.1, (-math.inf, 1.0))
    torch.testing.assert_close(one_sided.uncut(1 - y), y)
    assert one_sided.within(5 * y).max() == 1


def test_more_likely_than_least_squares() -> None:
    """Iterating the expectation finds the mean of which cut-off samples were drawn."""
    truth, sigma = 0.05, 0.2
    generator = torch.Generator().manual_seed(2)
    noise = sigma * torch.randn((1, 1, 64, 64), generator=generator)
    problem = _problem((truth + noise).clamp(0, 1), sigma, (0.0, 1.0))
    mean = problem.y.mean()
    assert mean > truth + 0.03
    for _ in range(50):
        mean = problem.uncut(mean.expand_as(problem.y)).mean()
    assert mean == pytest.approx(truth, abs=0.01)
