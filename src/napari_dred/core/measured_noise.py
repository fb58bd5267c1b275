"""Kind and level of the noise in planes that belong together, as far as they are not given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_dred.core.control import Check, go_on
from napari_dred.core.correlation import Correlation, agreed_correlation, find_correlation, thinned
from napari_dred.core.noise import Known, estimate_sigma, find_limits
from napari_dred.core.photon import PhotonNoise, fit_photon_noise
from napari_dred.core.stein import refine_noise
from napari_dred.core.values import ValueRange


@dataclass(frozen=True)
class MeasuredNoise:
    """What the noise is like.

    Attributes
    ----------
    sigma : float
        Standard deviation in sample values; root mean square if it is not even.
    limits : (float, float)
        Where samples were cut off, or infinite.
    photon_noise : PhotonNoise or None
    correlation : Correlation or None
        None if it is white.
    """

    sigma: float
    limits: tuple[float, float]
    photon_noise: PhotonNoise | None = None
    correlation: Correlation | None = None


def measure_noise(
    pairs: Sequence[Known],
    kind: str,
    sigma: float | None,
    most: float,
    check: Check = go_on,
) -> MeasuredNoise:
    """Measure the noise of planes.

    Parameters
    ----------
    pairs : sequence of ((C, H, W) array, (C, H, W) bool array)
        Samples, all of one shape, and which of them are known.
    kind : str
        As `Parameters.noise`.
    sigma : float or None
        The level, if it is given: it is taken as it is.
    most : float
        Limit of an estimate, which pure noise exceeds.
    check : callable, optional
        Called now and then; may raise to leave.
    """
    planes, known = (np.concatenate(part) for part in zip(*pairs, strict=True))
    planes = np.where(known, planes, np.zeros((), planes.dtype))
    check()
    limits = find_limits(planes, known)
    check()
    samples = planes.astype(np.float64)
    any_kind = kind in ("auto", "poisson")
    grids = [(a.astype(np.float64), o) for a, o in pairs]
    correlation = None
    if any_kind:
        found = [find_correlation(*grid, limits, check) for grid in grids]
        correlation = agreed_correlation(found)
    if sigma is not None:
        return MeasuredNoise(sigma, limits, correlation=correlation)
    if correlation is not None:  # samples far enough apart have white noise
        grids = [grid for pair in grids for grid in thinned(*pair, correlation.step)]
    photon = None
    if any_kind:
        pooled, seen = (np.concatenate(part) for part in zip(*grids, strict=True))
        check()
        photon = fit_photon_noise(pooled, seen, limits)
    check()
    if photon is None:
        level = float(np.median([estimate_sigma(*grid, limits, check) for grid in grids]))
        if correlation is None and level:
            values = ValueRange.of(planes, known, min(level, most))
            level, photon = refine_noise(
                grids, limits, level, values, photons=any_kind, check=check
            )
    if photon is not None:
        level = float(np.sqrt(photon.variance(samples[known]).mean()))
    return MeasuredNoise(min(level, most), limits, photon, correlation)
