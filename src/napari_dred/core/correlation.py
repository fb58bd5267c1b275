"""Correlated noise: how alike the noise of neighbouring samples is, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from napari_dred.core.control import Check, go_on
from napari_dred.core.noise import ROUNDING

SIDE, STEP = 16, 8  # of the tiles that are looked at, and between them
FLATTEST, ENOUGH = 0.1, 16  # share and least number of tiles that are taken for noise alone
MOST_CUT = 0.05  # of a tile's samples, at an end of the range
REACH = 3  # lags that are looked at
FAR = 4, 7  # lags at which nothing is shared any more
VANISHED = 0.2  # a correlation that makes no difference to an estimate
# Found on photographs with white noise and with noise correlated on purpose: white noise stays
# below 0.2; texture reaches more, but differs from place to place in strength or in shape.
CLEAR = 0.3
MAX_VARIATION = 0.12  # of the variance among the flattest tiles, relative
MAX_SCATTER = 0.09  # of the correlation among them


@dataclass(frozen=True)
class Correlation:
    """What neighbouring samples share of their noise.

    Attributes
    ----------
    neighbours : float
        Correlation of the noise in samples beside each other, mean over rows and columns.
    step : int
        How many samples apart it has vanished, or nearly so.
    spread : float
        Level of the white noise that is as strong at low frequencies, in parts of the noise's
        own: the root of the sum of all correlations. A denoiser made for white noise has to be
        told this much more, for that is where images and their noise cannot be told apart.
    """

    neighbours: float
    step: int
    spread: float


def find_correlation(
    image: NDArray[np.floating],
    observed: NDArray[np.bool_],
    limits: tuple[float, float],
    check: Check = go_on,
) -> Correlation | None:
    """Measure the correlation of the noise in the flattest parts of an image.

    There, a quadratic surface is taken off, and what remains is noise if it is the same
    everywhere: as strong in each tile, and as much correlated.

    Parameters
    ----------
    image : (C, H, W) float array
    observed : (C, H, W) bool array
    limits : (float, float)
        Where values were cut off.
    check : callable, optional
        Called before each channel; may raise to leave.

    Returns
    -------
    Correlation or None
        None if the noise is white, or what there is need not be noise.
    """
    found = []
    for channel, seen in zip(image, observed, strict=True):
        check()
        found.append(_of_channel(channel, seen, limits))
    clear = [c for c in found if c is not None]
    return _mean(clear) if len(clear) == len(found) else None


def agreed_correlation(found: Sequence[Correlation | None]) -> Correlation | None:
    """What most samples of a stack have found: one may be empty, or show texture everywhere."""
    clear = [c for c in found if c is not None]
    return _mean(clear) if len(clear) > len(found) / 2 else None


def _mean(clear: Sequence[Correlation]) -> Correlation:
    return Correlation(
        neighbours=float(np.mean([c.neighbours for c in clear])),
        step=max(c.step for c in clear),
        spread=float(np.mean([c.spread for c in clear])),
    )


def thinned(
    image: NDArray[Any], observed: NDArray[np.bool_], step: int
) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
    """Give all grids of every `step`-th sample of (C, H, W) arrays, alike in size."""
    height, width = (n - n % step for n in image.shape[1:])
    for row in range(step):
        for column in range(step):
            grid = slice(None), slice(row, height, step), slice(column, width, step)
            yield image[grid], observed[grid]


def _of_channel(
    channel: NDArray[np.floating], seen: NDArray[np.bool_], limits: tuple[float, float]
) -> Correlation | None:
    noise = _flattest(channel, seen, limits)
    if noise is None:
        return None
    # Differences between samples, unlike their products, lose nothing with the surface.
    far = [_difference(noise, *lag) for n in range(*FAR) for lag in ((n, 0), (0, n))]
    variance = np.mean(far, 0)
    rounding = (ROUNDING * float(np.abs(channel[seen]).max())) ** 2
    if not variance.min() > rounding or variance.std() > MAX_VARIATION * variance.mean():
        return None
    lags = range(1, REACH + 1)
    rows = 1 - np.stack([_difference(noise, lag, 0) for lag in lags]) / variance
    columns = 1 - np.stack([_difference(noise, 0, lag) for lag in lags]) / variance
    first = np.stack([rows[0], columns[0]])
    if first.mean(1).min() < CLEAR or first.std(1).max() > MAX_SCATTER:
        return None
    both = (rows.mean(1) + columns.mean(1)) / 2
    step = next((lag for lag in lags if both[lag - 1] < VANISHED), REACH + 1)
    near = range(-step + 1, step)  # beyond, there is more scatter than correlation
    differences = (_difference(noise, dy, dx).mean() for dy in near for dx in near)
    total = sum(1 - d / variance.mean() for d in differences)
    return Correlation(float(both[0]), step, float(np.sqrt(max(total, 1.0))))


def _flattest(
    channel: NDArray[np.floating], seen: NDArray[np.bool_], limits: tuple[float, float]
) -> NDArray[np.floating] | None:
    """The noise of the flattest tiles, (N, SIDE, SIDE); None if there are too few."""
    if min(channel.shape) < SIDE:
        return None

    def tiles(a: NDArray[Any]) -> NDArray[Any]:
        windows = sliding_window_view(a, (SIDE, SIDE))[::STEP, ::STEP]
        return windows.reshape(-1, SIDE**2)

    known = tiles(seen).all(1) & (tiles(np.isin(channel, limits)).mean(1) <= MOST_CUT)
    samples = tiles(channel)[known]
    count = max(ENOUGH, round(FLATTEST * len(samples)))
    if len(samples) < count:
        return None
    y, x = np.mgrid[:SIDE, :SIDE].reshape(2, -1).astype(np.float64)
    surface, _ = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], 1))
    samples = samples - (samples @ surface) @ surface.T
    flat = np.argsort(samples.var(1), kind="stable")[:count]
    noise: NDArray[np.floating] = samples[flat].reshape(-1, SIDE, SIDE)
    return noise


def _difference(noise: NDArray[np.floating], dy: int, dx: int) -> NDArray[np.floating]:
    """Half the mean square difference of samples that lie (dy, dx) apart, in each tile."""
    noise = noise[:, :: -1 if dy < 0 else 1, :: -1 if dx < 0 else 1]
    dy, dx = abs(dy), abs(dx)
    difference = noise[:, dy:, dx:] - noise[:, : SIDE - dy, : SIDE - dx]
    half: NDArray[np.floating] = np.square(difference).mean((1, 2)) / 2
    return half
