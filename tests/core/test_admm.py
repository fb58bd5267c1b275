"""ADMM between two runs of HQS: what it is made of, when it ends, and when it goes back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from napari_dred import (
    Control,
    Parameters,
    RestorationError,
    Result,
    Step,
    restore,
    solve,
)
from napari_dred.core import admm as admm_module
from napari_dred.core import restore as module
from napari_dred.core import stopping
from napari_dred.core.parameters import ITERATES
from napari_dred.core.problem import Problem, State

from .conftest import TINY, image_of, stripes_of


def test_polishing_comes_after_the_iterations() -> None:
    *_, result = solve(image_of(), **(TINY | {"polish": 2}))
    assert isinstance(result, Result)
    assert [(s.iteration, s.total) for s in result.steps] == [(k, 5) for k in range(1, 6)]
    plain = restore(image_of(), **TINY)
    assert not np.array_equal(result.image, plain.image)


def test_polishing_belongs_to_dred() -> None:
    result = restore(image_of(), preset="preview", iterations=2, polish=5, sigma=10)
    assert [s.total for s in result.steps] == [2, 2]
    p = restore(image_of(), method="hqs", sigma=10).parameters
    assert (p.polish, p.blend, p.held_out) == (0, 0, 0)


def test_the_result_is_a_weighted_mean_of_both_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admm_module, "LEARNED", 1)
    monkeypatch.setattr(admm_module, "MISSED", np.inf)
    options = {**TINY, "polish": 2, "output_dtype": "float32"}
    both = restore(image_of(), **(options | {"blend": 3}))
    assert [(s.iteration, s.total) for s in both.steps] == [(k, 8) for k in range(1, 9)]
    first = restore(image_of(), preset="preview", iterations=3, sigma=10, output_dtype="float32")
    second = restore(image_of(), **options)
    share = admm_module.SHARE
    expected = (1 - share) * first.image + share * second.image
    np.testing.assert_allclose(both.image, expected, atol=0.01)


def test_a_network_that_misses_the_data_counts_for_little() -> None:
    options = TINY | {"blend": 3, "iterations": 150, "sigma": 0.5, "output_dtype": "float32"}
    result = restore(image_of(), **options)
    first = restore(image_of(), preset="preview", iterations=3, sigma=0.5, output_dtype="float32")
    second = restore(image_of(), **(options | {"blend": 0}))
    away = np.abs(second.image - first.image).mean()
    assert 0 < np.abs(result.image - first.image).mean() < 0.05 * away


def test_a_network_that_fills_holes_with_something_else_counts_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def bright_in_holes(problem: Problem, p: Parameters) -> Iterator[State]:
        assert problem.observed is not None
        x = torch.where(problem.observed, problem.start, torch.ones(()))
        zero = torch.zeros(())
        yield State(p.iterations, x, loss=zero, residual=zero, final=True)

    monkeypatch.setattr(admm_module, "admm", bright_in_holes)
    options = TINY | {
        "mask": stripes_of(),
        "blend": 3,
        "iterations": 200,
        "output_dtype": "float32",
    }
    first = restore(image_of(), stripes_of(), preset="preview", iterations=3, sigma=10).image
    careful = restore(image_of(), **options).image
    assert np.abs(careful - first).max() < 3
    monkeypatch.setattr(admm_module, "APART", 1e9)
    assert np.abs(restore(image_of(), **options).image - first).max() > 20


def test_a_short_run_stays_near_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admm_module, "MISSED", np.inf)
    options = {**TINY, "blend": 3, "polish": 2, "output_dtype": "float32", "iterations": 15}
    result = restore(image_of(), **options)
    first = restore(image_of(), preset="preview", iterations=3, sigma=10, output_dtype="float32")
    second = restore(image_of(), **(options | {"blend": 0}))
    share = admm_module.SHARE * 15 / admm_module.LEARNED
    expected = (1 - share) * first.image + share * second.image
    np.testing.assert_allclose(result.image, expected, atol=0.01)


def test_a_run_that_is_stopped_early_keeps_what_the_first_one_came_to() -> None:
    control = Control()
    run = solve(image_of(), **(TINY | {"blend": 3, "iterations": 1000}), control=control)
    for record in run:
        if isinstance(record, Step) and record.iteration == 4:
            control.stop()
    assert isinstance(record, Result)
    first = restore(image_of(), preset="preview", iterations=3, sigma=10)
    assert np.abs(record.image.astype(float) - first.image).max() <= 1


class _Scripted:
    """Held-out samples of which the error falls until an iteration, and rises after it."""

    turn = 30

    def __init__(self) -> None:
        self.fitted = torch.ones(())
        self.looks = 0

    def error(self, x: torch.Tensor) -> torch.Tensor:
        self.looks += 1
        return torch.tensor(1 + abs(self.looks * stopping.LOOK_EVERY - self.turn) / 100)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> _Scripted:
    held_out = _Scripted()
    monkeypatch.setattr(stopping.HeldOut, "of", lambda *_: held_out)
    return held_out


@pytest.mark.parametrize("polish", [0, 2])
@pytest.mark.parametrize("stride", [1, 10])
def test_a_run_ends_with_the_image_of_the_least_held_out_error(
    scripted: _Scripted, monkeypatch: pytest.MonkeyPatch, polish: int, stride: int
) -> None:
    monkeypatch.setattr(admm_module, "look_every", lambda device: stride)
    monkeypatch.setattr(admm_module, "LEARNED", 1)
    monkeypatch.setattr(admm_module, "MISSED", np.inf)
    options = TINY | {"blend": 4, "polish": polish, "output_dtype": "float32"}
    result = restore(image_of(), **(options | {"iterations": 1000}))
    ended = 4 + scripted.turn + stopping.PATIENCE + polish
    assert (result.steps[-1].iteration, result.stop_reason) == (ended, "held-out error")
    assert result.kept == 4 + scripted.turn
    assert result.provenance()["kept"] == result.kept
    assert all(np.isfinite(s.loss) and s.loss > 0 for s in result.steps)
    monkeypatch.setattr(stopping.HeldOut, "of", lambda *_: None)
    until_then = restore(image_of(), **(options | {"iterations": scripted.turn}))
    np.testing.assert_allclose(result.image, until_then.image, atol=0.01)
    assert (until_then.kept, until_then.stop_reason) == (None, "iterations")


def test_a_run_that_is_stopped_keeps_the_image_of_the_least_error_too(
    scripted: _Scripted,
) -> None:
    control = Control()
    for record in solve(image_of(), **(TINY | {"iterations": 1000}), control=control):
        if isinstance(record, Step) and record.iteration == scripted.turn + 25:
            control.stop()
    assert isinstance(record, Result)
    assert (record.kept, record.stop_reason) == (scripted.turn, "stopped")


def test_held_out_samples_are_not_fitted(
    scripted: _Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = Problem.misfit

    def misfit(self: Problem, hx: torch.Tensor, fitted: torch.Tensor | None = None) -> Any:
        seen.append(fitted)
        return real(self, hx, fitted)

    monkeypatch.setattr(Problem, "misfit", misfit)
    restore(image_of(), **TINY)
    assert len(seen) == 3
    assert all(fitted is scripted.fitted for fitted in seen)


def test_what_the_result_is_made_of() -> None:
    images = {}
    for iterate in ITERATES:
        options = {"iterate": iterate, "output_dtype": "float32", "average": 0.0, "iterations": 8}
        result = restore(image_of(), **(TINY | options))
        images[iterate] = result.image.astype(float) / 255
    away = np.sqrt(np.square(images["x"] - images["network"]).mean())
    assert away == pytest.approx(result.steps[-1].residual, rel=0.02)
    assert not np.allclose(images["x"], images["x-u"])


class _Jump(torch.optim.Adam):
    """Adam whose 45th step wrecks the network, once."""

    steps, wrecked = 0, False

    def step(self, closure: Any = None) -> Any:
        self.steps += 1
        if self.steps == 45 and not _Jump.wrecked:
            _Jump.wrecked = True
            with torch.no_grad():
                for group in self.param_groups:
                    for weights in group["params"]:
                        weights.neg_()
        return super().step(closure)


def test_a_sudden_fall_goes_back_to_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.optim, "Adam", _Jump)
    options = TINY | {"iterations": 60, "regulariser": "none", "learning_rate": 0.01}
    losses = {}
    for restart, told in ((0.0, []), (3.0, [46])):
        monkeypatch.setattr(_Jump, "wrecked", False)
        steps = restore(image_of(), restart=restart, **options).steps
        assert [s.iteration for s in steps if "back to the last good state" in s.note] == told
        losses[restart] = [s.loss for s in steps]
    assert losses[0.0][45] > 10 * losses[0.0][44]
    assert losses[3.0][45] == losses[3.0][44]  # that of the wrecked network is not shown
    assert losses[3.0][-1] < losses[0.0][-1] / 3


def test_a_run_that_falls_all_the_time_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping.Fall, "seen", lambda *_: True)
    steps = restore(image_of(), restart=3.0, **(TINY | {"iterations": 100})).steps
    backs = [s.iteration for s in steps if "back to the last good state" in s.note]
    assert backs == [22, 42, 62, 82]  # once after each copy of the state, which is made anew
    assert steps[-1].loss < steps[0].loss


def test_a_run_ends_where_its_image_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(
        stopping.Settled, "update", lambda _, image: looks.append(image) or len(looks) == 3
    )
    options = TINY | {"iterations": 1000, "polish": 2, "blend": 4}
    result = restore(image_of(), settle=0.01, **options)
    assert (result.steps[-1].iteration, result.stop_reason) == (4 + 30 + 2, "settled")
    assert (result.kept, len(looks)) == (None, 3)


def _spoilt(
    monkeypatch: pytest.MonkeyPatch, spoil: Callable[[int], bool], *, weights: bool = False
) -> None:
    """Let f, or the weights after f, become NaN in the calls that are named, from 1."""

    def broken(problem: Problem, p: Parameters) -> Iterator[State]:
        calls, original, networks = 0, problem.denoiser, list[torch.nn.Module]()
        build = admm_module.build_network

        def keep(*args: Any) -> Any:
            networks.append(build(*args))
            return networks[-1]

        monkeypatch.setattr(admm_module, "build_network", keep)

        def denoise(x: torch.Tensor, sigma: float | torch.Tensor) -> torch.Tensor:
            nonlocal calls
            calls += 1
            if spoil(calls) and weights:
                next(networks[-1].parameters()).data.fill_(float("nan"))
            f = original(x, sigma)
            return f * float("nan") if spoil(calls) and not weights else f

        yield from admm_module.admm(dataclasses.replace(problem, denoiser=denoise), p)

    monkeypatch.setitem(module.SOLVERS, "dred", broken)


@pytest.mark.parametrize("stride", [1, 10])
@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("at", [1, 20, 21, 22, 40, 59])
def test_non_finite_numbers_go_back_to_a_good_state_and_are_said(
    monkeypatch: pytest.MonkeyPatch, stride: int, weights: bool, at: int
) -> None:
    """Also on the schedule of a GPU, which looks at the loss at every tenth iteration only."""
    real = admm_module.look_every
    monkeypatch.setattr(admm_module, "look_every", lambda device: stride or real(device))
    _spoilt(monkeypatch, lambda call: call == at, weights=weights)
    result = restore(image_of(), denoise_every=1, **(TINY | {"iterations": 60}))
    assert sum("not finite" in n for n in result.notes) == 1
    assert result.image.std() > 1
    assert all(np.isfinite(s.loss) and np.isfinite(s.residual) for s in result.steps)


def test_numbers_that_stay_non_finite_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _spoilt(monkeypatch, lambda call: True)
    with pytest.raises(RestorationError, match="still not finite"):
        restore(image_of(), denoise_every=1, **(TINY | {"iterations": 60}))
