"""White noise: its level, and where it was cut off, from the observed samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage
from skimage.restoration import estimate_sigma as estimate_by_wavelets

from napari_dred.core.control import Check, go_on
from napari_dred.core.flattest import CLIPPED_WITHIN, highest_level

# Of patches, the largest of which there are enough without a missing sample.
SIDES_GRAY, SIDES_COLOUR = (8, 5, 3), (6, 4, 3)
MAX_PATCHES = 20_000
# For each sample of a patch, if there are so many of any size: of fewer, the estimate is too low.
PATCHES_A_SAMPLE = 16, 4
MOSTLY_UNCLIPPED = 0.01  # share of samples at an end of the range
STRONG = 1 / 8  # of the range

# Windows without a hole, in parts of the known pixels, below which a level is bounded by the
# flattest places; and what is left of it at least: some places may have no noise, as a scale bar.
FEW_WINDOWS, LEAST_OF_LEVEL = 0.5, 0.25

# Planes (C, H, W), and which of their samples are known, alike.
Known = tuple[NDArray[Any], NDArray[np.bool_]]

ROUNDING = 1e-9  # of the largest sample: less is no noise
SHARED = 0.5  # of the level; independent noise differs by 1.4 of it
PILE, PILE_COUNT = 0.001, 16  # share and number of samples at one value


def level_of_patches(samples: NDArray[np.floating]) -> float:
    """Noise level of patches, one a row: what the smallest eigenvalues of their covariance share.

    Chen, Zhu and Heng (2015): without the largest ones, which hold the image,
    eigenvalues scatter evenly around the variance of the noise, their mean at their median.
    """
    values = np.linalg.eigvalsh(np.cov(samples, rowvar=False))
    count = next(
        (n for n in range(len(values), 1, -1) if values[:n].mean() <= np.median(values[:n])), 1
    )
    return float(np.sqrt(max(values[:count].mean(), 0.0)))


def _from_patches(
    image: NDArray[np.floating], observed: NDArray[np.bool_], limits: tuple[float, float]
) -> float | None:
    """Estimate from patches through all channels; None if there are too few without a hole."""
    for enough in PATCHES_A_SAMPLE:
        level = _from_many_patches(image, observed, limits, enough)
        if level is not None:
            return level
    return None


def _from_many_patches(
    image: NDArray[np.floating],
    observed: NDArray[np.bool_],
    limits: tuple[float, float],
    enough_a_sample: int,
) -> float | None:
    """The same from the largest patches of which there are enough for each of their samples."""
    everywhere = observed.all(0)
    sides = SIDES_GRAY if len(image) == 1 else SIDES_COLOUR
    for side in (s for s in sides if s <= min(image.shape[1:])):
        whole = _whole_windows(np.asarray(everywhere), side)
        places = np.flatnonzero(whole)
        places = places[:: max(1, len(places) // MAX_PATCHES)]
        rows, columns = np.unravel_index(places, whole.shape)
        size = len(image) * side**2
        enough = enough_a_sample * size
        if len(rows) < enough:
            continue
        windows = sliding_window_view(image, (side, side), (1, 2))
        patches = np.moveaxis(windows[:, rows, columns], 0, 1).reshape(-1, size)
        # Padding and saturation show no noise.
        uncut = ~np.isin(patches, limits).all(1)
        if uncut.sum() < enough:
            continue
        patches = patches[uncut]
        level = level_of_patches(patches)
        if np.isfinite(limits).any():
            means = patches.reshape(len(patches), len(image), -1).mean(2)
            lowest, highest = means.min(1), means.max(1)
            for _ in range(3):  # the farther from the ends, the less of the noise is cut off
                margin = CLIPPED_WITHIN * level
                inside = (lowest > limits[0] + margin) & (highest < limits[1] - margin)
                if inside.sum() < enough:
                    break
                level = level_of_patches(patches[inside])
        return level
    return None


def _whole_windows(observed: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """Whether all is observed in the window of `side` pixels that begins at a pixel, where one can.

    Parameters
    ----------
    observed : (H, W) bool array
    side : int

    Returns
    -------
    (H - side + 1, W - side + 1) bool array
    """
    height, width = (n - side + 1 for n in observed.shape)
    return ndimage.minimum_filter(observed, side, origin=-(side // 2))[:height, :width]


def different_channels(
    image: NDArray[np.floating], observed: NDArray[np.bool_], levels: list[float | None]
) -> list[int]:
    """Channels that are neither constant nor, but for a part of their noise, an earlier one."""
    found: list[int] = []
    for k, (channel, seen) in enumerate(zip(image, observed, strict=True)):
        samples = channel[seen]
        if not samples.size or np.ptp(samples) == 0:
            continue
        differences = (
            channel[both] - image[j][both] for j in found if (both := seen & observed[j]).any()
        )
        if all(d.std() > SHARED * (levels[k] or 0) for d in differences):
            found.append(k)
    return found


def fill_nearest(plane: NDArray[Any], observed: NDArray[np.bool_]) -> NDArray[Any]:
    """Give each missing sample of an (H, W) array the value of the nearest observed one."""
    if observed.all():
        return plane
    nearest = ndimage.distance_transform_edt(~observed, return_distances=False, return_indices=True)
    filled: NDArray[Any] = plane[tuple(nearest)]
    return filled


def estimate_sigma(
    image: NDArray[np.floating],
    observed: NDArray[np.bool_],
    limits: tuple[float, float] = (-np.inf, np.inf),
    check: Check = go_on,
) -> float:
    """Estimate the standard deviation of white Gaussian noise.

    From the eigenvalues of the covariance of small patches (Chen, Zhu and Heng,
    2015), which fine texture disturbs much less than it does wavelets. Where missing samples are
    scattered over the image, few patches are whole, and texture does count as noise: there, the
    flattest places tell how much of it can be noise (`highest_level`).

    Parameters
    ----------
    image : (C, H, W) float array
    observed : (C, H, W) bool array
        At least one True a channel that counts.
    limits : (float, float), optional
        Where values were cut off, as `find_limits` says; patches near there are left out if
        others remain.
    check : callable, optional
        Called now and then; may raise to leave.

    Returns
    -------
    float
        In the units of `image`, for all its channels.
    """
    samples: NDArray[np.float64] = image.astype(np.float64)
    level = unbounded_level(samples, observed, limits, check)
    if not _scattered_over(observed):
        return level
    bound = highest_level(samples, observed, limits, level)
    return min(level, max(bound, LEAST_OF_LEVEL * level))


def _scattered_over(observed: NDArray[np.bool_]) -> bool:
    """Whether missing samples are so scattered that few windows of the smallest patches are whole.

    A single large hole, or a few wide ones, leave most of the rest whole.
    """
    pixels = observed.all(0)
    whole = ndimage.minimum_filter(pixels, SIDES_GRAY[-1], mode="nearest")
    return bool(whole.sum() < FEW_WINDOWS * pixels.sum())


def unbounded_level(
    image: NDArray[np.float64],
    observed: NDArray[np.bool_],
    limits: tuple[float, float] = (-np.inf, np.inf),
    check: Check = go_on,
) -> float:
    """The noise level by patches and wavelets, in which fine texture may count as noise."""
    if min(image.shape[1:]) < 2:
        return 0.0
    each = []
    for channel, seen in zip(image, observed, strict=True):
        check()
        each.append(_from_patches(channel[None], seen[None], limits))
    different = different_channels(image, observed, each)
    if not different:
        return 0.0
    image, observed = image[different], observed[different]
    levels = [each[k] for k in different]
    check()
    # Together the channels tell texture from noise best, but not where each is cut off: that
    # matters more once the noise is strong.
    estimate = _from_patches(image, observed, limits)
    seen = image[observed]
    clipped = _share(seen, limits) > MOSTLY_UNCLIPPED
    if estimate is None or (clipped and estimate > STRONG * np.ptp(seen)):
        # The channel of which the least is cut off is underrated least.
        channels = zip(image, observed, levels, strict=True)
        known = [(_share(c[o], limits), level) for c, o, level in channels if level is not None]
        estimate = min(known)[1] if known else estimate
    if estimate is None or (observed.all() and not clipped):
        # Texture makes both too high, now one, now the other. Where hardly anything is
        # observed only wavelets are left: each hole takes its nearest observed sample.
        waves = []
        for channel, known in zip(image, observed, strict=True):
            check()
            if known.any():
                waves.append(estimate_by_wavelets(fill_nearest(channel, known)))
        mean = float(np.mean(waves))
        estimate = mean if estimate is None else min(estimate, mean)
    return estimate if np.isfinite(estimate) and estimate > ROUNDING * np.abs(seen).max() else 0.0


def _share(samples: NDArray[Any], limits: tuple[float, float]) -> float:
    """Share of the samples that were cut off."""
    return float(np.isin(samples, limits).mean())


def find_limits(image: NDArray[Any], observed: NDArray[np.bool_]) -> tuple[float, float]:
    """Find the values at which samples were cut off, noise and all.

    There they pile up: many have exactly the lowest (highest) value, more than twice as many as
    have the next one.

    Parameters
    ----------
    image : (C, H, W) array of real numbers
    observed : (C, H, W) bool array
        At least one True.

    Returns
    -------
    (float, float)
        Infinite where nothing was cut off.
    """
    seen = image[observed]
    low, high = seen.min(), seen.max()
    between = seen[(seen > low) & (seen < high)]
    if not between.size:
        return -np.inf, np.inf

    def piled(end: Any, beside: Any) -> bool:
        count = np.count_nonzero(seen == end)
        enough = count >= max(PILE_COUNT, PILE * seen.size)
        return bool(enough and count > 2 * np.count_nonzero(between == beside))

    return (
        float(low) if piled(low, between.min()) else -np.inf,
        float(high) if piled(high, between.max()) else np.inf,
    )
