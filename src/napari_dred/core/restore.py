"""One plane: an array and parameters in; a plan, steps and a result out."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.nn import functional as F

import napari_dred
from napari_dred.core.adapt import adapt
from napari_dred.core.admm import dred
from napari_dred.core.calibration import Calibration
from napari_dred.core.control import Control, Interrupted
from napari_dred.core.denoisers.build import build_denoiser, build_filler
from napari_dred.core.devices import choose_device, threads
from napari_dred.core.enlarge import at_its_own_size
from napari_dred.core.errors import RestorationError
from napari_dred.core.given import Given, check, check_memory
from napari_dred.core.hqs import fills, hqs
from napari_dred.core.noise import fill_nearest
from napari_dred.core.operators import build_operator
from napari_dred.core.parameters import Parameters
from napari_dred.core.photon import Uneven, relative_level
from napari_dred.core.precision import use_bfloat16
from napari_dred.core.problem import Problem, State
from napari_dred.core.records import Plan, Result, Step

SOLVERS = {"dred": dred, "hqs": hqs}
_NO_IMAGE_YET = "stopped before the first iteration: there is no image yet"


def plan(
    image: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    psf: ArrayLike | None = None,
    parameters: Parameters | None = None,
    calibration: Calibration | None = None,
    **overrides: Any,
) -> Plan:
    """Say what `restore` would do with the same arguments, without doing it.

    Raises
    ------
    InputError, RestorationError
        As `restore`.
    """
    with _in_words():
        return check(image, mask, psf, _parameters(parameters, overrides), calibration).plan


def _parameters(parameters: Parameters | None, overrides: dict[str, Any]) -> Parameters:
    return (parameters or Parameters()).replace(**overrides)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as e:
        raise explain(e) from e


def _problem(given: Given, control: Control) -> Problem:
    """The tensors and functions that a solver works with."""
    p = given.plan.parameters
    device = choose_device(p.device)
    bfloat16 = use_bfloat16(p.precision or "auto", device)
    control.check()
    unit = np.where(given.observed, given.values.to_unit(given.planes), np.float32(0))
    pairs = zip(unit, given.observed, strict=True)
    filled = np.stack([fill_nearest(c, o) for c, o in pairs])
    control.check()
    h, w = unit.shape[1:]
    start = torch.from_numpy(filled)[None].to(device)
    if p.scale > 1:
        start = F.interpolate(start, scale_factor=float(p.scale), mode="bicubic").clamp(0, 1)
        control.check()
    low, high = given.values.to_unit(np.array(given.limits))
    sigma = given.spread * given.plan.sigma / given.values.span
    assert p.denoiser is not None
    named: dict[str, Any] = {
        "path": p.weights,
        "device": device,
        "bfloat16": bfloat16,
        "check": control.check,
    }
    denoiser = build_denoiser(p.denoiser, len(unit), **named)
    y, level = torch.from_numpy(unit)[None].to(device), None
    if given.photon_noise is not None:
        level = relative_level(
            torch.from_numpy(filled)[None].to(device),
            given.photon_noise.times(given.spread),
            given.values.low,
            given.values.span,
            sigma,
            denoiser,
        )
        denoiser = Uneven(denoiser, F.interpolate(level, start.shape[-2:], mode="bilinear"))
    operator = build_operator(
        (h, w),
        observed=given.observed.astype(np.float32)[None],
        factor=p.scale,
        kernel=given.kernel,
        boundary=p.boundary,
    ).to(device)
    operator.check = control.check
    problem = Problem(
        y=y,
        start=start,
        operator=operator,
        sigma=sigma,
        denoiser=denoiser,
        bfloat16=bfloat16,
        check=control.check,
        limits=(float(low), float(high)),
        level=level,
        observed=torch.from_numpy(given.observed)[None].to(device),
    )
    pointwise = operator.pointwise or at_its_own_size(problem) is not None
    if pointwise and not given.observed.all() and fills(p):
        filler = build_filler(p.denoiser, len(unit), **named)
        problem = dataclasses.replace(problem, filler=filler)
    return problem


def _to_samples(x: torch.Tensor, given: Given) -> NDArray[np.float64]:
    """(1, C, H, W) on [0, 1] to (H, W) or (H, W, C) in sample values."""
    planes = given.values.from_unit(x[0].float().cpu().numpy())
    return _as_given(planes, given)


def _as_given(planes: NDArray[Any], given: Given) -> NDArray[Any]:
    """(1 or C, H, W) to (H, W) or (H, W, C), as many channels as the input has."""
    image: NDArray[Any] = planes[0]
    if given.image.ndim == 3:
        channels = given.image.shape[2]
        image = np.moveaxis(np.broadcast_to(planes, (channels, *planes.shape[1:])), 0, -1)
    return image


def _finish(x: torch.Tensor, given: Given) -> NDArray[Any]:
    p = given.plan.parameters
    dtype = np.dtype(np.float32) if p.output_dtype == "float32" else given.image.dtype
    image = given.values.restore_dtype(_to_samples(x, given), dtype)
    if p.keep_observed:
        image = np.where(_as_given(given.unmasked, given), given.image.astype(dtype), image)
    return image


def solve(
    image: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    psf: ArrayLike | None = None,
    parameters: Parameters | None = None,
    control: Control | None = None,
    calibration: Calibration | None = None,
    **overrides: Any,
) -> Generator[Plan | Step | Result, None, None]:
    """Restore one image, step by step.

    The arguments are those of `restore`. Everything that restores an image in
    this package drives this generator.

    Yields
    ------
    Plan
        First, once; not if the run was cancelled or stopped before.
    Step
        One an iteration (every tenth on a GPU, so that it is not held up).
    Result
        Last, once; left out if the run was cancelled.

    Raises
    ------
    InputError
        If the arguments cannot be used.
    RestorationError
        If the run fails: memory, numbers, or stopped before there was an image.
    """
    p = _parameters(parameters, overrides)
    control = control or Control()
    began = time.perf_counter()
    with _in_words():
        try:
            given = check(image, mask, psf, p, calibration, control)
        except Interrupted:
            if control.cancelled:
                return
            raise RestorationError(_NO_IMAGE_YET) from None
        yield given.plan
        check_memory(given.plan)
        yield from _run(given, control, began)


def _states(problem: Problem, p: Parameters) -> Iterator[State]:
    """All iterations of a run: those that fit the denoiser, and the solver's."""
    assert p.adapt is not None and p.method is not None
    if p.adapt:
        problem = yield from adapt(problem, p.adapt, p.seed)
    solver = SOLVERS["hqs" if p.method == "hqs" else "dred"]  # which the other names go through
    for state in solver(problem, p):
        kept = None if state.kept is None else p.adapt + state.kept
        yield dataclasses.replace(state, iteration=p.adapt + state.iteration, kept=kept)


