"""One plane: an array and parameters in; a plan, steps and a result out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.nn import functional as F

import napari_dred
from napari_dred.core.admm import dred, look_every
from napari_dred.core.control import Control, Interrupted
from napari_dred.core.denoisers.build import build_denoiser
from napari_dred.core.devices import choose_device, describe, free_memory
from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.estimate import estimate_memory, estimate_seconds
from napari_dred.core.hqs import hqs
from napari_dred.core.noise import estimate_sigma, fill_nearest, find_impulses, find_limits
from napari_dred.core.operators import build_operator, gaussian_kernel, normalised_kernel
from napari_dred.core.parameters import Parameters
from napari_dred.core.photon import PhotonNoise, Uneven, fit_photon_noise, relative_level
from napari_dred.core.precision import use_bfloat16
from napari_dred.core.presets import fill_in
from napari_dred.core.problem import Problem, State
from napari_dred.core.records import Plan, Result, Step
from napari_dred.core.values import ValueRange

MIN_SIDE = 8
MAX_CHANNELS = 16
SOLVERS = {"dred": dred, "hqs": hqs}


@dataclass(frozen=True)
class _Input:
    """What the user gave, checked: the part that needs no torch device."""

    image: NDArray[Any]  # as given, (H, W) or (H, W, C)
    planes: NDArray[Any]  # (C, H, W), missing samples 0; one channel if all are the same
    observed: NDArray[np.bool_]  # alike; impulses are not
    unmasked: NDArray[np.bool_]  # alike; impulses are
    kernel: NDArray[np.float64] | None
    values: ValueRange
    limits: tuple[float, float]  # where samples were cut off, in sample values, or infinite
    photon_noise: PhotonNoise | None
    plan: Plan


def _check_image(image: ArrayLike) -> NDArray[Any]:
    a = np.asarray(image)
    if not (np.issubdtype(a.dtype, np.integer) or np.issubdtype(a.dtype, np.floating)):
        hint = "; a mask goes in as mask=" if a.dtype == bool else ""
        raise InputError(f"the image's samples are {a.dtype}, which is no real number{hint}")
    if a.ndim not in (2, 3) or (a.ndim == 3 and not 1 <= a.shape[2] <= MAX_CHANNELS):
        raise InputError(
            f"the image has shape {a.shape}; it must be (height, width) or "
            f"(height, width, channels) with at most {MAX_CHANNELS} channels"
        )
    if min(a.shape[:2]) < MIN_SIDE:
        raise InputError(
            f"the image is {a.shape[0]} x {a.shape[1]} pixels; "
            f"at least {MIN_SIDE} x {MIN_SIDE} are needed"
        )
    return a


def _check_mask(mask: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if mask is None:
        return np.zeros(shape, bool)
    m = np.asarray(mask)
    if m.shape != shape:
        raise InputError(f"the mask has shape {m.shape}, the image {shape}; they must be alike")
    if not (m.dtype == bool or np.issubdtype(m.dtype, np.number)):
        raise InputError(f"the mask's samples are {m.dtype}; they must be numbers or booleans")
    return np.asarray(m != 0)


def _find_task(p: Parameters, *, masked: bool, broken: bool, blurred: bool) -> str:
    """Name the task that the options make, which must be the one that was named.

    Samples that are not finite are filled in whatever the task is.
    """
    there = {"sr": p.scale > 1, "deblur": blurred, "inpaint": masked}
    found = [name for name, is_there in there.items() if is_there] or ["denoise"]
    if p.task == "auto":
        return found[0]
    if p.task not in found and not (p.task == "inpaint" and broken):
        needs = {
            "sr": "a scale above 1",
            "deblur": "a blur (blur_sigma or a PSF)",
            "inpaint": "a mask that marks at least one pixel",
            "denoise": f"no other damage, but the options say {' + '.join(found)}",
        }
        raise InputError(f"task is {p.task!r}, which needs {needs[p.task]}")
    return p.task


def _check(
    image: ArrayLike, mask: ArrayLike | None, psf: ArrayLike | None, p: Parameters
) -> _Input:
    a = _check_image(image)
    masked = _check_mask(mask, a.shape[:2])
    planes = np.moveaxis(a, -1, 0) if a.ndim == 3 else a[None]
    if len(planes) > 1 and all(np.array_equal(c, planes[0], equal_nan=True) for c in planes[1:]):
        planes = planes[:1]  # a gray picture, kept as a coloured one
    finite = np.isfinite(planes)
    observed = finite & ~masked
    for k, channel in enumerate(finite):
        if not channel.any():
            which = f"channel {k} of the image" if len(planes) > 1 else "the image"
            raise InputError(f"no sample of {which} is a finite number")
    if not observed.any(axis=(1, 2)).all():
        raise InputError("nothing is observed: the mask marks every pixel as missing")
    if psf is not None and p.blur_sigma:
        raise InputError(f"blur_sigma is {p.blur_sigma:g} and a PSF is given; give one of them")
    kernel = None
    if psf is not None:
        kernel = normalised_kernel(psf)
    elif p.blur_sigma:
        kernel = np.asarray(gaussian_kernel(p.blur_sigma), np.float64)

    broken = int((~finite).any(0).sum())
    missing = int((~observed).any(0).sum())
    task = _find_task(p, masked=bool(masked.any()), broken=broken > 0, blurred=kernel is not None)
    if p.keep_observed and (p.scale > 1 or not missing):
        why = f"the scale is {p.scale}" if p.scale > 1 else "the mask marks no pixel"
        raise InputError(f"keep_observed keeps the pixels outside the mask as they are, but {why}")

    planes = np.where(observed, planes, np.zeros((), planes.dtype))
    notes = []
    if mask is not None and not masked.any():
        notes.append("The mask marks no pixel: nothing is filled in.")
    if broken:
        notes.append(f"{broken} pixel(s) are NaN or infinite and are taken as missing.")
    impulses, unmasked = 0, observed
    if p.noise in ("auto", "impulse"):
        hit = find_impulses(planes.astype(np.float64), observed)
        impulses = int(hit.sum())
        # A channel of which nothing would be left is no channel of impulses.
        if impulses and (observed & ~hit).any(axis=(1, 2)).all():
            share = 100 * impulses / observed.sum()
            observed = observed & ~hit
            planes = np.where(observed, planes, np.zeros((), planes.dtype))
            notes.append(
                f"Impulse noise found: {impulses} samples ({share:.1f} %) at the ends of the range "
                "are taken as missing."
            )
        elif p.noise == "impulse":
            notes.append("No impulse noise was found at the ends of the range.")
    limits = find_limits(planes, observed)
    sigma, photon_noise = p.sigma, None
    if p.noise == "poisson" and sigma is not None:
        raise InputError(
            f"sigma is {sigma:g} and noise is 'poisson', whose level is not the same everywhere; "
            "leave sigma out, or say 'gaussian'"
        )
    if p.noise in ("auto", "poisson") and sigma is None:
        photon_noise = fit_photon_noise(planes.astype(np.float64), observed, limits)
        if p.noise == "poisson" and photon_noise is None:
            notes.append("No photon noise was found: the noise does not grow with the signal.")
    if photon_noise is not None:
        variance = photon_noise.variance(planes[observed].astype(np.float64))
        sigma = _below_half_range(float(np.sqrt(variance.mean())), planes, observed)
        lowest, highest = np.sqrt(np.quantile(variance, (0.01, 0.99)))
        notes.append(
            f"Photon noise found: gain {photon_noise.gain:.3g}, sigma from {lowest:.3g} in dark "
            f"to {highest:.3g} in bright places, in the image's sample values."
        )
    elif sigma is None:
        sigma = estimate_sigma(planes.astype(np.float64), observed, limits)
        sigma = _below_half_range(sigma, planes, observed)
        notes.append(f"Noise level estimated: sigma = {sigma:.3g} in the image's sample values.")
    values = ValueRange.of(planes, observed, sigma)
    p = fill_in(p, task, sigma / values.span * 255, holes=not observed.all())
    size = (a.shape[0] * p.scale, a.shape[1] * p.scale)
    device = choose_device(p.device)
    if p.device == "auto" and device.type == "cpu":
        notes.append("No GPU was found: running on the CPU.")
    with _threads(p.threads):
        seconds = estimate_seconds(len(planes), size, p, device)
    plan_ = Plan(
        task=task,
        shape=(*size, *a.shape[2:]),
        parameters=p,
        sigma=sigma,
        sigma_estimated=p.sigma is None,
        missing=missing,
        masked=int(masked.sum()),
        impulses=impulses,
        photon_noise=None if photon_noise is None else (photon_noise.gain, photon_noise.offset),
        device=describe(device),
        memory=estimate_memory(len(planes), size, p, None if kernel is None else kernel.shape),
        seconds=seconds,
        notes=tuple(notes),
    )
    return _Input(a, planes, observed, unmasked, kernel, values, limits, photon_noise, plan_)


def _below_half_range(sigma: float, planes: NDArray[Any], observed: NDArray[np.bool_]) -> float:
    """Limit an estimate (pure noise reaches it) to what a given level may be."""
    if planes.dtype == np.uint8:
        return min(sigma, 127.0)
    samples = planes[observed]
    return min(sigma, 0.5 * (float(samples.max()) - float(samples.min())))


def plan(
    image: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    psf: ArrayLike | None = None,
    parameters: Parameters | None = None,
    **overrides: Any,
) -> Plan:
    """Say what `restore` would do with the same arguments, without doing it.

    Raises
    ------
    InputError, RestorationError
        As `restore`.
    """
    with _in_words():
        return _check(image, mask, psf, _parameters(parameters, overrides)).plan


def _parameters(parameters: Parameters | None, overrides: dict[str, Any]) -> Parameters:
    return (parameters or Parameters()).replace(**overrides)


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as e:
        raise explain(e) from e


@contextmanager
def _threads(n: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if n is not None:
        torch.set_num_threads(n)
    try:
        yield
    finally:
        if n is not None:
            torch.set_num_threads(before)


def _problem(given: _Input, control: Control) -> Problem:
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
    sigma = given.plan.sigma / given.values.span
    assert p.denoiser is not None
    denoiser = build_denoiser(
        p.denoiser, len(unit), path=p.weights, device=device, bfloat16=bfloat16, check=control.check
    )
    y, level = torch.from_numpy(unit)[None].to(device), None
    if given.photon_noise is not None:
        level = relative_level(
            torch.from_numpy(filled)[None].to(device),
            given.photon_noise,
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
    return Problem(
        y=y,
        start=start,
        operator=operator,
        sigma=sigma,
        denoiser=denoiser,
        bfloat16=bfloat16,
        check=control.check,
        limits=(float(low), float(high)),
        level=level,
    )


def _to_samples(x: torch.Tensor, given: _Input) -> NDArray[np.float64]:
    """(1, C, H, W) on [0, 1] to (H, W) or (H, W, C) in sample values."""
    planes = given.values.from_unit(x[0].float().cpu().numpy())
    return _as_given(planes, given)


def _as_given(planes: NDArray[Any], given: _Input) -> NDArray[Any]:
    """(1 or C, H, W) to (H, W) or (H, W, C), as many channels as the input has."""
    image: NDArray[Any] = planes[0]
    if given.image.ndim == 3:
        channels = given.image.shape[2]
        image = np.moveaxis(np.broadcast_to(planes, (channels, *planes.shape[1:])), 0, -1)
    return image


def _finish(x: torch.Tensor, given: _Input) -> NDArray[Any]:
    p = given.plan.parameters
    dtype = np.dtype(np.float32) if p.output_dtype == "float32" else given.image.dtype
    image = given.values.restore_dtype(_to_samples(x, given), dtype)
    if p.keep_observed:
        image = np.where(_as_given(given.unmasked, given), given.image.astype(dtype), image)
    return image


def check_memory(plan: Plan) -> None:
    """Refuse what needs more memory than is free.

    Raises
    ------
    RestorationError
    """
    p = plan.parameters
    free = free_memory(choose_device(p.device))
    if plan.memory > free:
        h, w = plan.shape[:2]
        raise RestorationError(
            f"restoring {h} x {w} pixels with preset {p.preset!r} takes about "
            f"{plan.memory / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free on {plan.device}; "
            "use preset 'preview', a smaller network (width), or a crop"
        )


def solve(
    image: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    psf: ArrayLike | None = None,
    parameters: Parameters | None = None,
    control: Control | None = None,
    **overrides: Any,
) -> Generator[Plan | Step | Result, None, None]:
    """Restore one image, step by step.

    The arguments are those of `restore`. Everything that restores an image in
    this package drives this generator.

    Yields
    ------
    Plan
        First, once.
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
        given = _check(image, mask, psf, p)
        yield given.plan
        check_memory(given.plan)
        yield from _run(given, control, began)


