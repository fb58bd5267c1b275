"""One plane from array to array: what `plan`, `solve` and `restore` promise."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from skimage import data

from napari_dred import (
    Control,
    InputError,
    Parameters,
    Plan,
    RestorationError,
    Result,
    Step,
    plan,
    restore,
    solve,
)
from napari_dred.core import given as checking
from napari_dred.core import restore as module
from napari_dred.core.control import Interrupted
from napari_dred.core.networks import layers
from napari_dred.core.problem import Problem, State

from .conftest import TINY, image_of

QUICK: dict[str, Any] = {"preset": "preview", "iterations": 4}


def _mse(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.mean((a.astype(float) - b) ** 2))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
@pytest.mark.parametrize("method", [TINY, QUICK])
def test_result_has_the_inputs_shape_and_dtype(
    dtype: type, channels: int | None, method: dict[str, Any]
) -> None:
    image = image_of(dtype, channels)
    before = image.copy()
    result = restore(image, **method)
    assert result.image.shape == image.shape
    assert result.image.dtype == image.dtype
    np.testing.assert_array_equal(image, before)
    as_float = restore(image, output_dtype="float32", **method)
    assert as_float.image.dtype == np.float32


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_super_resolution_has_the_larger_shape(scale: int) -> None:
    image = image_of(channels=3)
    result = restore(image, scale=scale, **TINY)
    assert result.image.shape == (32 * scale, 40 * scale, 3)
    assert result.plan.shape == result.image.shape
    assert result.plan.task == "sr"


@settings(max_examples=8)
@given(h=st.integers(8, 41), w=st.integers(8, 41))
def test_any_size(h: int, w: int) -> None:
    image = data.camera()[:h, :w]
    assert restore(image, iterations=1, width=8, sigma=5).image.shape == (h, w)


def test_records_are_a_plan_then_steps_then_a_result() -> None:
    plan_, *steps, result = list(solve(image_of(), **TINY))
    assert isinstance(plan_, Plan)
    assert isinstance(result, Result)
    assert all(isinstance(s, Step) for s in steps)
    assert [s.iteration for s in steps] == [1, 2, 3]
    assert result.steps == tuple(steps)
    assert result.stop_reason == "iterations"
    assert plan_ == result.plan


@pytest.mark.parametrize(
    ("at", "said"), [((5, 5), ""), ((5, 4), "-1.0 columns"), ((8, 5), "+3.0 rows")]
)
def test_a_psf_off_its_middle_is_said(at: tuple[int, int], said: str) -> None:
    psf = np.zeros((11, 11))
    psf[at] = 1
    notes = " ".join(plan(image_of(), psf=psf, **QUICK).notes)
    assert ("middle of the PSF" in notes) == bool(said)
    assert said in notes
    assert "middle of the PSF" not in " ".join(plan(image_of(), psf=np.ones((4, 4)), **QUICK).notes)


def test_samples_too_large_to_compute_with_are_refused() -> None:
    with pytest.raises(InputError, match=r"samples of size 2e\+300, too large"):
        plan(np.full((16, 16), -2e300), **QUICK)


def test_plan_is_the_plan_of_the_run() -> None:
    mask = np.zeros((32, 40), bool)
    mask[4:6] = True
    before = plan(image_of(), mask)
    first = next(solve(image_of(), mask))
    assert isinstance(first, Plan)
    assert (before.task, before.sigma, before.missing) == ("inpaint", first.sigma, 80)
    assert before.sigma_estimated
    assert any("estimated" in n for n in before.notes)
    assert before.memory > 0
    assert before.seconds > 0


def _runs(seed: int) -> NDArray[Any]:
    return restore(image_of(channels=3), seed=seed, threads=1, **TINY).image


def test_same_seed_same_bits_and_the_global_generator_is_left_alone() -> None:
    state = torch.random.get_rng_state()
    first = _runs(1)
    torch.rand(7)
    np.testing.assert_array_equal(first, _runs(1))
    assert not np.array_equal(first, _runs(2))
    torch.random.set_rng_state(state)
    _runs(1)
    assert torch.equal(state, torch.random.get_rng_state())


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    for record in solve(image_of(), threads=2, **TINY):
        assert torch.get_num_threads() == before, record


@pytest.mark.parametrize("method", [TINY | {"iterations": 60, "polish": 6}, QUICK])
def test_noise_gets_less_and_holes_are_filled(method: dict[str, Any]) -> None:
    clean = data.astronaut()[0:96, 160:256]
    rng = np.random.default_rng(0)
    noisy = np.clip(clean + rng.normal(0, 20, clean.shape), 0, 255).astype(np.uint8)
    mask = rng.random(clean.shape[:2]) < 0.1
    damaged = np.where(mask[..., None], 0, noisy).astype(np.uint8)
    options = {"width": 32, "depth": 3, "learning_rate": 0.01} if "width" in method else {}
    result = restore(damaged, mask, **(method | {"sigma": 20} | options))
    assert _mse(result.image, clean) < 0.5 * _mse(noisy, clean)
    assert _mse(result.image[mask], clean[mask]) < _mse(noisy[mask], clean[mask])


def test_blur_is_undone() -> None:
    clean = data.camera()[100:180, 200:290].astype(np.float64)
    blurred = ndimage.gaussian_filter(clean, 1.5, mode="reflect")
    result = restore(blurred, blur_sigma=1.5, sigma=0.5, preset="preview")
    assert _mse(result.image, clean) < 0.6 * _mse(blurred, clean)
    assert result.plan.task == "deblur"


def test_kept_pixels_are_kept_bit_for_bit() -> None:
    image, mask = image_of(np.float32, 3), np.zeros((32, 40), bool)
    mask[8:12, 5:30] = True
    image[20, 20, 1] = np.nan
    result = restore(image, mask, keep_observed=True, **TINY)
    kept = ~mask[..., None] & np.isfinite(image)
    np.testing.assert_array_equal(result.image[kept], image[kept])
    assert np.isfinite(result.image).all()


def test_samples_that_are_not_finite_are_missing_and_said() -> None:
    image = image_of(np.float32)
    image[3, 4], image[5, 6] = np.nan, np.inf
    result = restore(image, **TINY)
    assert np.isfinite(result.image).all()
    assert result.plan.missing == 2
    assert result.plan.task == "denoise"  # a broken sample does not change the task
    assert restore(image, task="inpaint", **TINY).plan.task == "inpaint"
    assert any(n.startswith("2 pixel(s) are NaN or infinite") for n in result.notes)


@pytest.mark.parametrize("preset", ["preview", "default"])
def test_a_bright_bead_keeps_its_peak(preset: str) -> None:
    yy, xx = np.mgrid[:64, :64]
    bead = np.exp(-((yy - 30) ** 2 + (xx - 35) ** 2) / (2 * 2.0**2))
    clean = 200 * (1 + 49 * bead)
    noisy = clean + np.random.default_rng(0).normal(0, 20, clean.shape)
    image = np.clip(noisy.round(), 0, 65535).astype(np.uint16)
    options = {"iterations": 60} if preset == "default" else {}
    result = restore(image, preset=preset, sigma=20, **options)
    assert result.image.max() == pytest.approx(clean.max(), rel=0.05)
    assert np.median(result.image) == pytest.approx(200, rel=0.1)


def _with_salt() -> tuple[NDArray[Any], NDArray[Any]]:
    clean = data.astronaut()[60:124, 150:230]
    return clean, np.where(np.random.default_rng(0).random(clean.shape) < 0.1, np.uint8(255), clean)


def test_impulses_are_replaced_and_said() -> None:
    clean, salted = _with_salt()
    result = restore(salted, **QUICK)
    assert 0.05 * salted.size < result.plan.impulses < 0.12 * salted.size
    assert result.plan.missing == 0
    assert any("Impulse noise" in note for note in result.notes)
    assert _mse(result.image, clean) < 0.05 * _mse(salted, clean)


def test_impulses_stay_where_the_noise_is_said_to_be_gaussian() -> None:
    _, salted = _with_salt()
    assert plan(salted, noise="gaussian", preset="preview").impulses == 0


def test_it_is_said_that_there_are_no_impulses() -> None:
    notes = plan(_with_salt()[0], noise="impulse", preset="preview").notes
    assert any("No impulse noise" in note for note in notes)


def test_kept_pixels_are_kept_even_where_they_are_impulses() -> None:
    clean, salted = _with_salt()
    mask = np.zeros(clean.shape[:2], bool)
    mask[20:24] = True
    result = restore(salted, mask, keep_observed=True, **QUICK)
    assert result.plan.impulses > 0
    np.testing.assert_array_equal(result.image[~mask], salted[~mask])
    assert _mse(result.image[mask], clean[mask]) < 0.2 * _mse(salted[mask], clean[mask])


@pytest.mark.parametrize("alpha", [1, 3])
def test_gray_kept_as_colour_is_restored_as_gray(alpha: int) -> None:
    noisy = data.camera()[100:164, 200:272] // 2 + 60
    noisy = (noisy + np.random.default_rng(0).normal(0, 15, noisy.shape)).astype(np.uint8)
    gray = restore(noisy, **QUICK)
    colour = restore(np.repeat(noisy[..., None], alpha, -1), **QUICK)
    assert colour.image.shape == (*noisy.shape, alpha)
    assert colour.plan.sigma == gray.plan.sigma > 5
    for k in range(alpha):
        np.testing.assert_array_equal(colour.image[..., k], gray.image)


@pytest.mark.parametrize(("share", "said"), [(0.5, False), (0.7, True)])
def test_a_mask_that_may_be_the_wrong_way_round_is_said(share: float, said: bool) -> None:
    rng = np.random.default_rng(0)
    image, mask = rng.random((64, 64)), rng.random((64, 64)) < share
    notes = plan(image, mask, preset="preview").notes
    assert any("invert it" in note for note in notes) is said


def test_a_mask_that_marks_nothing_is_said() -> None:
    notes = plan(image_of(), np.zeros(image_of().shape[:2]), preset="preview").notes
    assert any("marks no pixel" in note for note in notes)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_result_follows_the_scale_of_the_samples(dtype: type) -> None:
    image = image_of(np.float64)
    one = restore(image.astype(dtype), sigma=10, preset="preview", output_dtype="float32")
    seven = restore((7 * image).astype(dtype), sigma=70, preset="preview", output_dtype="float32")
    np.testing.assert_allclose(seven.image, 7 * one.image, rtol=0.02, atol=1)


def test_image_comes_when_asked_for() -> None:
    control = Control()
    steps = []
    for record in solve(image_of(np.uint16), control=control, **TINY):
        if isinstance(record, Step):
            steps.append(record)
            if record.iteration == 1:
                control.request_image()
    images = [s.image for s in steps]
    assert images[0] is None
    assert images[2] is None
    assert images[1] is not None
    assert images[1].shape == (32, 40)
    assert images[1].dtype == np.float32
    assert 0 < images[1].mean() < 255


def test_stop_keeps_the_image_so_far() -> None:
    control = Control()
    for record in solve(image_of(), control=control, **(TINY | {"iterations": 1000})):
        if isinstance(record, Step) and record.iteration == 2:
            control.stop()
    assert isinstance(record, Result)
    assert record.stop_reason == "stopped"
    assert record.provenance()["iterations"] == 2
    assert record.image.shape == (32, 40)


def test_stop_before_the_first_step_says_that_there_is_no_image() -> None:
    control = Control()
    control.stop()
    with pytest.raises(RestorationError, match="no image yet"):
        restore(image_of(), control=control, **TINY)


def test_cancel_gives_no_result() -> None:
    control = Control()
    records = []
    for record in solve(image_of(), control=control, **(TINY | {"iterations": 1000})):
        records.append(record)
        if isinstance(record, Step):
            control.cancel()
    assert len(records) == 2
    with pytest.raises(RestorationError, match="cancelled"):
        restore(image_of(), control=control, **TINY)


def test_stop_ends_a_paused_run_and_outlasts_a_later_pause() -> None:
    control = Control()
    control.stop()
    control.pause()
    assert not control.paused
    with pytest.raises(Interrupted):
        control.check()


@pytest.mark.parametrize("options", [{}, {"scale": 4}, {"blur_sigma": 2}])
def test_stop_during_the_setup_ends_there(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    control = Control()
    monkeypatch.setattr(module, "SOLVERS", {"dred": None})  # to call it would be an error
    run = solve(image_of(), control=control, **(TINY | options))
    next(run)
    control.stop()
    with pytest.raises(RestorationError, match="no image yet"):
        next(run)


@pytest.mark.parametrize("strip", [1, 2**12, 2**34])
def test_strips_of_a_convolution_change_nothing(
    monkeypatch: pytest.MonkeyPatch, strip: int
) -> None:
    whole = restore(image_of(channels=3), precision="float32", threads=1, **TINY)
    monkeypatch.setattr(layers, "STRIP", strip)
    parts = restore(image_of(channels=3), precision="float32", threads=1, **TINY)
    np.testing.assert_allclose(parts.image, whole.image, atol=1)


def test_pause_waits_inside_a_step_and_resume_goes_on() -> None:
    control = Control()
    control.pause()
    done: list[Result] = []
    thread = threading.Thread(
        target=lambda: done.append(restore(image_of(), control=control, **TINY))
    )
    thread.start()
    time.sleep(0.5)
    assert thread.is_alive()
    assert not done
    control.resume()
    thread.join(30)
    assert len(done) == 1


def test_image_that_is_not_finite_is_never_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(problem: Problem, p: Parameters) -> Iterator[State]:
        one = torch.ones(())
        yield State(1, problem.start * float("nan"), one, one)

    monkeypatch.setitem(module.SOLVERS, "hqs", broken)
    with pytest.raises(RestorationError, match="not finite after iteration 1"):
        restore(image_of(), **QUICK)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "ran out of memory; use preset 'preview'"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "ran out of memory"),
        (MemoryError(), "ran out of memory"),
        (RuntimeError("odd"), "the run failed: odd"),
    ],
)
def test_failures_are_restoration_errors(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def failing(problem: Problem, p: Parameters) -> Iterator[State]:
        raise error
        yield

    monkeypatch.setitem(module.SOLVERS, "dred", failing)
    with pytest.raises(RestorationError, match=words):
        restore(image_of(), **TINY)


def test_too_large_is_refused_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "free_memory", lambda device: 2**20)
    with pytest.raises(RestorationError, match=r"takes about .* use preset 'preview'"):
        restore(image_of(), **TINY)


ODD = np.zeros((32, 40), bool)


@pytest.mark.parametrize(
    ("image", "options", "words"),
    [
        (np.zeros((4, 4, 4, 3)), {}, r"shape \(4, 4, 4, 3\)"),
        (np.zeros((20, 30, 40)), {}, "at most 16 channels"),
        (np.zeros((1, 1)), {}, "1 x 1 pixels; at least 8 x 8"),
        (np.zeros((0, 9)), {}, "0 x 9"),
        (np.zeros((9, 9), bool), {}, "bool"),
        (np.zeros((9, 9), complex), {}, "complex128"),
        (np.full((9, 9), np.nan), {}, "finite"),
        (image_of(), {"mask": np.ones((32, 40))}, "nothing is observed"),
        (image_of(), {"mask": np.ones((32, 41))}, r"\(32, 41\)"),
        (image_of(), {"mask": np.full((32, 40), "x")}, "mask's samples"),
        (image_of(), {"mask": np.ones((32, 40), complex)}, "mask's samples are complex128"),
        (image_of(), {"mask": np.where(np.eye(32, 40), np.nan, 0)}, r"no number \(NaN\)"),
        (image_of(), {"sigma": 200}, "more than half the range"),
        (image_of(np.float32) / 255, {"sigma": 25}, "same sample values"),
        (image_of(), {"sigma": -1}, "sigma is -1"),
        (image_of(), {"iterations": 0}, "iterations is 0"),
        (image_of(), {"scale": 5}, "scale is 5"),
        (image_of(), {"task": "inpaint"}, "needs a mask that marks"),
        (image_of(), {"task": "inpaint", "mask": np.zeros((32, 40))}, "marks at least one"),
        (np.array([-1.7e308, 1.7e308] * 50).reshape(10, 10), {"sigma": 0}, "too large"),
        (np.full((9, 9), 5.0), {"sigma": 1e6}, "more than half the range"),
        (np.stack([image_of(), image_of() * np.nan], -1), {}, "no sample of channel 1"),
        (image_of(), {"task": "sr"}, "needs a scale above 1"),
        (image_of(), {"task": "deblur"}, "needs a blur"),
        (image_of(), {"task": "denoise", "scale": 2}, "the options say sr"),
        (image_of(), {"device": "cuda:99"}, "cuda:99"),
        (image_of(), {"psf": np.ones((3, 3)), "blur_sigma": 1}, "one of them"),
        (image_of(), {"psf": np.ones(3)}, "psf|kernel|PSF"),
        (image_of(), {"psf": np.zeros((3, 3))}, "psf|kernel|PSF"),
        (image_of(), {"psf": np.full((3, 3), np.nan)}, "psf|kernel|PSF"),
        (image_of(), {"keep_observed": True}, "marks no pixel"),
        (image_of(), {"keep_observed": True, "scale": 2, "mask": ODD}, "the scale is 2"),
        (image_of(), {"colour": 1}, "'colour' is not a parameter"),
    ],
)
def test_what_cannot_be_used_is_an_input_error(
    image: NDArray[Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        restore(image, **options)
    assert isinstance(caught.value, ValueError)


def test_provenance_is_json() -> None:
    import json

    result = restore(image_of(), **TINY)
    told = json.loads(json.dumps(result.provenance()))
    assert Parameters.from_dict(told["parameters"]) == result.parameters
    assert told["iterations"] == 3
    assert told["device"] == "cpu"