def _step(state: State, total: int) -> Step:
    return Step(
        state.iteration,
        total,
        math.nan if state.loss is None else float(state.loss),
        math.nan if state.residual is None else float(state.residual),
        note=state.note,
        held_out=None if state.held_out is None else float(state.held_out),
    )


def _run(given: Given, control: Control, began: float) -> Generator[Step | Result, None, None]:
    p = given.plan.parameters
    assert p.method is not None
    total = p.total_iterations
    steps, last = list[Step](), None
    reason, early = "iterations", ""
    states: Iterator[State] | None = None
    while reason == "iterations":
        # The number of threads is the process's: set only while a step is computed.
        with threads(p.threads):
            try:
                states = states or _states(_problem(given, control), p)
                state = next(states, None)
            except Interrupted:
                if control.cancelled:
                    return
                reason = "stopped"
                break
        if state is None:
            break
        last = state
        early = early or state.reason
        if state.loss is not None:
            step = _step(state, total)
            steps.append(step)
            if control.take_image_request():
                picture = _to_samples(state.x, given).astype(np.float32)
                step = dataclasses.replace(step, image=picture)
            yield step
    if last is None:
        raise RestorationError(_NO_IMAGE_YET)
    if not bool(torch.isfinite(last.x).all()):
        raise RestorationError(
            f"the image is not finite after iteration {last.iteration}; try precision float32"
        )
    if not steps or steps[-1].iteration != last.iteration:
        steps.append(_step(last, total))
    if reason == "iterations":
        reason = early or reason
    yield Result(
        image=_finish(last.x, given),
        plan=given.plan,
        steps=tuple(steps),
        stop_reason=reason,
        seconds=time.perf_counter() - began,
        notes=(*given.plan.notes, *(s.note for s in steps if s.note)),
        version=napari_dred.__version__,
        kept=last.kept,
    )


def explain(error: RuntimeError | MemoryError) -> RestorationError:
    """Say in words what torch or the system raised."""
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    memory = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    if memory or "allocate memory" in text or "out of memory" in text.lower():
        return RestorationError(
            "the device ran out of memory; use preset 'preview', a smaller network (width), "
            "a crop, or another device"
        )
    return RestorationError(f"the run failed: {text}")


def restore(
    image: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    psf: ArrayLike | None = None,
    parameters: Parameters | None = None,
    control: Control | None = None,
    calibration: Calibration | None = None,
    **overrides: Any,
) -> Result:
    """Restore one image.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array of real numbers
        Y. It is not modified. NaN and infinite samples count as missing.
    mask : (H, W) array, optional
        True or non-zero where a pixel is missing.
    psf : (k, l) array, optional
        Measured blur kernel, on the grid of the restored image; normalised to sum 1.
    parameters : Parameters, optional
    control : Control, optional
        To pause, stop or cancel the run from another thread.
    calibration : Calibration, optional
        What was measured of the whole that this image is a part of; measured here if left out.
    **overrides
        Any field of `Parameters`, such as `scale=2` or `sigma=12`.

    Returns
    -------
    Result
        Its `image` has the dtype and range of the input, (H scale, W scale[, C]).

    Raises
    ------
    InputError
        (a ValueError) If shapes, values or parameters cannot be used.
    RestorationError
        If the run fails or is cancelled.
    """
    given = {"psf": psf, "parameters": parameters, "control": control, **overrides}
    for record in solve(image, mask, calibration=calibration, **given):
        if isinstance(record, Result):
            return record
    raise RestorationError("the run was cancelled")
