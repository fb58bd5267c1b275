"""What the user gave, checked, and what will be done with it: the part that needs no tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_dred.core.calibration import Calibration
from napari_dred.core.control import Control
from napari_dred.core.devices import choose_device, describe, free_memory, threads
from napari_dred.core.enlarge import in_two_steps
from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.estimate import estimate_memory, estimate_seconds
from napari_dred.core.found_noise import FoundNoise, find_noise
from napari_dred.core.masks import doubts_of_mask, missing_of
from napari_dred.core.operators import gaussian_kernel, normalised_kernel
from napari_dred.core.parameters import Parameters
from napari_dred.core.photon import PhotonNoise
from napari_dred.core.presets import fill_in, why_not_adapt
from napari_dred.core.records import Plan, PSFRecord
from napari_dred.core.remembered import Remembered, digest
from napari_dred.core.values import ValueRange, check_size

MIN_SIDE = 8
MAX_CHANNELS = 16
MOST_OFF_CENTRE = 0.75  # pixels, of a PSF

# To measure the noise of a large image takes a while, and a forecast and the run after it, or runs
# with other parameters, measure the same; in between may come a part of the image, as a preview.
FOUND = Remembered[FoundNoise](4)


@dataclass(frozen=True)
class Given:
    """What a run is given."""

    image: NDArray[Any]  # as given, (H, W) or (H, W, C)
    planes: NDArray[Any]  # (C, H, W), missing samples 0; one channel if all are the same
    observed: NDArray[np.bool_]  # alike; impulses are not
    unmasked: NDArray[np.bool_]  # alike; impulses are
    kernel: NDArray[np.float64] | None
    values: ValueRange
    limits: tuple[float, float]  # where samples were cut off, in sample values, or infinite
    photon_noise: PhotonNoise | None
    spread: float  # see `Correlation`; 1 for white noise
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
    return missing_of(m)


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


def _off_centre(kernel: NDArray[np.float64]) -> tuple[float, float] | None:
    """Rows and columns from the kernel's centre to its centre of mass, if half a pixel or more."""
    row, column = (
        float((kernel.sum(1 - axis) * (np.arange(n) - n // 2)).sum())
        for axis, n in enumerate(kernel.shape)
    )
    # An even number of pixels has its middle half a pixel before the centre.
    return (row, column) if max(abs(row), abs(column)) > MOST_OFF_CENTRE else None


def check(
    image: ArrayLike,
    mask: ArrayLike | None,
    psf: ArrayLike | None,
    p: Parameters,
    whole: Calibration | None = None,
    control: Control | None = None,
) -> Given:
    """Check what the user gave, and find out what it does not say.

    Raises
    ------
    InputError
        If it cannot be used.
    Interrupted
        If it was stopped or cancelled meanwhile.
    """
    control = control or Control()
    control.check()
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
    check_size(float(planes[observed].min()), float(planes[observed].max()))
    if psf is not None and p.blur_sigma:
        raise InputError(f"blur_sigma is {p.blur_sigma:g} and a PSF is given; give one of them")
    kernel = None
    if psf is not None:
        kernel = normalised_kernel(psf)
    elif p.blur_sigma:
        kernel = np.asarray(gaussian_kernel(p.blur_sigma), np.float64)

    broken = int((~finite).any(0).sum())
    missing = int((~observed).any(0).sum())
    # What is a part is restored as the whole is, whatever lies in it.
    any_masked = bool(masked.any()) if whole is None else whole.masked
    any_missing = missing > 0 if whole is None else whole.missing
    blurred = kernel is not None
    task = _find_task(p, masked=any_masked, broken=any_missing, blurred=blurred)
    if p.keep_observed and (p.scale > 1 or not any_missing):
        why = f"the scale is {p.scale}" if p.scale > 1 else "the mask marks no pixel"
        raise InputError(f"keep_observed keeps the pixels outside the mask as they are, but {why}")

    notes = []
    if mask is not None and not any_masked:
        notes.append("The mask marks no pixel: nothing is filled in.")
    if whole is None:
        notes += doubts_of_mask(float(masked.mean()))
    if broken:
        notes.append(f"{broken} pixel(s) are NaN or infinite and are taken as missing.")
    if psf is not None and kernel is not None and (shift := _off_centre(kernel)):
        notes.append(
            f"The middle of the PSF lies {shift[0]:+.1f} rows and {shift[1]:+.1f} columns from the "
            "middle of its picture: the result moves the other way by as much. Cut it out around "
            "the point if that is not meant."
        )
    # A copy, which nobody edits while it is measured.
    planes = np.where(observed, planes, np.zeros((), planes.dtype))
    asked = p.noise, p.sigma
    with threads(p.threads):
        if whole is None:
            found = FOUND.get(
                (digest(planes), digest(observed), *asked),
                lambda: find_noise(planes, observed, *asked, check=control.check),
            )
        else:
            found = find_noise(planes, observed, *asked, whole, control.check)
    notes += found.notes
    noise, unmasked, observed = found.rest, observed, found.spared(observed)
    sigma, photon, correlation = noise.sigma, noise.photon_noise, noise.correlation
    spread = 1.0 if correlation is None else correlation.spread
    planes = np.where(observed, planes, np.zeros((), planes.dtype))
    values = ValueRange.of(planes, observed, sigma) if whole is None else whole.values
    holes = not observed.all() or (whole is not None and (whole.missing or whole.impulses))
    device = choose_device(p.device)
    level = sigma / values.span * 255
    p = fill_in(p, task, level, holes=holes, device=device.type)
    if p.adapt and p.denoiser != "ffdnet":
        raise InputError(
            f"adapt is {p.adapt}, but the denoiser is {p.denoiser!r}; only 'ffdnet' can be fitted "
            "to the image"
        )
    share = float(observed.mean()) if whole is None else 1.0
    kind = {"white": correlation is None, "even": photon is None}
    if p.adapt and (reason := why_not_adapt(p, level, **kind, observed=share)):
        notes.append(f"The denoiser is not fitted to this image: {reason}.")
        p = p.replace(adapt=0)
    size = (a.shape[0] * p.scale, a.shape[1] * p.scale)
    if p.device == "auto" and device.type == "cpu":
        notes.append("No GPU was found: running on the CPU.")
    with threads(p.threads):
        pointwise = p.scale == 1 and not blurred
        level = spread * sigma / values.span
        seconds = estimate_seconds(
            len(planes),
            size,
            p,
            device,
            holes=holes and pointwise,
            at_own_size=in_two_steps(p.scale, level, blurred=blurred),
            pointwise=pointwise,
            # With holes it depends on their width: the estimate is then rather too long.
            two_steps=not holes and in_two_steps(p.scale, level, blurred=blurred),
        )
    plan = Plan(
        task=task,
        shape=(*size, *a.shape[2:]),
        parameters=p,
        sigma=sigma,
        sigma_estimated=p.sigma is None,
        missing=missing,
        masked=int(masked.sum()),
        impulses=found.impulses,
        photon_noise=None if photon is None else (photon.gain, photon.offset),
        device=describe(device),
        memory=estimate_memory(len(planes), size, p, None if kernel is None else kernel.shape),
        seconds=seconds,
        notes=tuple(notes),
        psf=None if psf is None else PSFRecord.of(psf),
        correlation=None if correlation is None else correlation.neighbours,
    )
    return Given(
        image=a,
        planes=planes,
        observed=observed,
        unmasked=unmasked,
        kernel=kernel,
        values=values,
        limits=noise.limits,
        photon_noise=photon,
        spread=spread,
        plan=plan,
    )


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
        smaller = "" if p.method == "hqs" else "preset 'preview', a smaller network (width), or "
        raise RestorationError(
            f"restoring {h} x {w} pixels with preset {p.preset!r} takes about "
            f"{plan.memory / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free on {plan.device}; "
            f"use {smaller}a crop"
        )