def _step(state: State, total: int) -> Step:
    return Step(state.iteration, total, float(state.loss), float(state.residual), note=state.note)


def _run(given: _Input, control: Control, began: float) -> Generator[Step | Result, None, None]:
    p = given.plan.parameters
    assert p.iterations is not None and p.method is not None
    total = p.iterations + (p.polish or 0 if p.method != "hqs" else 0)
    solver = SOLVERS["hqs" if p.method == "hqs" else "dred"]  # which the other names go through
    steps, last = list[Step](), None
    reason = "iterations"
    states: Iterator[State] | None = None
    while reason == "iterations":
        # The number of threads is the process's: set only while a step is computed.
        with _threads(p.threads):
            try:
                states = states or solver(_problem(given, control), p)
                state = next(states, None)
            except Interrupted:
                if control.cancelled:
                    return
                reason = "stopped"
                break
        if state is None:
            break
        last = state
        due = state.iteration % look_every(state.x.device) == 0
        if due or state.note or state.iteration in (1, total):
            step = _step(state, total)
            steps.append(step)
            if control.take_image_request():
                picture = _to_samples(state.x, given).astype(np.float32)
                step = dataclasses.replace(step, image=picture)
            yield step
    if last is None:
        raise RestorationError("stopped before the first iteration: there is no image yet")
    if not bool(torch.isfinite(last.x).all()):
        raise RestorationError(
            f"the image is not finite after iteration {last.iteration}; try precision float32"
        )
    if steps[-1].iteration != last.iteration:
        steps.append(_step(last, total))
    yield Result(
        image=_finish(last.x, given),
        plan=given.plan,
        steps=tuple(steps),
        stop_reason=reason,
        seconds=time.perf_counter() - began,
        notes=(*given.plan.notes, *(s.note for s in steps if s.note)),
        version=napari_dred.__version__,
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
    for record in solve(image, mask, psf=psf, parameters=parameters, control=control, **overrides):
        if isinstance(record, Result):
            return record
    raise RestorationError("the run was cancelled")
