"""The denoiser fitted to the image."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from napari_dred import Control, InputError, Parameters, Plan, Result, Step, plan, restore, solve
from napari_dred.core import adapt as adapt_module
from napari_dred.core.adapt import adapt
from napari_dred.core.denoisers.base import NetworkDenoiser
from napari_dred.core.given import check
from napari_dred.core.problem import Problem
from napari_dred.core.restore import _problem

from .conftest import TINY, image_of, stripes_of

FEW: dict[str, Any] = {"preset": "preview", "iterations": 2, "sigma": 20, "output_dtype": "float32"}


def tiles(side: int) -> NDArray[np.float64]:
    """A picture that looks alike everywhere, as few photographs do."""
    rows, columns = np.mgrid[:side, :side] - side / 2
    return 128 + 60 * np.sign(np.sin(rows / 3) * np.sin(columns / 3))


def problem_of(image: NDArray[Any], **options: Any) -> Problem:
    given = check(image, None, None, Parameters(preset="preview", **options))
    return _problem(given, Control())


def fitted_to(problem: Problem) -> Problem:
    run = adapt(problem, 3, seed=0)
    while True:
        try:
            next(run)
        except StopIteration as end:
            assert isinstance(end.value, Problem)
            return end.value


def left_out(told: Plan, why: str) -> bool:
    return told.parameters.adapt == 0 and any(why in note for note in told.notes)


def test_the_result_comes_nearer_to_the_truth() -> None:
    clean = tiles(80)
    noisy = clean + np.random.default_rng(0).normal(0, 20, clean.shape)
    plain = restore(noisy, **FEW).image
    fitted = restore(noisy, **FEW, adapt=20).image

    def error(x: NDArray[Any]) -> float:
        return float(np.square(x - clean).mean())

    assert error(fitted) < 0.98 * error(plain)


@pytest.mark.parametrize(
    "options",
    [
        {"mask": stripes_of()},
        {"scale": 4, "iterations": 6},
        {"mask": stripes_of(), "scale": 2, "blur_sigma": 1.0},
    ],
    ids=["mask", "scale 4", "all"],
)
def test_it_goes_with_every_damage(options: dict[str, Any]) -> None:
    image = image_of(channels=2)
    plain = restore(image, **(FEW | options)).image
    fitted = restore(image, **(FEW | options), adapt=2).image
    assert np.isfinite(fitted).all()
    assert fitted.shape == plain.shape
    assert 0 < np.abs(fitted - plain).mean() < 2


def test_its_steps_come_first_and_count() -> None:
    result = restore(image_of(), **(TINY | {"adapt": 4, "polish": 1}))
    assert [(s.iteration, s.total) for s in result.steps] == [(k, 8) for k in range(1, 9)]
    assert all(np.isfinite([s.loss, s.residual]).all() for s in result.steps)


def test_the_same_seed_gives_the_same_result_and_another_one_another() -> None:
    first, again, other = (
        restore(image_of(), **FEW, adapt=3, seed=seed, threads=1).image for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_problem_keeps_its_denoiser() -> None:
    problem = problem_of(image_of(), sigma=20)
    assert isinstance(problem.denoiser, NetworkDenoiser)
    before = {k: v.clone() for k, v in problem.denoiser.network.state_dict().items()}
    fitted = fitted_to(problem).denoiser
    assert isinstance(fitted, NetworkDenoiser)
    after = problem.denoiser.network.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert any(not torch.equal(before[k], v) for k, v in fitted.network.state_dict().items())
    assert not any(w.requires_grad for w in fitted.network.parameters())


def test_both_copies_have_independent_errors() -> None:
    noisy = 128 + np.random.default_rng(1).normal(0, 20, (96, 96))
    fit = adapt_module._Fit(problem_of(noisy, sigma=20), seed=0)
    first, second = fit._pair((..., slice(None), slice(None)))
    errors = torch.stack([first - first.mean(), second - second.mean()]).flatten(1)
    assert abs(float(torch.corrcoef(errors)[0, 1])) < 0.06


def test_three_channels_are_fitted_at_once() -> None:
    problem = problem_of(image_of(channels=3), sigma=20)
    fitted = fitted_to(problem).denoiser
    assert not torch.equal(fitted(problem.y, 0.1), problem.denoiser(problem.y, 0.1))


def test_what_is_missing_is_not_learned() -> None:
    given = check(image_of(), stripes_of(), None, Parameters(preset="preview", sigma=20))
    problem = _problem(given, Control())
    assert problem.observed is not None
    other = dataclasses.replace(problem, y=torch.where(problem.observed, problem.y, torch.ones(())))
    first, second = (adapt_module._Fit(q, seed=0) for q in (problem, other))
    first.first = second.first  # what holes are filled with
    for fit in (first, second):
        fit.step(1, 1.0)
    weights = zip(first.network.parameters(), second.network.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)


def test_of_an_image_that_is_mostly_missing_nothing_is_learned() -> None:
    mask = np.random.default_rng(5).random(image_of().shape) < 0.7
    told = plan(image_of(), mask, preset="preview", sigma=20, adapt=5)
    assert left_out(told, "most of it is missing")


def test_a_method_without_a_denoiser_is_not_given_one() -> None:
    told = plan(image_of(), method="dip", sigma=20, adapt=5)
    assert left_out(told, "'dip' has no denoiser")


def test_correlated_noise_is_not_learned() -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 25, (301, 301))
    noise = (noise[1:, 1:] + noise[:-1, 1:] + noise[1:, :-1] + noise[:-1, :-1]) / 2
    told = plan(128 + noise, preset="preview", adapt=5)
    assert told.correlation
    assert left_out(told, "would be learned as structure")


def test_photon_noise_is_not_learned() -> None:
    clean = np.tile(np.repeat(np.linspace(20, 220, 5), 40), (120, 1))
    noisy = clean + np.sqrt(2 * clean) * np.random.default_rng(6).normal(size=clean.shape)
    told = plan(noisy, preset="preview", adapt=5)
    assert told.photon_noise
    assert left_out(told, "grows with the signal")


def test_without_noise_there_is_nothing_to_learn() -> None:
    told = plan(image_of(), preset="preview", sigma=2, adapt=5)
    assert left_out(told, "too little noise")


@pytest.mark.parametrize("options", [{"denoiser": "nlm"}, {"method": "deepred"}], ids=str)
def test_a_denoiser_that_cannot_learn_is_named(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="adapt is 5, but the denoiser is 'nlm'"):
        plan(image_of(), sigma=20, adapt=5, **options)


def test_it_takes_time_and_memory() -> None:
    without, few, many = (plan(image_of(), **FEW, adapt=n) for n in (0, 1, 50))
    assert without.seconds < few.seconds < many.seconds
    assert without.memory < few.memory == many.memory


def test_an_image_without_noise_stays_as_it_is() -> None:
    even = np.full((32, 32), 60.0)
    even[:, 16:] = 200
    np.testing.assert_allclose(restore(even, **FEW, adapt=2).image, even, atol=15)


def test_a_run_that_is_stopped_meanwhile_gives_an_image() -> None:
    control = Control()
    for record in solve(image_of(), **FEW, adapt=1000, control=control):
        if isinstance(record, Step) and record.iteration == 3:
            control.stop()
    assert isinstance(record, Result)
    assert record.stop_reason == "stopped"
    whole = restore(image_of(), **(FEW | {"iterations": 6})).image
    np.testing.assert_allclose(record.image, whole, atol=0.1)
