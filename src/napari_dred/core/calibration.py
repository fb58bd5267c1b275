"""What is measured once of a whole channel and holds for each plane and tile of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_dred.core.control import Check, go_on
from napari_dred.core.correlation import Correlation
from napari_dred.core.devices import threads
from napari_dred.core.errors import InputError
from napari_dred.core.impulses import find_impulses
from napari_dred.core.measured_noise import measure_noise
from napari_dred.core.noise import Known
from napari_dred.core.parameters import Parameters
from napari_dred.core.photon import PhotonNoise
from napari_dred.core.presets import why_not_adapt
from napari_dred.core.values import ValueRange, check_size, sample_value

# Of what a sample could tell of the noise, or else of what the one that tells most does.
ENOUGH, ENOUGH_OF_MOST = 0.25, 0.5


@dataclass(frozen=True)
class Calibration:
    """Noise and intensity scale of a channel, so that all of its parts are restored alike.

    Attributes
    ----------
    sigma : float
        Standard deviation of the noise, in sample values.
    values : ValueRange
        What 0 and 1 of the solver stand for.
    limits : (float, float)
        Where samples were cut off, or infinite.
    photon_noise : PhotonNoise or None
    impulses : bool
        Whether impulse noise is looked for.
    masked, missing : bool
        Whether any pixel of the whole is masked, and whether any is masked or not finite.
    correlation : Correlation or None
        Of the noise, where it is not white.
    """

    sigma: float
    values: ValueRange
    limits: tuple[float, float]
    photon_noise: PhotonNoise | None
    impulses: bool
    masked: bool
    missing: bool
    correlation: Correlation | None = None

    def to_dict(self, p: Parameters) -> dict[str, Any]:
        """What was measured of the noise, JSON-able."""
        photon = self.photon_noise
        return {
            "sigma": self.sigma,
            "sigma_estimated": p.sigma is None,
            "photon_noise": photon and (photon.gain, photon.offset),
            "noise_correlation": self.correlation and self.correlation.neighbours,
        }

    def statement(self, p: Parameters, channel: int | None = None) -> str:
        """Say it in a sentence, of a channel by its number if there are several."""
        which = "" if channel is None else f"Channel {channel}: "
        how = "given" if p.sigma is not None else "estimated"
        if self.photon_noise is not None:
            how = f"photon noise of gain {sample_value(self.photon_noise.gain)}, on average"
        level = sample_value(self.sigma)
        told = f"{which}noise level {how}: sigma = {level} in the image's sample values"
        if self.correlation is not None:
            shared = self.correlation.neighbours
            told += f"; neighbouring pixels share it (correlation {shared:.2f})"
        kind = {"white": self.correlation is None, "even": self.photon_noise is None}
        gray = self.sigma / self.values.span * 255
        if p.adapt and (reason := why_not_adapt(p, gray, **kind)):
            told += f"; the denoiser is not fitted to it: {reason}"
        return told + "."


def calibrate(
    samples: Sequence[NDArray[Any]],
    observed: Sequence[NDArray[np.bool_]],
    extremes: tuple[float, float],
    parameters: Parameters,
    *,
    masked: bool = False,
    missing: bool = False,
    check: Check = go_on,
) -> Calibration:
    """Measure a channel on samples of it.

    Parameters
    ----------
    samples : (h, w) or (h, w, C) arrays
        All of one shape.
    observed : (h, w) or (h, w, C) bool arrays
        Which of their samples are known.
    extremes : (float, float)
        The lowest and the highest known value of the whole channel.
    parameters : Parameters
        A level that they give is taken as it is.
    masked, missing : bool
        As `Calibration` has them.
    check : callable, optional
        Called now and then; may raise to leave.

    Raises
    ------
    InputError
        If no sample is observed, samples are too large to compute with, or the given level does
        not fit the range.
    """
    check_size(*extremes)
    pairs = [
        (np.where(o, a, np.zeros((), a.dtype)), o)
        for a, o in zip(map(_planes, samples), map(_planes, observed), strict=True)
    ]
    pairs = _telling(pairs)
    if not pairs:
        raise InputError("nothing is observed: the mask marks every pixel as missing")
    pairs, hit = _without_impulses(pairs, parameters.noise, check)
    dtype = pairs[0][0].dtype
    half = 127.0 if dtype == np.uint8 else (extremes[1] - extremes[0]) / 2
    with threads(parameters.threads):
        noise = measure_noise(pairs, parameters.noise, parameters.sigma, half, check)
    ends = np.array([extremes], dtype)
    values = ValueRange.of(ends, np.ones(ends.shape, bool), noise.sigma)
    # An extreme at which impulses lie is none of the rest.
    (low, high), (lowest, highest) = noise.limits, extremes
    low = low if low <= lowest or (hit <= lowest).any() else -np.inf
    high = high if high >= highest or (hit >= highest).any() else np.inf
    return Calibration(
        sigma=noise.sigma,
        values=values,
        limits=(low, high),
        photon_noise=noise.photon_noise,
        impulses=hit.size > 0 or parameters.noise == "impulse",
        masked=masked,
        missing=missing,
        correlation=noise.correlation,
    )


def _telling(pairs: list[Known]) -> list[Known]:
    """Leave out samples that tell hardly anything of the noise, if others do.

    What is missing tells nothing, nor does padding: what is as dark or bright as anything there.
    """
    shares = np.array([_between(a, o) for a, o in pairs])
    if not shares.any():  # two values at most
        shares = np.array([o.mean() for _, o in pairs])
    enough = min(ENOUGH, ENOUGH_OF_MOST * shares.max(initial=0))
    return [pair for pair, share in zip(pairs, shares, strict=True) if share >= enough > 0]


def _between(a: NDArray[Any], observed: NDArray[np.bool_]) -> float:
    """Share of the samples that are known, and neither the lowest nor the highest of these."""
    known = a[observed]
    if not known.size:
        return 0.0
    return float(((known > known.min()) & (known < known.max())).sum() / a.size)


def _without_impulses(
    pairs: list[Known], kind: str, check: Check
) -> tuple[list[Known], NDArray[Any]]:
    """Take out impulses, if there are any in most samples; and give their values."""
    none = np.empty(0)
    if kind not in ("auto", "impulse"):
        return pairs, none
    hits = [find_impulses(a.astype(np.float64), o, check=check) for a, o in pairs]
    if kind == "auto" and sum(bool(h.any()) for h in hits) <= len(hits) / 2:
        return pairs, none
    values = np.concatenate([a[h] for (a, _), h in zip(pairs, hits, strict=True)])
    rest = [(a, o & ~h) for (a, o), h in zip(pairs, hits, strict=True)]
    return [pair for pair in rest if pair[1].any()], values


def _planes(a: NDArray[Any]) -> NDArray[Any]:
    """(h, w) or (h, w, C) to (1 or C, h, w)."""
    return np.moveaxis(a, -1, 0) if a.ndim == 3 else a[None]
