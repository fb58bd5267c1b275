"""Down-sampling by an integer factor with an antialiased Lanczos-3 filter."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from napari_dred.core.errors import InputError
from napari_dred.core.operators.base import LinearMap, Operator
from napari_dred.core.parameters import SCALES

_LOBES = 3
# Up to this many samples of Y along an axis, `prox` is in closed form; the decomposition
# grows with their cube (1024: a second, once), conjugate gradients hardly at all.
_MAX_DECOMPOSED = 1024


class Downsample(Operator):
    """H X = A X Bᵀ, one matrix an axis: what Pillow's `Image.LANCZOS` does to float images.

    A row of A is the Lanczos-3 window, `factor` times as wide as for interpolation, cut
    off at the border and normalised to sum 1.

    Parameters
    ----------
    in_shape : (int, int)
        Height and width of X, multiples of `factor`.
    factor : int
        2, 3, 4 or 8.

    Raises
    ------
    InputError
        For another factor, or a shape that is not a multiple of it.
    """

    def __init__(self, in_shape: tuple[int, int], factor: int) -> None:
        if factor not in SCALES or factor == 1:
            allowed = ", ".join(str(s) for s in SCALES if s > 1)
            raise InputError(f"the factor is {factor!r}; allowed are {allowed}")
        height, width = in_shape
        if height % factor or width % factor or min(in_shape) < 1:
            raise InputError(
                f"the image is {height} x {width}; both must be multiples of the factor {factor}"
            )
        self.in_shape = in_shape
        self.out_shape = (height // factor, width // factor)
        self.factor = factor
        window, first = lanczos_window(factor)
        # How far the first and the last window reach over the border.
        self._margins = (-first, first + len(window) - factor)
        self._window = torch.from_numpy(window.astype(np.float32))
        sums = (_sums_inside(window, first, n, factor) for n in self.out_shape)
        self._sums = tuple(torch.from_numpy(s.astype(np.float32)) for s in sums)

    def _axis(self, dim: int, dtype: torch.dtype) -> tuple[Tensor, list[int], Tensor]:
        """Window and stride as `conv2d` takes them, and the sums, for dimension 2 or 3."""
        window, sums = self._window.to(dtype), self._sums[dim - 2].to(dtype)
        if dim == 2:
            return window[None, None, :, None], [self.factor, 1], sums[:, None]
        return window[None, None, None, :], [1, self.factor], sums

    def _down(self, x: Tensor, dim: int) -> Tensor:
        window, stride, sums = self._axis(dim, x.dtype)
        x = F.pad(x, [0, 0, *self._margins] if dim == 2 else self._margins)
        return F.conv2d(x, window, stride=stride) / sums

    def _up(self, y: Tensor, dim: int) -> Tensor:
        """The transpose of `_down`."""
        window, stride, sums = self._axis(dim, y.dtype)
        x = F.conv_transpose2d(y / sums, window, stride=stride)
        return x.narrow(dim, self._margins[0], self.in_shape[dim - 2])

    def _forward(self, x: Tensor) -> Tensor:
        planes = x.reshape(-1, 1, *self.in_shape)
        return self._down(self._down(planes, 2), 3).reshape(*x.shape[:2], *self.out_shape)

    def _adjoint(self, y: Tensor) -> Tensor:
        planes = y.reshape(-1, 1, *self.out_shape)
        return self._up(self._up(planes, 3), 2).reshape(*y.shape[:2], *self.in_shape)

    def _prox(self, v: Tensor, y: Tensor, rho: float, start: Tensor) -> Tensor:
        if max(self.out_shape) > _MAX_DECOMPOSED:
            return super()._prox(v, y, rho, start)
        # With A = U S Vᵀ for each axis, (HᵀH + ρ)⁻¹Hᵀ = Hᵀ(HHᵀ + ρ)⁻¹ is diagonal between
        # the left vectors U: neither the long V nor what H cannot see takes part.
        (u, s), (w, t) = (_left_decomposition(n, self.factor) for n in self.out_shape)
        u, s, w, t = u.to(v), s.to(v), w.to(v), t.to(v)
        residual = y - self._forward(v)
        coefficients = (u.T @ residual @ w) / (s[:, None] ** 2 * t**2 + rho)
        return v + self._adjoint(u @ coefficients @ w.T)

    def _preconditioner(self, rho: float) -> LinearMap:
        # On its own, H is so near a multiple of an orthogonal projection that conjugate
        # gradients need a dozen iterations; only a blur before it makes its spectrum useful.
        return lambda r: r

    def _spectrum(self) -> Tensor:
        rows, columns = (self._periodic(n).abs() ** 2 / self.factor for n in self.in_shape)
        return rows[:, None] * columns[: len(columns) // 2 + 1]

    def _periodic(self, n: int) -> Tensor:
        """Transfer function of the window, but for its phase, on `n` frequencies."""
        places = torch.arange(len(self._window), device=self._window.device) % n
        period = self._window.new_zeros(n).index_add_(0, places, self._window)
        response: Tensor = torch.fft.fft(period)
        return response


def lanczos_window(factor: int) -> tuple[NDArray[np.float64], int]:
    """Lanczos-3, stretched by `factor`, with sum 1.

    Returns
    -------
    window : (6 * factor,) float64 array
        Weights, in the mean of output sample i, of the samples from `factor * i + first` on.
    first : int
        Negative.
    """
    first = -math.ceil((_LOBES - 0.5) * factor - 0.5)
    # Output sample i lies over the middle of its `factor` samples.
    distance = (first + np.arange(2 * _LOBES * factor) - (factor - 1) / 2) / factor
    inside = np.abs(distance) < _LOBES
    window = np.where(inside, np.sinc(distance) * np.sinc(distance / _LOBES), 0.0)
    return window / window.sum(), first


def _sums_inside(
    window: NDArray[np.float64], first: int, n: int, factor: int
) -> NDArray[np.float64]:
    """Sum of the part of the window that lies on the image, for each of `n` outputs."""
    cumulated = np.concatenate(([0.0], np.cumsum(window)))
    starts = factor * np.arange(n) + first
    end = np.clip(factor * n - starts, 0, len(window))
    sums: NDArray[np.float64] = cumulated[end] - cumulated[np.clip(-starts, 0, len(window))]
    return sums


@functools.lru_cache(maxsize=4)
def _left_decomposition(n: int, factor: int) -> tuple[Tensor, Tensor]:
    """Left singular vectors (n, n) and singular values (n,) of the matrix A of one axis.

    They are the eigenvectors of A Aᵀ, which is `factor` times narrower than A.
    """
    axis = Downsample((factor * n, factor), factor)
    columns = torch.eye(n, dtype=torch.float64).T.reshape(n, 1, n, 1)
    gram = axis._down(axis._up(columns, 2), 2).reshape(n, n)
    squares, vectors = torch.linalg.eigh((gram + gram.T) / 2)
    return vectors, squares.clamp(min=0).sqrt()
