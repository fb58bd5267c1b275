"""Super-resolution in two steps: when, and what either step is given."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from napari_dred import restore
from napari_dred.core import hqs as hqs_module
from napari_dred.core.control import Interrupted
from napari_dred.core.enlarge import FACTOR, at_its_own_size, enlarging
from napari_dred.core.hqs import descend
from napari_dred.core.operators import Downsample, Identity, Mask, build_operator
from napari_dred.core.photon import Uneven
from napari_dred.core.problem import Problem


def _keep(x: Tensor, _sigma: float | Tensor, _view: int = 0) -> Tensor:
    return x


def _problem(factor: int, observed: Tensor | None = None, **changes: object) -> Problem:
    observed = torch.ones(1, 1, 8, 12, dtype=torch.bool) if observed is None else observed
    h, w = observed.shape[-2:]
    y = torch.rand(1, 1, h, w, generator=torch.Generator().manual_seed(0)) / 2
    problem = Problem(
        y=y * observed,
        start=torch.full((1, 1, factor * h, factor * w), 0.25),
        operator=build_operator((h, w), observed=observed, factor=factor),
        sigma=0.1,
        denoiser=_keep,
        bfloat16=False,
        check=lambda: None,
        limits=(0.0, 1.0),
        observed=observed,
    )
    return dataclasses.replace(problem, **changes)  # type: ignore[arg-type]


def _with_a_hole() -> Tensor:
    observed = torch.ones(1, 1, 8, 12, dtype=torch.bool)
    observed[..., 3:5, 4:6] = False
    return observed


@pytest.mark.parametrize(
    ("factor", "holes", "sigma", "first"),
    [
        (1, False, 0.1, False),
        (1, True, 0.1, False),
        (2, False, 0.1, False),
        (2, True, 0.1, False),
        (FACTOR, False, 0.1, True),
        (FACTOR, False, 0.01, False),
        (8, True, 0.0, False),
        (8, True, 0.1, True),
    ],
)
def test_y_is_restored_first_where_that_is_better(
    factor: int, holes: bool, sigma: float, first: bool
):
    problem = _problem(factor, _with_a_hole() if holes else None, sigma=sigma)
    assert (at_its_own_size(problem) is not None) is first


def test_the_first_step_has_the_samples_and_their_noise():
    problem = _problem(4)
    small = at_its_own_size(problem)
    assert small is not None
    assert isinstance(small.operator, Identity)
    torch.testing.assert_close(small.start, problem.y)
    assert (small.sigma, small.limits) == (problem.sigma, problem.limits)


def test_holes_of_the_first_step_begin_with_what_the_start_has_there():
    observed = _with_a_hole()
    problem = _problem(4, observed)
    small = at_its_own_size(problem)
    assert small is not None
    assert isinstance(small.operator, Mask)
    torch.testing.assert_close(small.start[observed], problem.y[observed])
    torch.testing.assert_close(small.start[~observed], torch.full((4,), 0.25))


def test_a_blur_is_not_undone_in_what_a_denoiser_made():
    operator = build_operator((8, 12), factor=4, kernel=np.ones((3, 3)) / 9)
    assert at_its_own_size(_problem(4, operator=operator)) is None


def test_the_second_step_has_neither_holes_nor_cut_off_samples():
    observed = _with_a_hole()
    problem = _problem(4, observed)
    y = torch.full_like(problem.y, 0.4)
    left = enlarging(problem, y)
    assert isinstance(left.operator, Downsample)
    x = torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(1))
    seen = problem.operator.forward(x)
    torch.testing.assert_close(left.operator.forward(x)[observed], seen[observed])
    assert left.y is y
    assert left.observed is None
    assert left.limits == (-math.inf, math.inf)
    assert left.sigma < 1 / 255
    torch.testing.assert_close(left.start, torch.full_like(x, 0.4))
    assert at_its_own_size(left) is None


def test_uneven_noise_is_in_the_first_step_alone():
    level = torch.linspace(0.5, 1.5, 96).view(1, 1, 8, 12)
    fine = torch.nn.functional.interpolate(level, scale_factor=4)
    problem = _problem(4, level=level, denoiser=Uneven(_keep, fine))
    small = at_its_own_size(problem)
    assert small is not None
    assert isinstance(small.denoiser, Uneven)
    torch.testing.assert_close(small.denoiser(small.y, 0.1), problem.y)  # its map has Y's size
    left = enlarging(problem, problem.y)
    assert left.denoiser is _keep
    assert left.level is None


def test_both_steps_are_counted_shown_and_measured_by_the_data():
    problem = _problem(4)
    states = list(descend(problem, 9))
    assert [s.iteration for s in states] == list(range(1, 10))
    assert all(s.x.shape == problem.start.shape for s in states)
    assert all(s.x.min() >= 0 and s.x.max() <= 1 for s in states)
    last = states[-1]
    assert last.loss is not None
    torch.testing.assert_close(last.loss, problem.misfit(problem.operator.forward(last.x)))


@pytest.mark.parametrize("count", [12, 24])
def test_holes_are_filled_by_their_network_in_the_first_step(count: int):
    sizes = list[torch.Size]()

    def filler(x: Tensor, _sigma: float | Tensor, _view: int = 0) -> Tensor:
        sizes.append(x.shape)
        return x

    problem = _problem(8, _with_a_hole(), filler=filler)
    assert [s.iteration for s in descend(problem, count)] == list(range(1, count + 1))
    assert set(sizes) == {problem.y.shape}


def test_wide_holes_are_left_to_the_data_step():
    observed = torch.ones(1, 1, 64, 64, dtype=torch.bool)
    observed[..., 20:40, 20:40] = False
    assert at_its_own_size(_problem(4, observed)) is None


def test_the_first_step_can_be_left_at_any_moment():
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise Interrupted

    states = descend(_problem(4, check=check), 9)
    with pytest.raises(Interrupted):
        list(states)
    assert calls == 3


def test_holes_in_an_image_without_noise_are_left_to_the_data_step(
    monkeypatch: pytest.MonkeyPatch,
):
    clean, y, mask = _half_and_noisy(4, missing=0.1)
    monkeypatch.setattr(hqs_module, "fill", lambda *_: pytest.fail("a network filled holes"))
    made = restore(y, mask, preset="preview", scale=4, sigma=0.0, iterations=6).image
    assert made.shape == clean.shape


def _half_and_noisy(factor: int, missing: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    clean = data.camera()[128:384, 128:384].astype(np.float32) / 255
    small = Downsample((256, 256), factor).forward(torch.from_numpy(clean)[None, None])[0, 0]
    rng = np.random.default_rng(0)
    y = small.numpy() + rng.normal(0, 0.12, small.shape).astype(np.float32)
    return clean, y, rng.random(y.shape) < missing


def test_it_is_better_than_at_once(monkeypatch: pytest.MonkeyPatch):
    factor = 8
    clean, y, mask = _half_and_noisy(factor, missing=0.2)

    def error() -> float:
        options = {"scale": factor, "noise": "gaussian", "iterations": 12, "threads": 1}
        made = restore(y, mask, preset="preview", **options).image
        return float(np.square(made - clean).mean())

    in_two_steps = error()
    monkeypatch.setattr(hqs_module, "at_its_own_size", lambda _problem: None)
    assert in_two_steps < 0.99 * error()
