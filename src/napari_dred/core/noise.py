"""Noise: its level, estimated from the observed samples."""

from __future__ import annotations

import numpy as np
import pywt
from numpy.typing import NDArray
from scipy import ndimage
from skimage.restoration import estimate_sigma as skimage_estimate_sigma

_ENOUGH = 256  # wavelet coefficients that a median absolute deviation should rest on
_MAD = 0.6744897501960817  # that of a standard normal variable


def _one_channel(plane: NDArray[np.float64], observed: NDArray[np.bool_]) -> float:
    if observed.all():
        return float(skimage_estimate_sigma(plane))
    # A wavelet coefficient counts if no missing sample lies under it, that is if the
    # indicator of the missing ones is zero in all four bands there.
    bands = pywt.dwtn((~observed).astype(np.float64), "db2")
    clean = np.sum([np.abs(b) for b in bands.values()], 0) < 1e-9
    if clean.sum() >= _ENOUGH:
        details = pywt.dwtn(np.where(observed, plane, 0), "db2")["dd"][clean]
        details = details[details != 0]  # as scikit-image: flat areas are not noise
        return float(np.median(np.abs(details)) / _MAD) if details.size else 0.0
    # Hardly any clean support: fill each hole with its nearest observed sample.
    nearest = ndimage.distance_transform_edt(~observed, return_distances=False, return_indices=True)
    return float(skimage_estimate_sigma(plane[tuple(nearest)]))


def estimate_sigma(image: NDArray[np.floating], observed: NDArray[np.bool_]) -> float:
    """Estimate the standard deviation of white Gaussian noise.

    The median absolute deviation of the finest diagonal wavelet coefficients
    (Donoho and Johnstone 1994), as `skimage.restoration.estimate_sigma`, whose
    value it has where everything is observed.

    Parameters
    ----------
    image : (C, H, W) float array
    observed : (C, H, W) bool array
        At least one True a channel that counts.

    Returns
    -------
    float
        In the units of `image`; the mean over channels with observed samples.
    """
    if min(image.shape[1:]) < 2:
        return 0.0
    levels = [
        _one_channel(np.asarray(c, np.float64), o)
        for c, o in zip(image, observed, strict=True)
        if o.any()
    ]
    estimate = float(np.mean(levels))
    return estimate if np.isfinite(estimate) else 0.0
