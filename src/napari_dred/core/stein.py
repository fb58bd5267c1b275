"""White noise as a denoiser tells it: the level that agrees with what is taken away."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_dred.core.control import Check, go_on
from napari_dred.core.denoisers.base import HIGHEST_LEVEL, Denoiser
from napari_dred.core.denoisers.build import build_denoiser
from napari_dred.core.flattest import CLIPPED_WITHIN
from napari_dred.core.noise import Known, different_channels, fill_nearest
from napari_dred.core.photon import PhotonNoise, fit_line
from napari_dred.core.values import ValueRange

# The numbers were chosen on images apart from every test set.
SIDE, PATCHES, PATCHES_OF_MANY = 96, 4, 2  # what is looked at: of one channel, of several
MOST_CHANNELS = 4
NEAR_BEST = 0.9  # of the samples that tell most, which a patch has
LEAST_SAMPLES = 4000
LEAST_LEVEL = 0.5 / 255  # less makes no difference
# Patches underrate noise that neighbours share, and nothing else by much: an estimate is only
# raised where the residuals of neighbours are alike. Holes, filled from nearby, look like noise.
ALIKE, MOSTLY_KNOWN = -0.02, 0.95
BOUNDS = 0.25, 1.3  # in parts of the estimate: a network may not know a pattern
PROBE = 0.1  # of the level: how far samples are moved, to see how the denoiser follows
ROUNDS, CLOSE = 4, 0.02
MOST_SLOWLY = 0.8  # how slowly rounds are thought to approach at most
SHADES, SHADE_ROUNDS = 8, 3
LEAST_WITH_SHADES = 3 / 255  # below, what the network gets wrong grows with the signal as well
SOME_RATIO, CLEARLY = 1.1, (0.93, 0.15, 1.25)  # of levels; for `Line.rises`
DIGITS = 4  # which do not depend on the number of threads

_Place = tuple[int, slice, slice]  # an image, rows and columns


def refine_noise(
    images: Sequence[Known],
    limits: tuple[float, float],
    sigma: float,
    values: ValueRange,
    *,
    photons: bool,
    check: Check = go_on,
) -> tuple[float, PhotonNoise | None]:
    """Refine an estimate of the level of white noise, and look whether it grows with the signal.

    Of the best denoiser f of Y = X + n there could be, Stein's identity says that the squares of
    the residual Y - f(Y) add up to sigma^2 times its degrees of freedom, the sum of 1 - df/dY.
    Fine texture, which other estimates count as noise, has few of them. FFDNet stands for that f.
    Told a level that is not sigma, it makes the quotient of both sums come nearer to sigma than
    what it was told: the level is looked for that gives itself. In samples of one shade, the
    quotient is the level there. Derivatives come from one random probe (Ramani, Blu and Unser
    2008).

    Parameters
    ----------
    images : sequence of ((C, H, W) float array, (C, H, W) bool array)
        Y in sample values, and which samples are known; all of one shape.
    limits : (float, float)
        Where values were cut off.
    sigma : float
        The estimate.
    values : ValueRange
        The scale on which the network sees them.
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
    level = sigma / values.span
    if not LEAST_LEVEL <= level <= HIGHEST_LEVEL:
        return sigma, None
    places = _places(images, limits, check)
    parts = [(images[n][0][:, y, x], images[n][1][:, y, x]) for n, y, x in places]
    image, observed = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    channels = different_channels(image, observed, [sigma] * len(image))
    if not channels:
        return sigma, None
    channels = channels[:: math.ceil(len(channels) / MOST_CHANNELS)]
    known = [_telling(a[channels], o[channels], limits) for a, o in parts]
    if sum(int(k.sum()) for k in known) < LEAST_SAMPLES:
        return sigma, None
    mostly_known = float(np.mean([o[channels] for _, o in parts])) > MOSTLY_KNOWN
    filled = [np.stack([fill_nearest(a[c], o[c]) for c in channels]) for a, o in parts]
    colours = 3 if len(channels) == 3 else 1
    denoiser = build_denoiser(
        "ffdnet",
        colours,
        path=None,
        device=torch.device("cpu"),
        bfloat16=False,
        check=check,
    )

    def tensor(parts: Sequence[NDArray[np.generic]]) -> Tensor:
        stacked = np.stack(parts)
        return torch.from_numpy(stacked.reshape(-1, colours, *stacked.shape[2:]))

    low, high = values.to_unit(np.array(limits)).tolist()
    y = tensor([values.to_unit(a) for a in filled])
    residual = _Residual(denoiser, y, tensor(known), (low, high))
    found = _fixed_point(residual.level, level)
    if found is None:
        return sigma, None
    if found > level and not (mostly_known and residual.correlation(found) > ALIKE):
        found = level
    found = min(max(found, BOUNDS[0] * level), BOUNDS[1] * level)
    photons &= mostly_known and found > LEAST_WITH_SHADES
    line = residual.photon_noise() if photons else None
    sigma = float(f"{found * values.span:.{DIGITS}g}")
    return sigma, line and line.stretched(values.low, values.span)


