"""Half-quadratic splitting: what it asks of the denoiser."""

from __future__ import annotations

import itertools

import pytest
import torch

from napari_dred.core.denoisers.base import VIEWS, in_view
from napari_dred.core.hqs import FIRST_LEVEL, LEAST_LEVEL, calls_of, descend, polish
from napari_dred.core.operators import build_operator
from napari_dred.core.problem import Problem


class _Watched:
    """A denoiser that does nothing and remembers how it was called."""

    def __init__(self) -> None:
        self.levels, self.views = list[float](), list[int]()

    def __call__(self, x: torch.Tensor, sigma: float | torch.Tensor, view: int = 0) -> torch.Tensor:
        self.levels.append(float(sigma))
        self.views.append(view)
        return x.clone()


def _problem(sigma: float, f: _Watched) -> Problem:
    y = torch.rand(1, 1, 8, 10)
    operator = build_operator((8, 10))
    return Problem(y, y, operator, sigma, f, bfloat16=False, check=lambda: None)


@pytest.mark.parametrize("count", [1, 2, 24])
def test_it_calls_the_denoiser_as_often_as_it_says(count):
    f = _Watched()
    states = list(descend(_problem(0.1, f), count))
    assert len(states) == count
    assert len(f.levels) == calls_of(count)
    assert calls_of(0) == 0


def test_every_call_has_another_view_and_the_last_has_all():
    f = _Watched()
    list(descend(_problem(0.1, f), 9))
    assert all(a != b for a, b in zip(f.views[:8], f.views[1:8], strict=False))
    assert sorted(f.views[8:]) == list(range(VIEWS))


@pytest.mark.parametrize("sigma", [0.0, 0.001, 0.05, 0.2, 0.5])
def test_levels_fall_to_that_of_the_noise(sigma):
    f = _Watched()
    list(descend(_problem(sigma, f), 6))
    assert f.levels == sorted(f.levels, reverse=True)
    assert f.levels[0] == pytest.approx(max(FIRST_LEVEL, sigma))
    assert f.levels[-1] == pytest.approx(max(LEAST_LEVEL, sigma))


def test_a_polish_begins_a_little_above_the_noise():
    f = _Watched()
    list(polish(_problem(0.1, f), 3))
    assert f.levels[0] == pytest.approx(0.13)
    assert f.levels[-1] == pytest.approx(0.1)


def test_without_noise_holes_are_filled_sooner_for_the_momentum():
    # With a denoiser that only smooths, the filling is a diffusion from the edge of the hole.
    observed = torch.ones(1, 1, 16, 16)
    observed[..., 5:11, 5:11] = 0
    y = torch.ones(1, 1, 16, 16) * observed

    def smooth(x: torch.Tensor, sigma: float | torch.Tensor, view: int = 0) -> torch.Tensor:
        padded = torch.nn.functional.pad(x, (1,) * 4, mode="replicate")
        return torch.nn.functional.avg_pool2d(padded, 3, stride=1)

    def error(sigma: float) -> float:
        problem = Problem(
            y=y,
            start=y,
            operator=build_operator((16, 16), observed=observed[0]),
            sigma=sigma,
            denoiser=smooth,
            bfloat16=False,
            check=lambda: None,
        )
        *_, last = descend(problem, 24)
        return float((last.x - 1).abs().max())

    assert error(0.0) < 0.7 * error(0.1)


@pytest.mark.parametrize("view", range(VIEWS))
def test_a_view_turns_the_image_and_its_map_there_and_back(view):
    x, sigma = torch.rand(1, 3, 8, 10), torch.rand(1, 1, 8, 10)
    torch.testing.assert_close(in_view(lambda a, s: a * s, x, sigma, view), x * sigma)


def test_the_views_are_all_there_are():
    x, seen = torch.rand(1, 1, 6, 6), set()

    def f(a: torch.Tensor, _sigma: float | torch.Tensor) -> torch.Tensor:
        seen.add(tuple(a.flatten().tolist()))
        return a

    for view in range(VIEWS):
        in_view(f, x, 0.1, view)
    assert len(seen) == VIEWS


def _with_stroke(f) -> Problem:
    rows = torch.linspace(0.2, 0.8, 128)[:, None].expand(1, 1, 128, 128)
    truth = (rows + 0.1 * torch.sin(rows * 60)).contiguous()
    observed = torch.ones(1, 1, 128, 128, dtype=torch.bool)
    observed[..., 50:70] = False
    start = torch.where(observed, truth, 0.5)
    operator = build_operator((128, 128), observed=observed)
    return Problem(
        truth * observed,
        start,
        operator,
        0.02,
        f,
        bfloat16=False,
        check=lambda: None,
        observed=observed,
    )


def test_wide_holes_take_a_third_of_the_steps_at_half_the_size():
    sides = list[int]()

    def f(x, sigma, view=0):
        sides.append(x.shape[-1])
        return x.clone()

    states = list(descend(_with_stroke(f), 24))
    assert [s.iteration for s in states] == list(range(1, 25))
    assert {s.x.shape for s in states} == {(1, 1, 128, 128)}
    # At a quarter of the size the image is too small to be halved again.
    assert [sides.count(n) for n in (32, 64, 128)] == [calls_of(n) for n in (2, 6, 16)]


def test_what_was_found_at_half_the_size_is_kept():
    f = _Watched()
    problem = _with_stroke(f)
    *_, half = itertools.islice(descend(problem, 24), 8)
    *_, last = descend(problem, 24)
    observed = problem.observed
    # The denoiser does nothing: what is missing can only come from there.
    torch.testing.assert_close(last.x[~observed], half.x[~observed])
