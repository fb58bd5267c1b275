"""Operators that act on each pixel alone: nothing at all, and a mask."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from napari_dred.core.operators.base import Operator


class Identity(Operator):
    """H = 1: the image is noisy and nothing else.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the image.
    """

    pointwise = True

    def __init__(self, shape: tuple[int, int]) -> None:
        self.in_shape = self.out_shape = shape

    def _forward(self, x: Tensor) -> Tensor:
        return x.clone()

    def _adjoint(self, y: Tensor) -> Tensor:
        return y.clone()

    def _prox(self, v: Tensor, y: Tensor, rho: float, start: Tensor) -> Tensor:
        return (y + rho * v) / (1 + rho)


class Mask(Operator):
    """H = a pointwise product: missing pixels are 0.

    `adjoint` and `prox` ignore whatever stands in missing pixels of Y, also NaN.

    Parameters
    ----------
    observed : (h, w), (1 or C, h, w) or (1, 1 or C, h, w) array or Tensor
        True or 1 where a pixel was observed, False or 0 where it is missing.

    Raises
    ------
    ValueError
        For another shape.
    """

    pointwise = True

    def __init__(self, observed: Tensor | ArrayLike) -> None:
        weight = torch.as_tensor(observed).to(torch.float32)
        if not 2 <= weight.ndim <= 4 or (weight.ndim == 4 and weight.shape[0] != 1):
            raise ValueError(
                f"observed has shape {tuple(weight.shape)}; it must be (h, w), (C, h, w) or "
                "(1, C, h, w)"
            )
        self._weight = weight.reshape(1, -1, *weight.shape[-2:]).clone()
        self.in_shape = self.out_shape = (weight.shape[-2], weight.shape[-1])

    def _forward(self, x: Tensor) -> Tensor:
        return x * self._weight.to(x.dtype)

    def _adjoint(self, y: Tensor) -> Tensor:
        return torch.where(self._weight != 0, y * self._weight.to(y.dtype), 0)

    def _prox(self, v: Tensor, y: Tensor, rho: float, start: Tensor) -> Tensor:
        return (self._adjoint(y) + rho * v) / (self._weight.to(v.dtype) ** 2 + rho)
