"""How strong noise can be at most: no place of an image is much flatter than its noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import chi2

SIDE, LEAST_KNOWN = 3, 5  # of a window, and of its samples
SHARE = 0.01  # of the windows, which are the flattest
LEAST_WINDOWS, MAX_WINDOWS = 1500, 200_000
CLIPPED_WITHIN = 2.5  # standard deviations from an end of the range, where noise is cut off


def highest_level(
    image: NDArray[np.floating],
    observed: NDArray[np.bool_],
    limits: tuple[float, float],
    level: float,
) -> float:
    """Bound the level of white noise from above, by the flattest windows.

    What an image shows adds to the variance in a window. Were there nothing but noise of level s,
    a share q of the windows of n samples would have squared deviations of less than
    s^2 chi2_q(n - 1) in sum; with the sum that so many do have, this is solved for s. Of the
    results for dark, middling and bright windows the middle one is taken: noise that grows with
    the signal is then not rated by the dark ones.

    Parameters
    ----------
    image : (C, H, W) float array
    observed : (C, H, W) bool array
    limits : (float, float)
        Where samples were cut off.
    level : float
        An estimate: within 2.5 of it from `limits`, windows do not count.

    Returns
    -------
    float
        In the units of `image`; infinite where too few windows are left.
    """
    known = observed & ~np.isin(image, limits)
    middle = float(image[known].mean()) if known.any() else 0.0
    samples = np.where(known, image - middle, 0.0)  # far from zero, sums would lose their digits
    known_in = _sums(known.astype(np.float64))
    enough = known_in >= LEAST_KNOWN
    count, total, squares = (a[enough] for a in (known_in, _sums(samples), _sums(samples**2)))
    mean = total / count
    deviations = squares - total * mean
    low, high = limits[0] - middle, limits[1] - middle
    margin = CLIPPED_WITHIN * level
    tells = (mean > low + margin) & (mean < high - margin)
    tells &= deviations > 1e-9 * squares  # flat to the last digit: padding
    (places,) = np.nonzero(tells)
    if len(places) < LEAST_WINDOWS:
        return float("inf")
    places = places[:: max(1, len(places) // MAX_WINDOWS)]
    quantiles = np.asarray(chi2.ppf(SHARE, np.arange(SIDE**2)))
    variances = deviations[places] / quantiles[count[places].astype(int) - 1]
    thirds = np.array_split(variances[np.argsort(mean[places])], 3)
    return float(np.sqrt(np.median([np.quantile(third, SHARE) for third in thirds])))


def _sums(planes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over the window around each sample."""
    for axis in (1, 2):
        planes = ndimage.correlate1d(planes, np.ones(SIDE), axis, mode="constant")
    return planes
