"""Problems at half the size: what they keep, and which holes they are for."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_dred.core.coarse import doubled, halved, has_wide_holes
from napari_dred.core.operators import Blur, Mask, gaussian_kernel
from napari_dred.core.problem import Problem


def _problem(y: torch.Tensor, observed: torch.Tensor, sigma: float = 0.1) -> Problem:
    return Problem(
        y=y * observed,
        start=y,
        operator=Mask(observed),
        sigma=sigma,
        denoiser=lambda x, _sigma, _view=0: x,
        bfloat16=False,
        check=lambda: None,
        limits=(0.0, 1.0),
        observed=observed,
    )


def _holes(h: int, w: int, width: int) -> torch.Tensor:
    observed = torch.ones(1, 1, h, w, dtype=torch.bool)
    observed[..., 20 : 20 + width] = False
    return observed


@given(
    h=st.integers(64, 71),
    w=st.integers(64, 71),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 9),
)
def test_an_even_image_stays_even_whatever_is_missing(
    h: int, w: int, channels: int, seed: int
) -> None:
    observed = torch.rand(1, channels, h, w, generator=torch.Generator().manual_seed(seed)) > 0.5
    half = halved(_problem(torch.full((1, channels, h, w), 0.25), observed))
    assert half.y.shape == half.start.shape == (1, channels, -(-h // 2), -(-w // 2))
    assert half.operator.in_shape == half.y.shape[-2:]
    assert half.observed is not None
    torch.testing.assert_close(half.y[half.observed], torch.full_like(half.y[half.observed], 0.25))
    assert (half.y[~half.observed] == 0).all()
    torch.testing.assert_close(half.start, torch.full_like(half.start, 0.25))
    assert doubled(half.start, observed).shape == observed.shape


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_the_noise_level_is_that_of_the_means(share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    observed = torch.rand(1, 1, 256, 256, generator=generator) < share
    noise = 0.1 * torch.randn(1, 1, 256, 256, generator=generator)
    half = halved(_problem(noise, observed))
    assert half.observed is not None
    assert half.sigma == pytest.approx(float(half.y[half.observed].std()), rel=0.03)
    assert half.limits == (-math.inf, math.inf)


def test_two_halvings_of_a_whole_image_halve_the_noise_twice() -> None:
    problem = _problem(torch.rand(1, 1, 128, 128), torch.ones(1, 1, 128, 128, dtype=torch.bool))
    assert halved(halved(problem)).sigma == pytest.approx(0.1 / 4)


@pytest.mark.parametrize(("width", "wide"), [(0, False), (1, False), (2, True), (10, True)])
def test_holes_are_wide_that_half_the_size_does_not_close(width: int, wide: bool) -> None:
    problem = _problem(torch.rand(1, 1, 64, 64), _holes(64, 64, width))
    assert has_wide_holes(problem) is wide


def test_other_problems_are_left_as_they_are() -> None:
    problem = _problem(torch.rand(1, 1, 64, 64), _holes(64, 64, 10))
    uneven = dataclasses.replace(problem, level=torch.ones(1, 1, 64, 64))
    blurred = dataclasses.replace(problem, operator=Blur((64, 64), gaussian_kernel(1.0)))
    whole = dataclasses.replace(problem, observed=None)
    small = _problem(torch.rand(1, 1, 63, 64), _holes(63, 64, 10))
    assert not any(has_wide_holes(p) for p in (uneven, blurred, whole, small))
