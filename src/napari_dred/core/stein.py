"""White noise as a denoiser tells it: the level that agrees with what is taken away."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_dred.core.control import Check, go_on
from napari_dred.core.denoisers.base import HIGHEST_LEVEL, Denoiser
from napari_dred.core.denoisers.build import build_denoiser
from napari_dred.core.flattest import CLIPPED_WITHIN
from napari_dred.core.noise import different_channels, fill_nearest
from napari_dred.core.photon import PhotonNoise, fit_line

# The numbers were chosen on images apart from every test set.
PIECES, LEAST_PIECES, SIDE = 4, 2, 128  # parts of an image: of one channel, of many; their width
NEAR_BEST = 0.9  # of the samples that tell most, which a part has
LEAST_SAMPLES = 4000
LEAST_LEVEL = 0.5 / 255  # less makes no difference
# An estimate is only raised above this, and where there are few holes: what the network itself
# gets wrong counts as noise, and so do holes that are filled with what is near.
LEAST_SURE, MOSTLY_KNOWN = 3 / 255, 0.9
PROBE = 0.1  # of the level: how far samples are moved, to see how the denoiser follows
ROUNDS, CLOSE = 4, 0.01
MOST_SLOWLY = 0.8  # how slowly rounds are thought to approach at most
SHADES, SHADE_ROUNDS, MOST_SORTED = 8, 3, 100_000
FIRST_RATIO, SURE = 1.1, (0.93, 0.15, 1.25)  # of the levels; for `Line.rises`
DIGITS = 4  # that do not depend on the number of threads

_Level = float | Tensor


def refine_noise(
    image: NDArray[np.float32],
    observed: NDArray[np.bool_],
    limits: tuple[float, float],
    level: float,
    *,
    photons: bool,
    check: Check = go_on,
) -> tuple[float, PhotonNoise | None]:
    """Refine an estimate of the level of white noise, and look whether it grows with the signal.

    Of the best denoiser f of Y = X + n there is, Stein's identity says that (Y - f(Y))^2 amounts
    to sigma^2 (1 - df(Y)/dY), on average over samples. It takes fine texture for what it is,
    which other estimates count as noise. With f told a level that is not sigma, the quotient of
    the two is nearer to sigma than what was told: the level is looked for that tells itself. Of
    samples of one shade, it tells the level there.

    Parameters
    ----------
    image : (C, H, W) float32 array
        Y on the [0, 1] scale.
    observed : (C, H, W) bool array
    limits : (float, float)
        Where values were cut off.
    level : float
        The estimate.
    photons : bool
        Whether the noise may grow with the signal.
    check : callable, optional
        Called now and then; may raise to leave.

    Returns
    -------
    float
        The estimate itself where too few samples tell more of it.
    PhotonNoise or None
        None if the noise does not clearly grow with the signal.
    """
    if not LEAST_LEVEL <= level <= HIGHEST_LEVEL:
        return level, None
    channels = different_channels(image, observed, [level] * len(image))
    image, observed = image[channels], observed[channels]
    near = np.stack([ndimage.minimum_filter(o, 3, mode="nearest") for o in observed])
    known = near & ~np.isin(image, limits)
    parts = _parts(known)
    told_by = np.stack([known[part] for part in parts])
    if told_by.sum() < LEAST_SAMPLES:
        return level, None
    filled = np.stack([fill_nearest(c, o) for c, o in zip(image, observed, strict=True)])
    colours = 3 if len(channels) == 3 else 1
    shape = (-1, colours, *filled[parts[0]].shape[1:])
    denoiser = build_denoiser(
        "ffdnet",
        colours,
        path=None,
        device=torch.device("cpu"),
        bfloat16=False,
        check=check,
    )
    look = _Look(
        denoiser,
        torch.from_numpy(np.stack([filled[part] for part in parts])).reshape(shape),
        torch.from_numpy(told_by).reshape(shape),
        limits,
    )
    found = _fixed_point(look.level, level)
    if found is None:
        return level, None
    if found > level and (found < LEAST_SURE or told_by.mean() < MOSTLY_KNOWN):
        return level, None
    return _rounded(found), look.photon_noise(found) if photons else None


def _rounded(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")


def _parts(known: NDArray[np.bool_]) -> list[tuple[slice, slice, slice]]:
    """Parts of an image, all of one size, in which much is known; far apart."""
    h, w = (min(n, SIDE) for n in known.shape[1:])
    parts = [
        (slice(None), slice(top, top + h), slice(left, left + w))
        for top in range(0, known.shape[1] - h + 1, h)
        for left in range(0, known.shape[2] - w + 1, w)
    ]
    share = np.array([known[part].mean() for part in parts])
    (good,) = np.nonzero(share >= NEAR_BEST * share.max())
    count = min(max(LEAST_PIECES, PIECES // len(known)), len(good))
    places = np.linspace(0, len(good) - 1, count + 2)[1:-1]
    return [parts[good[round(place)]] for place in places]


class _Look:
    """What a denoiser that is told a level of Y tells of it."""

    def __init__(
        self, denoiser: Denoiser, y: Tensor, known: Tensor, limits: tuple[float, float]
    ) -> None:
        self._f, self._y, self._known, self._limits = denoiser, y, known, limits
        signs = torch.randint(0, 2, y.shape, generator=torch.Generator().manual_seed(0))
        self._signs = signs.to(y) * 2 - 1

    def _at(self, level: _Level) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """f(Y), what is taken away, squared, 1 - df/dY, and which samples tell."""
        x = self._f(self._y, level)
        step = PROBE * level
        still = 1 - self._signs * (self._f(self._y + step * self._signs, level) - x) / step
        low, high = self._limits
        margin = CLIPPED_WITHIN * level
        known = self._known & (x > low + margin) & (x < high - margin)
        return x, (self._y - x).square().double(), still.double(), known

    def level(self, told: float) -> float | None:
        """None if too few samples tell."""
        _, taken, still, known = self._at(told)
        square = float(taken[known].sum() / still[known].sum())
        enough = int(known.sum()) >= LEAST_SAMPLES and 0 < square < math.inf
        return math.sqrt(square) if enough else None

    def photon_noise(self, level: float) -> PhotonNoise | None:
        """From the levels of some shades; None if they do not lie on a line that clearly rises."""
        told: _Level = level
        for _ in range(SHADE_ROUNDS):
            x, taken, still, known = self._at(told)
            if int(known.sum()) < LEAST_SAMPLES:
                return None
            line = fit_line(*_by_shade(x[known], taken[known], still[known]))
            if not line.ratio > FIRST_RATIO:
                return None
            variance = line.noise.gain * x + line.noise.offset
            variance = variance.clamp(line.noise.floor, HIGHEST_LEVEL**2)
            told = variance.mean(1, keepdim=True).sqrt()  # of three colours the network takes one
        return line.noise if line.rises(*SURE) else None


def _by_shade(
    x: Tensor, taken: Tensor, still: Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean signal and variance of the noise of samples that are alike in brightness."""
    some = x[:: 1 + len(x) // MOST_SORTED]
    shades = torch.bucketize(x, torch.quantile(some, torch.linspace(0, 1, SHADES + 1)[1:-1]))
    count = torch.bincount(shades, minlength=SHADES)
    signal, squares, parts = (
        torch.bincount(shades, values.double(), SHADES) for values in (x, taken, still)
    )
    return (signal / count).numpy(), (squares / parts).numpy()


def _fixed_point(told: Callable[[float], float | None], level: float) -> float | None:
    """The level that tells itself, in logarithms by secants; None if it is not found."""
    at, gain, before = math.log(level), 1.0, None
    for _ in range(ROUNDS):
        found = told(math.exp(at))
        if found is None:
            return None
        to = math.log(found)
        if before is not None and before[0] != at:
            slope = (to - before[1]) / (at - before[0])
            gain = 1 / (1 - min(max(slope, 0.0), MOST_SLOWLY))
        before = at, to
        step = gain * (to - at)
        at = min(max(at + step, math.log(LEAST_LEVEL)), math.log(HIGHEST_LEVEL))
        if abs(step) < CLOSE or math.exp(at) <= LEAST_LEVEL:
            break
    return math.exp(at)
