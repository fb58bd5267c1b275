"""What is measured once of a whole channel and holds for each plane and tile of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_dred.core.correlation import Correlation
from napari_dred.core.crops import CROP, crops
from napari_dred.core.errors import InputError
from napari_dred.core.measured_noise import Known, measure_noise
from napari_dred.core.noise import find_impulses
from napari_dred.core.parameters import Parameters
from napari_dred.core.photon import PhotonNoise
from napari_dred.core.values import ValueRange, check_size

ENOUGH_OBSERVED = 0.25  # of a sample's pixels, for its noise to be measured


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
            how = f"photon noise of gain {self.photon_noise.gain:.3g}, on average"
        told = f"{which}noise level {how}: sigma = {self.sigma:.3g} in the image's sample values"
        if self.correlation is not None:
            shared = self.correlation.neighbours
            told += f"; neighbouring pixels share it (correlation {shared:.2f})"
        return told + "."


def calibrate(
    samples: Sequence[NDArray[Any]],
    observed: Sequence[NDArray[np.bool_]],
    extremes: tuple[float, float],
    parameters: Parameters,
    *,
    masked: bool = False,
    missing: bool = False,
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
    p = parameters
    pairs, impulses = _without_impulses(pairs, p)
    dtype = pairs[0][0].dtype
    half = 127.0 if dtype == np.uint8 else (extremes[1] - extremes[0]) / 2
    noise = measure_noise(pairs, p, half)
    ends = np.array([extremes], dtype)
    values = ValueRange.of(ends, np.ones(ends.shape, bool), noise.sigma)
    return Calibration(
        sigma=noise.sigma,
        values=values,
        limits=noise.limits,
        photon_noise=noise.photon_noise,
        impulses=impulses,
        masked=masked,
        missing=missing,
        correlation=noise.correlation,
    )


def calibrate_large(
    planes: NDArray[Any], observed: NDArray[np.bool_], parameters: Parameters
) -> Calibration | None:
    """Measure an image on crops of it, as a plane of a stack is.

    Parameters
    ----------
    planes : (C, H, W) array
    observed : (C, H, W) bool array
        At least one True a channel.
    parameters : Parameters

    Returns
    -------
    Calibration or None
        None where the image is no larger than two crops, or nothing in them is observed.
    """
    if max(planes.shape[1:]) <= 2 * CROP:
        return None
    parts = [np.s_[:, a:b, c:d] for a, b, c, d in crops(planes[0].shape)]
    seen = [observed[part] for part in parts]
    if not any(o.any() for o in seen):
        return None
    known = planes[observed]
    extremes = float(known.min()), float(known.max())
    samples = [np.moveaxis(planes[part], 0, -1) for part in parts]
    return calibrate(samples, [np.moveaxis(o, 0, -1) for o in seen], extremes, parameters)


def _telling(pairs: list[Known]) -> list[Known]:
    """Leave out the samples of which hardly anything is observed, if there are others."""
    shares = [o.mean() for _, o in pairs]
    enough = min(ENOUGH_OBSERVED, max(shares, default=0))
    return [pair for pair, share in zip(pairs, shares, strict=True) if share >= enough > 0]


def _without_impulses(pairs: list[Known], p: Parameters) -> tuple[list[Known], bool]:
    """Take out impulses, if there are any in most samples; and say whether there are."""
    if p.noise not in ("auto", "impulse"):
        return pairs, False
    hits = [find_impulses(a.astype(np.float64), o) for a, o in pairs]
    if p.noise == "auto" and sum(bool(h.any()) for h in hits) <= len(hits) / 2:
        return pairs, False
    rest = [(a, o & ~h) for (a, o), h in zip(pairs, hits, strict=True)]
    return [pair for pair in rest if pair[1].any()], True


def _planes(a: NDArray[Any]) -> NDArray[Any]:
    """(h, w) or (h, w, C) to (1 or C, h, w)."""
    return np.moveaxis(a, -1, 0) if a.ndim == 3 else a[None]
