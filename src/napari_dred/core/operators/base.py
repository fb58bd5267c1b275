"""What every degradation operator H offers, and conjugate gradients for its proximal step.

The operators themselves live in the modules beside this one.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import torch
from torch import Tensor

from napari_dred.core.control import Check, go_on

LinearMap = Callable[[Tensor], Tensor]


class Operator(ABC):
    """A linear map H from an ideal image X to the observed image Y.

    Tensors are (N, C, height, width); every plane is treated alike and on its own.
    float16 and bfloat16 are raised to float32, also under autocast, and the result
    stays float32; float64 stays float64.

    Attributes
    ----------
    in_shape : (int, int)
        Height and width of X.
    out_shape : (int, int)
        Height and width of Y.
    pointwise : bool
        Whether each sample of Y depends on the same sample of X alone.
    tolerance : float
        Where `prox` has no closed form, it iterates until the residual of the normal
        equations is this fraction of their right-hand side, in every plane.
    max_iterations : int
        The most iterations that `prox` makes.
    check : callable
        Called in each iteration of `prox`; may raise to leave it.
    """

    in_shape: tuple[int, int]
    out_shape: tuple[int, int]
    pointwise: bool = False
    tolerance: float = 1e-6
    max_iterations: int = 200
    check: Check = staticmethod(go_on)

    def forward(self, x: Tensor) -> Tensor:
        """Degrade: H x.

        Parameters
        ----------
        x : (N, C, *in_shape) Tensor
            Any floating-point type. The result can be differentiated by it.

        Returns
        -------
        (N, C, *out_shape) Tensor

        Raises
        ------
        ValueError
            If the shape does not fit.
        """
        x = _checked(x, self.in_shape, "x")
        return _linear(x, self._forward, self._adjoint)

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the exact transpose: Hᵀ y.

        Parameters
        ----------
        y : (N, C, *out_shape) Tensor
            Any floating-point type. The result can be differentiated by it.

        Returns
        -------
        (N, C, *in_shape) Tensor

        Raises
        ------
        ValueError
            If the shape does not fit.
        """
        y = _checked(y, self.out_shape, "y")
        return _linear(y, self._adjoint, self._forward)

    @torch.no_grad()
    def prox(self, v: Tensor, y: Tensor, rho: float, *, start: Tensor | None = None) -> Tensor:
        """Find the image that explains Y and stays near V: argmin ½‖Hx − y‖² + ρ/2 ‖x − v‖².

        Parameters
        ----------
        v : (N, C, *in_shape) Tensor
        y : (N, C, *out_shape) Tensor
        rho : float
            ρ > 0.
        start : (N, C, *in_shape) Tensor, optional
            Where iterations start; at `v` if left out. Closed forms need none.

        Returns
        -------
        (N, C, *in_shape) Tensor
            Without a gradient.

        Raises
        ------
        ValueError
            If a shape does not fit, or ρ is not a positive number.
        """
        if not (math.isfinite(rho) and rho > 0):
            raise ValueError(f"rho is {rho!r}; it must be a number > 0")
        v = _checked(v, self.in_shape, "v")
        y = _checked(y, self.out_shape, "y")
        start = v if start is None else _checked(start, self.in_shape, "start")
        with _no_autocast(v.device):
            return self._prox(v, y, rho, start)

    def to(self, device: torch.device | str) -> Self:
        """Give the same operator with its tensors on `device`."""
        moved = copy.copy(self)
        for name, value in vars(self).items():
            setattr(moved, name, _moved(value, device))
        return moved

    @abstractmethod
    def _forward(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def _adjoint(self, y: Tensor) -> Tensor: ...

    def _prox(self, v: Tensor, y: Tensor, rho: float, start: Tensor) -> Tensor:
        # The unknown is x − v, which lies in the range of Hᵀ: what H cannot see of V
        # stays exactly as it is.
        right = self._adjoint(y - self._forward(v))
        scale = _norm(self._adjoint(y)) + rho * _norm(v)

        def matrix(d: Tensor) -> Tensor:
            self.check()
            return self._adjoint(self._forward(d)) + rho * d

        change = conjugate_gradients(
            matrix,
            right,
            start=start - v,
            precondition=self._preconditioner(rho),
            limit=self.tolerance * scale,
            max_iterations=self.max_iterations,
        )
        return v + change

    def _spectrum(self) -> Tensor | None:
        """Eigenvalues of a circulant matrix near HᵀH, on the `rfft2` grid of `in_shape`.

        None where no circulant matrix is near enough to speed conjugate gradients up.
        """
        return None

    def _preconditioner(self, rho: float) -> LinearMap:
        spectrum = self._spectrum()
        if spectrum is None:
            return lambda r: r
        return lambda r: filtered(r, 1 / (spectrum + rho))


class _Linear(torch.autograd.Function):
    """A linear map whose gradient is its adjoint: nothing is kept for the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, apply: LinearMap, transpose: LinearMap) -> Tensor:
        ctx.maps = transpose, apply
        with _no_autocast(x.device):
            return apply(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _linear(gradients[0], *ctx.maps), None, None


def _linear(x: Tensor, apply: LinearMap, transpose: LinearMap) -> Tensor:
    result: Tensor = _Linear.apply(x, apply, transpose)  # type: ignore[no-untyped-call]
    return result


def _no_autocast(device: torch.device) -> AbstractContextManager[Any]:
    known = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if known else nullcontext()


def _moved(value: Any, device: torch.device | str) -> Any:
    if isinstance(value, Tensor | Operator):
        return value.to(device)
    return tuple(_moved(v, device) for v in value) if isinstance(value, tuple) else value


def _checked(x: Tensor, shape: tuple[int, int], name: str) -> Tensor:
    if x.ndim != 4 or tuple(x.shape[-2:]) != shape:
        height, width = shape
        raise ValueError(f"{name} has shape {tuple(x.shape)}; it must be (N, C, {height}, {width})")
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def filtered(x: Tensor, response: Tensor) -> Tensor:
    """Multiply the 2-D Fourier transform of `x` by a response on its `rfft2` grid."""
    size = (x.shape[-2], x.shape[-1])
    result: Tensor = torch.fft.irfft2(torch.fft.rfft2(x) * response, s=size)
    return result


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((-2, -1), keepdim=True)


def _norm(a: Tensor) -> Tensor:
    return _dot(a, a).sqrt()


def conjugate_gradients(
    matrix: LinearMap,
    right: Tensor,
    *,
    start: Tensor,
    precondition: LinearMap,
    limit: Tensor,
    max_iterations: int,
) -> Tensor:
    """Solve `matrix` x = `right` for each plane, the matrix symmetric and positive definite.

    Parameters
    ----------
    matrix, precondition : callable
        (N, C, H, W) → (N, C, H, W); the second one near the inverse of the first.
    right, start : (N, C, H, W) Tensor
    limit : (N, C, 1, 1) Tensor
        Norm of the residual at which a plane is done.
    max_iterations : int

    Returns
    -------
    (N, C, H, W) Tensor
    """
    x = start
    r = right - matrix(x)
    p, rz = torch.zeros_like(r), torch.zeros_like(limit)
    for _ in range(max_iterations):
        if bool((_norm(r) <= limit).all()):
            break
        z = precondition(r)
        before, rz = rz, _dot(r, z)
        # A plane that is solved exactly has 0/0 here, and must stay where it is.
        p = z + torch.where(before > 0, rz / before, 0) * p
        q = matrix(p)
        pq = _dot(p, q)
        step = torch.where(pq > 0, rz / pq, 0)
        x = x + step * p
        r = r - step * q
    return x
