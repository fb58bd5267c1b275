"""Photon noise: a variance that grows with the signal, and how it is made even."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_dred.core.denoisers.base import HIGHEST_LEVEL, Denoiser
from napari_dred.core.flattest import CLIPPED_WITHIN
from napari_dred.core.noise import level_of_patches

SIDE, GROUPS, MAX_PATCHES = 5, 16, 40_000
ROBUST = 0.3  # texture only adds: groups that lie so much above the line count half
# Tuned so that no photograph with Gaussian noise passes and every micrograph of single photons
# does: those reach 1.00, 0.05 and 2, such photographs 0.97, 0.1 and 1.8, and seldom two of them.
MIN_CORRELATION, MAX_DEVIATION, MIN_RATIO = 0.98, 0.08, 1.5
SMOOTHING, ROUNDS = 2.0, 2


@dataclass(frozen=True)
class PhotonNoise:
    """Poisson-Gaussian noise: variance = gain * signal + offset, in sample values.

    Attributes
    ----------
    gain : float
        Sample values a photon.
    offset : float
        Variance of the read noise, less gain times the camera's offset; may be negative.
    floor : float
        The least variance there is.
    """

    gain: float
    offset: float
    floor: float

    def variance(self, signal: NDArray[np.floating]) -> NDArray[np.floating]:
        """Variance of samples with these expectations."""
        variance: NDArray[np.floating] = np.maximum(self.gain * signal + self.offset, self.floor)
        return variance

    def times(self, factor: float) -> PhotonNoise:
        """The same with its standard deviation multiplied."""
        square = factor**2
        return PhotonNoise(self.gain * square, self.offset * square, self.floor * square)

    def stretched(self, low: float, span: float) -> PhotonNoise:
        """The same of samples on another scale, on which 0 is `low` and 1 is `low + span`."""
        gain, square = self.gain * span, span**2
        return PhotonNoise(gain, self.offset * square - gain * low, self.floor * square)


def fit_photon_noise(
    image: NDArray[np.floating],
    observed: NDArray[np.bool_],
    limits: tuple[float, float],
) -> PhotonNoise | None:
    """Fit Poisson-Gaussian noise to the noise levels of patches of like brightness.

    Parameters
    ----------
    image : (C, H, W) float array
    observed : (C, H, W) bool array
    limits : (float, float)
        Where values were cut off.

    Returns
    -------
    PhotonNoise or None
        None if the variance does not clearly grow with the signal, along a line.
    """
    if min(image.shape[1:]) < SIDE:
        return None
    rows = []
    for channel, seen in zip(image, observed, strict=True):
        whole = np.nonzero(sliding_window_view(seen, (SIDE, SIDE)).all((2, 3)))
        step = max(1, len(whole[0]) * len(image) // MAX_PATCHES)
        windows = sliding_window_view(channel, (SIDE, SIDE))
        rows.append(windows[whole[0][::step], whole[1][::step]].reshape(-1, SIDE**2))
    patches = np.concatenate(rows)
    if len(patches) < GROUPS * 4 * SIDE**2:
        return None
    groups = [patches[i] for i in np.array_split(np.argsort(patches.mean(1)), GROUPS)]
    signal = np.array([g.mean() for g in groups])
    level = np.array([level_of_patches(g) for g in groups])
    margin = CLIPPED_WITHIN * level
    whole_noise = (signal > limits[0] + margin) & (signal < limits[1] - margin) & (level > 0)
    if whole_noise.sum() < GROUPS // 2:
        return None
    line = fit_line(signal[whole_noise], level[whole_noise] ** 2)
    return line.noise if line.rises(MIN_CORRELATION, MAX_DEVIATION, MIN_RATIO) else None


@dataclass(frozen=True)
class Line:
    """A line through the variances of groups of samples that are alike in brightness.

    Attributes
    ----------
    noise : PhotonNoise
    correlation : float
        Of signal and variance.
    deviation : float
        Of the variances from the line, the median, in parts of it.
    ratio : float
        Of the largest level on the line to the smallest.
    """

    noise: PhotonNoise
    correlation: float
    deviation: float
    ratio: float

    def rises(self, correlation: float, deviation: float, ratio: float) -> bool:
        """Whether it clearly does, within these bounds."""
        straight = self.correlation > correlation and self.deviation <= deviation
        return straight and self.noise.gain > 0 and self.ratio >= ratio


def fit_line(signal: NDArray[np.floating], variance: NDArray[np.floating]) -> Line:
    """Fit one, to which what texture adds counts for little.

    Parameters
    ----------
    signal, variance : (n,) arrays
        Of each group.
    """
    line = np.stack([signal, np.ones_like(signal)], 1)
    weight = 1 / variance
    for _ in range(10):
        gain, offset = np.linalg.lstsq(line * weight[:, None], variance * weight, rcond=None)[0]
        fit = np.maximum(gain * signal + offset, 0.01 * variance.max())
        excess = variance / fit - 1
        weight = 1 / fit / (1 + np.maximum(excess, 0) / ROBUST)
    return Line(
        PhotonNoise(float(gain), float(offset), float(fit.min()) / 2),
        correlation=float(np.corrcoef(signal, variance)[0, 1]),
        deviation=float(np.median(np.abs(excess))),
        ratio=float(np.sqrt(fit.max() / fit.min())),
    )


def relative_level(
    filled: Tensor, noise: PhotonNoise, low: float, span: float, sigma: float, denoiser: Denoiser
) -> Tensor:
    """Standard deviation of the noise in each sample, in parts of its overall level.

    Parameters
    ----------
    filled : (1, C, h, w) tensor
        Y on the [0, 1] scale, without holes.
    noise : PhotonNoise
    low, span : float
        The sample values 0 and 1 stand for are `low` and `low + span`.
    sigma : float
        The overall level, on the [0, 1] scale.
    denoiser : Denoiser

    Returns
    -------
    (1, C, h, w) tensor
        From the signal as a smoothed Y tells it at first, and then a denoised one.
    """
    radius = int(3 * SMOOTHING)
    ends = torch.arange(-radius, radius + 1, dtype=filled.dtype, device=filled.device)
    kernel = torch.softmax(-(ends**2) / (2 * SMOOTHING**2), 0)
    window = (kernel[:, None] * kernel).expand(filled.shape[1], 1, -1, -1)
    padded = F.pad(filled, (radius,) * 4, mode="replicate")
    signal = F.conv2d(padded, window, groups=filled.shape[1])
    for done in range(ROUNDS):
        variance = (noise.gain * (low + span * signal) + noise.offset).clamp_min(noise.floor)
        level = variance.sqrt() / span
        if done < ROUNDS - 1:
            signal = Uneven(denoiser, level / sigma)(filled, sigma)
    return level / sigma


class Uneven:
    """A denoiser for noise that is stronger here than there.

    Parameters
    ----------
    denoiser : Denoiser
        For a map of levels; kept as `even`.
    relative : (1, C, H, W) tensor
        What every level is multiplied by.
    """

    def __init__(self, denoiser: Denoiser, relative: Tensor) -> None:
        self.even = denoiser
        # The colour network takes one level for the three of them.
        three = relative.shape[1] == 3
        self._relative = relative.square().mean(1, keepdim=True).sqrt() if three else relative

    def __call__(self, x: Tensor, sigma: float | Tensor, view: int = 0) -> Tensor:
        level = (sigma * self._relative).clamp_max(max(HIGHEST_LEVEL, float(sigma)))
        return self.even(x, level, view)
