"""Holes filled by a network: what it is given, and that it fills them better."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

import napari_dred.core.restore as restore_module
from napari_dred import Result, Step, restore, solve
from napari_dred.core import hqs
from napari_dred.core.control import Control
from napari_dred.core.denoisers.base import HIGHEST_LEVEL, HOLE
from napari_dred.core.denoisers.build import build_filler
from napari_dred.core.fill import LAST_CALLS, PASSES, fill, mixed
from napari_dred.core.operators import Mask
from napari_dred.core.problem import Problem

CPU = torch.device("cpu")


class _Watched:
    """A network that answers 0.9 everywhere and remembers what it was given."""

    def __init__(self) -> None:
        self.calls = list[tuple[Tensor, Tensor, int]]()

    def __call__(self, x: Tensor, sigma: float | Tensor, view: int = 0) -> Tensor:
        assert isinstance(sigma, Tensor)
        self.calls.append((x.clone(), sigma.clone(), view))
        return torch.full_like(x, 0.9)


def _problem(observed: Tensor, filler: _Watched, **changes: object) -> Problem:
    y = torch.rand(1, 1, *observed.shape[-2:], generator=torch.Generator().manual_seed(0)) / 2
    problem = Problem(
        y=y * observed,
        start=torch.where(observed, y, 0.3),
        operator=Mask(observed),
        sigma=0.1,
        denoiser=lambda x, _sigma, _view=0: x,
        bfloat16=False,
        check=lambda: None,
        observed=observed,
        filler=filler,
    )
    return dataclasses.replace(problem, **changes)  # type: ignore[arg-type]


def _with_bar(side: int, width: int) -> Tensor:
    observed = torch.ones(1, 1, side, side, dtype=torch.bool)
    observed[..., 20 : 20 + width] = False
    return observed


def test_each_call_gets_the_data_and_what_the_last_one_made_of_the_holes():
    observed = _with_bar(40, 1)
    f = _Watched()
    problem = _problem(observed, f)
    assert len(list(fill(problem, 3))) == len(f.calls) == 3
    assert [view for _, _, view in f.calls] == [0, 1, 2]
    for (x, level, _), filling in zip(f.calls, (0.3, 0.9, 0.9), strict=True):
        torch.testing.assert_close(x[observed], problem.y[observed])
        torch.testing.assert_close(x[~observed], torch.full_like(x[~observed], filling))
        assert (level[~observed] == HOLE).all()
        torch.testing.assert_close(level[observed], torch.full_like(level[observed], 0.1))


def test_a_sample_is_missing_of_its_own_channel_only():
    observed = torch.ones(1, 3, 40, 40, dtype=torch.bool)
    observed[:, 1, 7, 7] = False
    f = _Watched()
    y = torch.full((1, 3, 40, 40), 0.5)
    problem = _problem(observed, f, y=y * observed, start=y)
    *_, x = fill(problem, 3)
    for _, level, _ in f.calls:
        assert level.shape == x.shape
        assert (level == HOLE).sum() == 1
        assert level[0, 1, 7, 7] == HOLE


def test_a_run_stopped_while_holes_are_filled_keeps_the_image():
    clean, y, mask = _scratched(colour=False)
    control = Control()
    for record in solve(y, mask, preset="preview", control=control):
        if isinstance(record, Step):
            assert record.iteration <= 2
            control.stop()
    assert isinstance(record, Result)
    assert record.stop_reason == "stopped"
    assert np.abs(record.image[mask].astype(float) - clean[mask]).mean() < 20


def test_levels_above_those_of_the_training_are_not_taken_for_holes():
    observed, f = _with_bar(40, 1), _Watched()
    list(fill(_problem(observed, f, sigma=1.5), 1))
    (_, level, _) = f.calls[0]
    assert (level[observed] == HIGHEST_LEVEL).all()


def test_each_sample_has_its_own_level():
    relative = torch.rand(1, 1, 40, 40) + 0.5
    f = _Watched()
    list(fill(_problem(_with_bar(40, 1), f, level=relative), 1))
    (_, level, _) = f.calls[0]
    torch.testing.assert_close(level[..., :20], 0.1 * relative[..., :20])


def test_wide_holes_are_filled_at_smaller_sizes_first():
    f = _Watched()
    made = list(fill(_problem(_with_bar(128, 40), f), 3))
    assert len(made) == 3
    assert {x.shape for x in made} == {(1, 1, 128, 128)}
    sides = [x.shape[-1] for x, _, _ in f.calls]
    assert sides == [64] * (PASSES + 1) + [128] * 2
    x, _, _ = f.calls[-2]
    torch.testing.assert_close(x[..., 26], torch.full_like(x[..., 26], 0.9))


def test_in_holes_the_mean_of_both_is_the_result_and_elsewhere_nothing_changes():
    observed = _with_bar(40, 3)
    problem = _problem(observed, _Watched())
    x = torch.full((1, 1, 40, 40), 0.5)
    made = mixed(problem, x)
    torch.testing.assert_close(made[observed], x[observed])
    torch.testing.assert_close(made[~observed], torch.full_like(x[~observed], 0.7))


def test_holes_as_wide_as_it_was_trained_for_are_filled_as_they_are():
    f = _Watched()
    list(fill(_problem(_with_bar(128, 18), f), 3))
    assert {x.shape[-1] for x, _, _ in f.calls} == {128}


def test_after_the_first_passes_the_mean_of_the_views_is_given():
    answers = [torch.full((1, 1, 40, 40), float(v)) for v in (0.1, 0.2, 0.4, 0.6, 0.8)]
    given = list[Tensor]()

    def f(x: Tensor, _sigma: float | Tensor, view: int = 0) -> Tensor:
        given.append(x)
        return answers[view]

    observed = _with_bar(40, 1)
    made = [float(x[0, 0, 0, 0]) for x in fill(_problem(observed, f), 5)]  # type: ignore[arg-type]
    assert made == pytest.approx([0.1, 0.2, 0.4, 0.5, 0.6])
    assert [float(x[~observed][0]) for x in given] == pytest.approx([0.3, 0.1, 0.2, 0.2, 0.2])


def test_samples_that_were_cut_off_are_taken_for_more_than_they_say():
    f = _Watched()
    problem = _problem(_with_bar(40, 1), f, limits=(0.0, 0.5))
    problem.y[..., :10] = 0.5
    list(fill(problem, 2))
    assert (f.calls[0][0][..., :10] == 0.5).all()
    assert (f.calls[1][0][..., :10] > 0.5).all()


@pytest.mark.parametrize("count", [5, 6, 24])
def test_a_third_of_the_steps_of_hqs_and_the_last_one_fill(count: int):
    f = _Watched()
    states = list(hqs.descend(_problem(_with_bar(40, 1), f), count))
    assert [s.iteration for s in states] == list(range(1, count + 1))
    assert len(f.calls) == (count // 3 + LAST_CALLS if count >= hqs.LEAST_STEPS else 0)


def _scratched(colour: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    clean = data.astronaut()[:160, 140:300] if colour else data.camera()[60:220, 160:320]
    mask = np.zeros(clean.shape[:2], bool)
    mask[8::32] = mask[9::32] = mask[10::32] = mask[11::32] = True
    noise = np.random.default_rng(0).normal(scale=10, size=clean.shape)
    return clean, np.rint(clean + noise).clip(0, 255).astype(np.uint8), mask


@pytest.mark.parametrize("colour", [False, True])
def test_it_fills_better_than_the_denoiser_alone(colour: bool, monkeypatch: pytest.MonkeyPatch):
    clean, y, mask = _scratched(colour)

    def error() -> float:
        made = restore(y, mask, preset="preview", iterations=9, threads=1).image
        return float(np.square(made[mask].astype(float) - clean[mask]).mean())

    with_it = error()
    monkeypatch.setattr(restore_module, "build_filler", lambda *_args, **_options: None)
    assert with_it < 0.95 * error()


def test_it_is_left_out_where_nothing_is_missing_or_h_is_not_pointwise(
    monkeypatch: pytest.MonkeyPatch,
):
    def refuse(*_args: object, **_options: object) -> None:
        pytest.fail("a network to fill holes was made")

    monkeypatch.setattr(restore_module, "build_filler", refuse)
    _, y, mask = _scratched(colour=False)
    restore(y, preset="preview", noise="gaussian")
    restore(y, mask, preset="preview", noise="gaussian", blur_sigma=1.5, iterations=1)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_there_is_one_for_ffdnet_with_the_shipped_weights_only(channels: int):
    options = {"device": CPU, "bfloat16": False, "check": lambda: None}
    assert build_filler("ffdnet", channels, path=None, **options) is not None
    assert build_filler("ffdnet", channels, path="mine.pth", **options) is None
    for name in ("dncnn", "tnrd", "nlm", "bm3d"):
        assert build_filler(name, channels, path=None, **options) is None
