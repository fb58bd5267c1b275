"""Convolution with a point-spread function, and the Gaussian one."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from scipy.fft import next_fast_len
from torch import Tensor

from napari_dred.core.errors import InputError
from napari_dred.core.operators.base import Operator, filtered
from napari_dred.core.parameters import BOUNDARIES


class Blur(Operator):
    """H = convolution with a kernel: (H x)[i, j] = Σ k[a, b] x[i + c - a, j + d - b].

    It is a convolution, not a correlation: a bright point becomes a picture of the kernel,
    not of its mirror image. The kernel's centre is sample (c, d) = (rows // 2, columns // 2).
    Any kernel size goes with any image size, a kernel larger than the image too.

    Parameters
    ----------
    in_shape : (int, int)
        Height and width of the image.
    kernel : 2-D array
        Not negative, on the pixel grid of X. It is divided by its sum: the brightness of
        the image stays.
    boundary : str
        What lies beyond the border. 'reflect': the image, mirrored at the outer edge of its
        last pixel (d c b a | a b c d | d c b a, half-sample symmetric: 'reflect' in SciPy,
        'symmetric' in NumPy). 'circular': the image, repeated. 'zero': nothing.

    Raises
    ------
    InputError
        For a kernel that is not 2-D, finite, not negative and somewhere above 0, or an
        unknown boundary.
    """

    def __init__(
        self, in_shape: tuple[int, int], kernel: ArrayLike, boundary: str = "reflect"
    ) -> None:
        if boundary not in BOUNDARIES:
            raise InputError(f"boundary is {boundary!r}; allowed are {', '.join(BOUNDARIES)}")
        self.in_shape = self.out_shape = in_shape
        self.boundary = boundary
        self.kernel = normalised_kernel(kernel)
        # H = crop · (circular convolution on a larger grid) · extension: its adjoint is exact.
        sizes = self.kernel.shape
        if boundary == "circular":
            self._grid = in_shape
        else:
            lengths = (n + k - 1 for n, k in zip(in_shape, sizes, strict=True))
            height, width = (int(next_fast_len(n, real=True)) for n in lengths)
            self._grid = (height, width)
        self._response = self._transfer(self._grid)
        mirrored = boundary == "reflect"
        self._before = tuple(k - 1 - k // 2 if mirrored else 0 for k in sizes)
        self._rows_before, self._rows_after = self._reflections(0)
        self._columns_before, self._columns_after = self._reflections(1)

    def _transfer(self, grid: tuple[int, int]) -> Tensor:
        """The kernel's transfer function on the `rfft2` grid of a periodic image."""
        rows, columns = (
            (np.arange(k) - k // 2) % n for k, n in zip(self.kernel.shape, grid, strict=True)
        )
        period = np.zeros(grid)
        np.add.at(period, (rows[:, None], columns), self.kernel)
        return torch.from_numpy(np.fft.rfft2(period).astype(np.complex64))

    def _reflections(self, axis: int) -> tuple[Tensor, Tensor]:
        """Indices of the samples that 'reflect' puts before and after an axis."""
        n, before = self.in_shape[axis], self._before[axis]
        after = self.kernel.shape[axis] // 2 if self.boundary == "reflect" else 0
        index = torch.cat((torch.arange(-before, 0), torch.arange(n, n + after))) % (2 * n)
        index = torch.minimum(index, 2 * n - 1 - index)
        return index[:before], index[before:]

    def _forward(self, x: Tensor) -> Tensor:
        x = _extend(x, -1, self._columns_before, self._columns_after)
        x = _extend(x, -2, self._rows_before, self._rows_after)
        below, right = (n - m for n, m in zip(self._grid, x.shape[-2:], strict=True))
        wide = filtered(F.pad(x, (0, right, 0, below)), self._response)
        (top, left), (height, width) = self._before, self.in_shape
        return wide[..., top : top + height, left : left + width]

    def _adjoint(self, y: Tensor) -> Tensor:
        (top, left), (height, width) = self._before, self.in_shape
        below, right = self._grid[0] - top - height, self._grid[1] - left - width
        wide = F.pad(y, (left, right, top, below))
        wide = filtered(wide, self._response.conj())
        wide = _fold(wide, -2, self._rows_before, self._rows_after, height)
        return _fold(wide, -1, self._columns_before, self._columns_after, width)

    def _prox(self, v: Tensor, y: Tensor, rho: float, start: Tensor) -> Tensor:
        if self.boundary == "circular":
            gradient = self._adjoint(y - self._forward(v))
            return v + filtered(gradient, 1 / (self._response.abs() ** 2 + rho))
        if self.boundary == "reflect" and self._is_even():
            # An even kernel on a mirrored image is diagonal in the cosine basis, which is
            # the Fourier basis of the image and its mirror images side by side.
            gradient = self._adjoint(y - self._forward(v))
            gradient = torch.cat((gradient, gradient.flip(-1)), -1)
            gradient = torch.cat((gradient, gradient.flip(-2)), -2)
            change = filtered(gradient, 1 / (self._mirrored_power + rho))
            return v + change[..., : self.in_shape[0], : self.in_shape[1]]
        return super()._prox(v, y, rho, start)

    def _is_even(self) -> bool:
        """Whether the kernel is its own mirror image in both axes."""
        k = self.kernel
        if k.shape[0] % 2 == 0 or k.shape[1] % 2 == 0:
            return False
        error = 1e-7 * k.max()
        return all(np.allclose(k, flipped, rtol=0, atol=error) for flipped in (k[::-1], k[:, ::-1]))

    # Kept, for a prox is called many times on one operator.
    @functools.cached_property
    def _mirrored_power(self) -> Tensor:
        height, width = self.in_shape
        power = self._transfer((2 * height, 2 * width)).abs() ** 2
        return power.to(self._response.device)

    @functools.cached_property
    def _power(self) -> Tensor:
        power = self._transfer(self.in_shape).abs() ** 2
        return power.to(self._response.device)

    def _spectrum(self) -> Tensor:
        return self._power


def _extend(x: Tensor, dim: int, before: Tensor, after: Tensor) -> Tensor:
    if len(before) == len(after) == 0:
        return x
    return torch.cat((x.index_select(dim, before), x, x.index_select(dim, after)), dim)


def _fold(wide: Tensor, dim: int, before: Tensor, after: Tensor, length: int) -> Tensor:
    """Add what `_extend` copied back to where it came from; the transpose of it."""
    first = len(before)
    x = wide.narrow(dim, first, length)
    if first == len(after) == 0:
        return x
    x = x.clone()
    x.index_add_(dim, before, wide.narrow(dim, 0, first))
    return x.index_add_(dim, after, wide.narrow(dim, first + length, len(after)))


def normalised_kernel(kernel: ArrayLike) -> NDArray[np.float64]:
    """Divide a blur kernel by its sum.

    Parameters
    ----------
    kernel : 2-D array

    Raises
    ------
    InputError
        If it is not 2-D, not finite, negative anywhere or 0 everywhere.
    """
    try:
        k: NDArray[np.float64] = np.array(kernel, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("the blur kernel is not an array of numbers") from None
    if k.ndim != 2 or k.size == 0:
        raise InputError(
            f"the blur kernel has shape {k.shape}; it must be one 2-D picture of a point"
        )
    if not np.isfinite(k).all():
        raise InputError("the blur kernel has samples that are NaN or infinite; replace them")
    if k.min() < 0:
        raise InputError(
            f"the blur kernel has negative samples, down to {k.min():g}; "
            "subtract its background and set what is below 0 to 0"
        )
    # Divided by the maximum first, so that the sum of huge values does not overflow.
    if k.max() == 0:
        raise InputError("the blur kernel is 0 everywhere; it must be a picture of a point")
    k /= k.max()
    k /= k.sum()
    return k


def gaussian_kernel(sigma: float) -> NDArray[np.float64]:
    """Sample a Gaussian of standard deviation `sigma` pixels, out to five of them.

    Returns
    -------
    (2r + 1, 2r + 1) float64 array
        r = ⌈5 σ⌉; its sum is 1.

    Raises
    ------
    InputError
        If `sigma` is not a positive number.
    """
    if not (math.isfinite(sigma) and sigma > 0):
        raise InputError(f"the blur's sigma is {sigma!r}; it must be a number of pixels > 0")
    radius = math.ceil(5 * sigma)
    profile: NDArray[Any] = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    profile /= profile.sum()
    return np.outer(profile, profile)
