"""The noise of one image, found as far as it was not given, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_dred.core.calibration import Calibration
from napari_dred.core.control import Check, go_on
from napari_dred.core.errors import InputError
from napari_dred.core.impulses import find_impulses
from napari_dred.core.measured_noise import MeasuredNoise, measure_noise
from napari_dred.core.values import sample_value


@dataclass(frozen=True, eq=False)
class FoundNoise:
    """What was found.

    Attributes
    ----------
    impulses : int
        How many samples impulse noise replaced.
    rest : MeasuredNoise
        The noise of the others.
    notes : tuple of str
    replaced : uint8 array or None
        Which samples are impulses, a bit each, since it may be kept for long; None if none is.
    """

    impulses: int
    rest: MeasuredNoise
    notes: tuple[str, ...]
    replaced: NDArray[np.uint8] | None = None

    def spared(self, observed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of the observed samples are no impulses."""
        if self.replaced is None:
            return observed
        replaced = np.unpackbits(self.replaced, count=observed.size).reshape(observed.shape)
        spared: NDArray[np.bool_] = observed & (replaced == 0)
        return spared


def find_noise(
    planes: NDArray[Any],
    observed: NDArray[np.bool_],
    kind: str,
    sigma: float | None = None,
    whole: Calibration | None = None,
    check: Check = go_on,
) -> FoundNoise:
    """Find kind and level of the noise: from these arguments alone, so that it can be kept.

    Parameters
    ----------
    planes : (C, H, W) array
        Missing samples are 0.
    observed : (C, H, W) bool array
        At least one True a channel.
    kind : str
        As `Parameters.noise`.
    sigma : float, optional
        The level, if it is given.
    whole : Calibration, optional
        What was measured of what they are a part of.
    check : callable, optional
        Called now and then; may raise to leave.

    Raises
    ------
    InputError
        If photon noise is to have one level.
    """
    if kind == "poisson" and sigma is not None:
        raise InputError(
            f"sigma is {sigma:g} and noise is 'poisson', whose level is not the same everywhere; "
            "leave sigma out, or say 'gaussian'"
        )
    notes: list[str] = []
    impulses, replaced = 0, None
    if kind in ("auto", "impulse") and (whole is None or whole.impulses):
        samples = planes.astype(np.float64)
        hit = find_impulses(samples, observed, everywhere=kind == "impulse", check=check)
        # A channel of which nothing would be left is no channel of impulses.
        if hit.any() and (observed & ~hit).any(axis=(1, 2)).all():
            impulses = int(hit.sum())
            share = 100 * impulses / observed.sum()
            observed, replaced = observed & ~hit, np.packbits(hit)
            planes = np.where(observed, planes, np.zeros((), planes.dtype))
            notes.append(
                f"Impulse noise found: {impulses} samples ({share:.1f} %) at the ends of the range "
                "are taken as missing."
            )
        elif kind == "impulse":
            notes.append("No impulse noise was found at the ends of the range.")
    if whole is not None:
        rest = MeasuredNoise(whole.sigma, whole.limits, whole.photon_noise, whole.correlation)
    else:
        most = _half_range(planes, observed)
        rest = measure_noise([(planes, observed)], kind, sigma, most, check)
        notes += _statements(planes, observed, kind, rest, given=sigma is not None)
    return FoundNoise(impulses, rest, tuple(notes), replaced)


def _statements(
    planes: NDArray[Any],
    observed: NDArray[np.bool_],
    kind: str,
    noise: MeasuredNoise,
    *,
    given: bool,
) -> list[str]:
    """Say what was measured."""
    notes = []
    correlation, photon = noise.correlation, noise.photon_noise
    if correlation is not None:
        notes.append(
            f"The noise of neighbouring pixels is correlated ({correlation.neighbours:.2f}): "
            f"the denoiser is told {correlation.spread:.3g} times its level."
        )
    if given:
        return notes
    if photon is None:
        if kind == "poisson":
            notes.append("No photon noise was found: the noise does not grow with the signal.")
        notes.append(
            f"Noise level estimated: sigma = {sample_value(noise.sigma)} in the image's "
            "sample values."
        )
    else:
        variance = photon.variance(planes[observed].astype(np.float64))
        lowest, highest = np.sqrt(np.quantile(variance, (0.01, 0.99)))
        notes.append(
            f"Photon noise found: gain {sample_value(photon.gain)}, sigma from "
            f"{sample_value(lowest)} in dark to {sample_value(highest)} in bright places, "
            "in the image's sample values."
        )
    return notes


def _half_range(planes: NDArray[Any], observed: NDArray[np.bool_]) -> float:
    """What an estimate (pure noise reaches it) is limited to, as a given level is."""
    if planes.dtype == np.uint8:
        return 127.0
    samples = planes[observed]
    return 0.5 * (float(samples.max()) - float(samples.min()))
