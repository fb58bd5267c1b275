"""How wide a Gaussian blur is, estimated from the blurred image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from napari_dred.core.errors import InputError
from napari_dred.core.impulses import find_impulses
from napari_dred.core.measured_noise import measure_noise
from napari_dred.core.noise import fill_nearest
from napari_dred.core.parameters import Parameters
from napari_dred.core.values import check_size

SMALLEST = 64  # side, in pixels
MOST_MISSING = 0.05  # of the pixels
RINGS, LOWEST, FEWEST = 28, 0.02, 6  # of frequencies, in cycles a pixel, and fewest in a ring
# What the power of sharp pictures falls with, as a power of the frequency; it and the level of the
# noise may differ from what is expected by about so much.
FALL, FALL_SPREAD, NOISE_SPREAD = 2.3, 0.3, 0.1
RING_SPREAD = 0.15  # how far a picture's spectrum is from a smooth curve, relative
PLAUSIBLE = 1.25, 3.3  # falls beyond which the spectrum is not like a picture's
SHARP = 0.5  # sigma of what pictures that are called sharp have
NARROWEST, WIDEST = 0.6, 12.0  # estimates that mean something
MOST_UNSURE = 0.2  # of the estimate
CLEAR = 4.0  # power over that of the noise where the blur has taken a factor e off, at least
ADVICE = "measure it on a small bright spot, or try values with preset 'preview'"


def estimate_blur(
    image: ArrayLike, mask: ArrayLike | None = None, *, sigma: float | None = None
) -> float:
    """Estimate the standard deviation of the Gaussian blur of an image.

    The power of sharp pictures falls with a power of the frequency that is much alike in all of
    them (Field 1987); a blur makes it fall as a Gaussian, down to that of the noise. Those three
    are fitted to the power in rings of the spectrum.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
        Of channels the mean is looked at.
    mask : (H, W) array, optional
        Not zero where pixels are missing.
    sigma : float, optional
        Of the noise, in the image's sample values; estimated if left out.

    Returns
    -------
    float
        In pixels. An estimate: see the documentation for how far off it may be.

    Raises
    ------
    InputError
        If it cannot be told, and why.
    """
    a = np.asarray(image)
    real = np.issubdtype(a.dtype, np.integer) or np.issubdtype(a.dtype, np.floating)
    if a.ndim not in (2, 3) or not real:
        raise _untold(f"the image has shape {a.shape} and samples of {a.dtype}")
    plane = np.asarray(a.mean(2) if a.ndim == 3 else a, np.float64)
    if min(plane.shape) < SMALLEST:
        raise _untold(f"the image has less than {SMALLEST} pixels on a side")
    observed = np.isfinite(plane)
    if mask is not None:
        missing = np.asarray(mask)
        if missing.shape != plane.shape:
            raise InputError(
                f"the mask has shape {missing.shape}, the image {plane.shape}; they must be alike"
            )
        observed &= missing == 0
    plane = np.where(observed, plane, 0)
    if observed.any():
        observed &= ~find_impulses(plane[None], observed[None])[0]
    if observed.mean() < 1 - MOST_MISSING:
        raise _untold("too many of its pixels are missing")
    low, high = float(plane[observed].min()), float(plane[observed].max())
    check_size(low, high)
    span = high - low
    if not span:
        raise _untold("the image shows nothing")
    p = Parameters(sigma=sigma)
    noise = measure_noise([(plane[None], observed[None])], p.noise, p.sigma, span / 2)
    if noise.correlation is not None:
        raise _untold("the noise of neighbouring pixels is correlated, which looks like a blur")
    frequencies, power, counts = _rings(fill_nearest(plane, observed) / span)
    blur, fall, unsure, clear = _fit(frequencies, power, counts, noise.sigma / span)
    true = float(np.sqrt(max(blur**2 - SHARP**2, 0.0)))
    if true < NARROWEST:
        raise _untold("the image is sharp, or nearly so")
    if clear < CLEAR or true > WIDEST or unsure > MOST_UNSURE * true:
        raise _untold("hardly anything rises above the noise")
    if not PLAUSIBLE[0] <= fall <= PLAUSIBLE[1]:
        raise _untold("its spectrum is unlike that of a blurred picture")
    return true


def _untold(why: str) -> InputError:
    return InputError(f"the blur cannot be estimated: {why}; {ADVICE}")


def _rings(plane: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Frequencies, mean power (of white noise: its variance), and how many values it is of."""
    height, width = plane.shape
    window = np.outer(np.hanning(height), np.hanning(width))  # against what the borders add
    mean = (plane * window).sum() / window.sum()
    spectrum = np.fft.rfft2((plane - mean) * window)
    power = (spectrum.real**2 + spectrum.imag**2) / (window**2).sum()
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    ring = np.digitize(frequency, np.geomspace(LOWEST, 0.5, RINGS + 1)).ravel()
    counts, *sums = (
        np.bincount(ring, values, RINGS + 2)[1:-1]
        for values in (None, frequency.ravel(), power.ravel())
    )
    enough = counts >= FEWEST
    frequencies, powers = (s[enough] / counts[enough] for s in sums)
    return frequencies, powers, counts[enough]


def _fit(
    frequencies: NDArray[Any], power: NDArray[Any], counts: NDArray[Any], noise: float
) -> tuple[float, float, float, float]:
    """Sigma of the blur, the spectrum's fall, how unsure sigma is, and how clear its effect."""
    weights = 1 / np.sqrt(1 / counts + RING_SPREAD**2)
    floor = np.log(noise**2 + 1e-9)  # rounding is noise, too

    def misfit(t: NDArray[Any]) -> NDArray[Any]:
        level, fall, blur, log_noise = t
        signal = level - fall * np.log(frequencies) - (2 * np.pi * blur * frequencies) ** 2
        log_model = np.logaddexp(signal, log_noise)
        off = (fall - FALL) / FALL_SPREAD, (log_noise - floor) / NOISE_SPREAD
        made: NDArray[Any] = np.concatenate([(np.log(power) - log_model) * weights, off])
        return made

    level = np.log(power[0] * frequencies[0] ** FALL + 1e-12)
    bounds = ([-np.inf, 0.0, 0.0, -np.inf], [np.inf, 5.0, 2 * WIDEST, np.inf])
    fits = [
        optimize.least_squares(misfit, [level, FALL, start, floor], bounds=bounds)
        for start in (0.5, 1.5, 4.0)
    ]
    best = min(fits, key=lambda fit: float(fit.cost))
    slopes = np.asarray(best.jac, np.float64)
    covariance = np.linalg.pinv(slopes.T @ slopes)
    level, fall, blur, log_noise = map(float, best.x)
    # The blur takes a factor e off at this frequency; a narrower one nowhere below the highest.
    there = min(1 / (2 * np.pi * max(blur, 1e-9)), 0.5)
    clear = float(np.exp(min(level - fall * np.log(there) - 1 - log_noise, 100)))
    return blur, fall, float(np.sqrt(covariance[2, 2])), clear