def _places(images: Sequence[Known], limits: tuple[float, float], check: Check) -> list[_Place]:
    """Where to look: patches, all of one size, in which much is known and not flat."""
    places, shares = list[_Place](), list[float]()
    for n, (image, observed) in enumerate(images):
        check()
        rows, columns = (
            [slice(start, start + min(size, SIDE)) for start in _starts(size)]
            for size in image.shape[1:]
        )
        known = observed & ~np.isin(image, limits)
        here, above, beside = image[:, 1:, 1:], image[:, :-1, 1:], image[:, 1:, :-1]
        known[:, 1:, 1:] &= (here != above) | (here != beside)
        for place in ((n, y, x) for y in rows for x in columns):
            places.append(place)
            shares.append(float(known[:, place[1], place[2]].mean()))
    (good,) = np.nonzero(np.array(shares) >= NEAR_BEST * max(shares))
    count = PATCHES if len(images[0][0]) == 1 else PATCHES_OF_MANY
    chosen = np.random.default_rng(0).permutation(good)[:count]
    return [places[k] for k in sorted(chosen)]


def _starts(size: int) -> list[int]:
    """Of patches that cover so many pixels, with as little overlap as there must be."""
    last = max(size - SIDE, 0)
    starts: list[int] = (
        np.linspace(0, last, math.ceil(last / SIDE) + 1).round().astype(int).tolist()
    )
    return starts


def _telling(
    image: NDArray[np.floating], observed: NDArray[np.bool_], limits: tuple[float, float]
) -> NDArray[np.bool_]:
    """Which samples have no hole beside them, and are neither cut off nor padding."""
    size = (1, 3, 3)
    near = ndimage.minimum_filter(observed, size, mode="nearest")
    flat = ndimage.maximum_filter(image, size) == ndimage.minimum_filter(image, size)
    telling: NDArray[np.bool_] = near & ~flat & ~np.isin(image, limits)
    return telling


class _Residual:
    """The residual of a denoiser that is told a level, on the [0, 1] scale.

    Parameters
    ----------
    denoiser : Denoiser
    y : (N, C, h, w) tensor
        C is that of the denoiser.
    known : (N, C, h, w) bool tensor
        Samples that count.
    limits : (float, float)
        Where values were cut off.
    """

    def __init__(
        self, denoiser: Denoiser, y: Tensor, known: Tensor, limits: tuple[float, float]
    ) -> None:
        self._f, self._y, self._known, self._limits = denoiser, y, known, limits
        signs = torch.randint(0, 2, y.shape, generator=torch.Generator().manual_seed(0))
        self._signs = signs.to(y) * 2 - 1

    def _at(self, level: float | Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """f(Y), the residual's squares and degrees of freedom, and which samples count."""
        x = self._f(self._y, level)
        step = PROBE * level
        freedom = 1 - self._signs * (self._f(self._y + step * self._signs, level) - x) / step
        low, high = self._limits
        margin = CLIPPED_WITHIN * level
        known = self._known & (x > low + margin) & (x < high - margin)
        return x, (self._y - x).square().double(), freedom.double(), known

    def level(self, told: float) -> float | None:
        """The level that it has by its degrees of freedom; None if too few samples tell."""
        self._latest = self._at(told)
        _, squares, freedom, known = self._latest
        variance = float(squares[known].sum() / freedom[known].sum())
        enough = int(known.sum()) >= LEAST_SAMPLES and 0 < variance < math.inf
        return math.sqrt(variance) if enough else None

    def correlation(self, told: float) -> float:
        """How alike it is in neighbouring samples."""
        x = self._f(self._y, told)
        residual = (self._y - x) * self._known
        pairs = [(residual[..., 1:, :], residual[..., :-1, :])]
        pairs += [(residual[..., 1:], residual[..., :-1])]
        shared = sum(float((a * b).sum()) for a, b in pairs)
        own = sum(float((a.square() * (b != 0)).sum()) for a, b in pairs)
        return shared / own if own else 0.0

    def photon_noise(self) -> PhotonNoise | None:
        """From the levels of some shades; None if they do not lie on a line that clearly rises.

        It begins with the level that was told last.
        """
        told: Tensor | None = None
        for _ in range(SHADE_ROUNDS):
            x, squares, freedom, known = self._latest if told is None else self._at(told)
            if int(known.sum()) < LEAST_SAMPLES:
                return None
            signal, variance = _by_shade(x[known], squares[known], freedom[known])
            if not ((variance > 0) & (variance < math.inf)).all():
                return None
            line = fit_line(signal, variance)
            if not line.ratio > SOME_RATIO:
                return None
            fitted = line.noise.gain * x + line.noise.offset
            fitted = fitted.clamp(line.noise.floor, HIGHEST_LEVEL**2)
            told = fitted.mean(1, keepdim=True).sqrt()  # three colours have one level
        return line.noise if line.rises(*CLEARLY) else None


def _by_shade(
    x: Tensor, squares: Tensor, freedom: Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean signal and variance of the noise of samples that are alike in brightness."""
    shades = torch.bucketize(x, torch.quantile(x, torch.linspace(0, 1, SHADES + 1)[1:-1]))
    ones = torch.ones_like(squares)
    count, signal, variance, free = (
        torch.bincount(shades, values.double(), SHADES).numpy()
        for values in (ones, x, squares, freedom)
    )
    some_free = np.where(free > 0, free, np.inf)  # else no variance
    return signal / np.maximum(count, 1), variance / some_free


def _fixed_point(told: Callable[[float], float | None], level: float) -> float | None:
    """The level that gives itself, in logarithms by secants; None if it is not found."""
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
