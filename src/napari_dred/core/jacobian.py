"""What RED asks of a denoiser, measured: differentiable, homogeneous, a symmetric Jacobian."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_dred.core.control import go_on
from napari_dred.core.denoisers.base import NetworkDenoiser
from napari_dred.core.denoisers.build import build_denoiser

BATCH = 64  # perturbed images at once


@dataclass(frozen=True)
class Fixed:
    """A denoiser at one level, as a function of (N, C, H, W) tensors that keeps their type.

    Attributes
    ----------
    function : callable
    smooth : bool
        Whether PyTorch can differentiate it; else, differences stand for derivatives.
    """

    function: Callable[[Tensor], Tensor]
    smooth: bool

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)


@dataclass(frozen=True)
class Symmetry:
    """Measures of the Jacobian J of f at X.

    Attributes
    ----------
    nem : float
        ‖J − Jᵀ‖² / ‖J‖², the paper's normalised error (Eq. 15): 0 if J is symmetric, about 2
        if it is a random matrix.
    distance : float
        ‖J − I‖ / ‖I‖: 0 for a denoiser that does nothing.
    homogeneity : float
        ‖JX − f(X)‖ / ‖f(X)‖ (Eq. 14).
    defect : float or None
        ‖JᵀX − f(X)‖ / 2‖X − f(X)‖: how far RED's gradient X − f(X) is from the true one
        (Eq. 16), in parts of itself. None where Jᵀ is out of reach.
    """

    nem: float
    distance: float
    homogeneity: float
    defect: float | None


def fix(name: str, channels: int, sigma: float, path: str | None = None) -> Fixed:
    """Make the denoiser of that name at one level, on the CPU and in the input's precision.

    Raises
    ------
    InputError
        As `build_denoiser`.
    """
    denoiser = build_denoiser(
        name,
        channels,
        path=path,
        device=torch.device("cpu"),
        bfloat16=False,
        check=go_on,
    )
    if isinstance(denoiser, NetworkDenoiser):
        network = denoiser.network

        def by_network(x: Tensor) -> Tensor:
            level = x.new_full((1, 1, 1, 1), sigma)
            planes = x.reshape(-1, network.channels, *x.shape[-2:])
            out: Tensor = network.to(x.dtype)(planes, level).reshape(x.shape)
            return out

        return Fixed(by_network, smooth=True)
    return Fixed(lambda x: torch.cat([denoiser(one, sigma) for one in x.split(1)]), smooth=False)


@torch.no_grad()
def bend(f: Fixed, x: Tensor, rho: float, generator: torch.Generator) -> float:
    """How far f is from its tangent a step of `rho` away: the two one-sided differences.

    ‖f(X + ρD) + f(X − ρD) − 2f(X)‖ / ‖f(X + ρD) − f(X − ρD)‖ for signs D at random; it falls
    with ρ where f is differentiable, and stays where it is not.
    """
    d = rho * _signs(x, generator)
    ahead, behind, here = f(x + d), f(x - d), f(x)
    return float((ahead + behind - 2 * here).norm() / (ahead - behind).norm())


@torch.no_grad()
def scaled(f: Fixed, x: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Give f((1 + ε)X) and (1 + ε)f(X): the same, if f is homogeneous."""
    return f((1 + epsilon) * x), (1 + epsilon) * f(x)


@torch.no_grad()
def jacobian(f: Fixed, x: Tensor, rho: float) -> Tensor:
    """J by central differences, as the paper defines it.

    Parameters
    ----------
    f : Fixed
    x : (1, C, H, W) tensor
    rho : float
        Half the distance of the differences.

    Returns
    -------
    (n, n) tensor
        n = C H W; a column for each sample of X.
    """
    n = x.numel()
    steps = rho * torch.eye(n, dtype=x.dtype).reshape(n, *x.shape[1:])
    rows = [(f(x + d) - f(x - d)).reshape(len(d), n) / (2 * rho) for d in steps.split(BATCH)]
    return torch.cat(rows).T


def exact(f: Fixed, x: Tensor, rho: float) -> Symmetry:
    """Measure the whole Jacobian: for images of some hundred samples.

    Parameters
    ----------
    f, x, rho
        As `jacobian`.
    """
    j = jacobian(f, x, rho)
    with torch.no_grad():
        out, image = f(x).flatten(), x.flatten()
    return Symmetry(
        nem=float((j - j.T).square().sum() / j.square().sum()),
        distance=float((j - torch.eye(len(j), dtype=j.dtype)).norm() / math.sqrt(len(j))),
        homogeneity=float((j @ image - out).norm() / out.norm()),
        defect=float((j.T @ image - out).norm() / (2 * (image - out).norm())),
    )


def probed(f: Fixed, x: Tensor, rho: float, count: int, generator: torch.Generator) -> Symmetry:
    """Estimate the same on a whole image, from J and Jᵀ times signs at random (Hutchinson).

    Where PyTorch cannot differentiate f, Jᵀ is not to be had; there ‖J − Jᵀ‖² is
    2‖J‖² − 2 tr(J²), and tr(J²) the mean of Vᵀ J (J V).

    Parameters
    ----------
    f : Fixed
    x : (1, C, H, W) tensor
    rho : float
        Half the distance of differences, where they are needed.
    count : int
        Number of probes.
    generator : torch.Generator
    """
    with torch.no_grad():
        out = f(x)
    asymmetric = squared = moved = 0.0
    for _ in range(count):
        v = _signs(x, generator)
        jv = _jvp(f, x, v, rho)
        squared += float(jv.square().sum())
        moved += float((jv - v).square().sum())
        if f.smooth:
            asymmetric += float((jv - _vjp(f, x, v)).square().sum())
        else:
            asymmetric += 2 * float(jv.square().sum() - (v * _jvp(f, x, jv, rho)).sum())
    defect = None
    if f.smooth:
        defect = float((_vjp(f, x, x) - out).norm() / (2 * (x - out).norm()))
    return Symmetry(
        nem=asymmetric / squared,
        distance=math.sqrt(moved / count / x.numel()),
        homogeneity=float((_jvp(f, x, x, rho) - out).norm() / out.norm()),
        defect=defect,
    )


def _jvp(f: Fixed, x: Tensor, v: Tensor, rho: float) -> Tensor:
    """J V."""
    if f.smooth:
        # Jᵀ U is linear in U, and its derivative along V is J V.
        leaf = x.detach().requires_grad_()
        u = torch.zeros_like(x, requires_grad=True)
        back = torch.autograd.grad(f(leaf), leaf, u, create_graph=True)[0]
        return torch.autograd.grad(back, u, v)[0]
    step = rho / float(v.abs().max().clamp_min(1e-12))
    with torch.no_grad():
        return (f(x + step * v) - f(x - step * v)) / (2 * step)


def _vjp(f: Fixed, x: Tensor, v: Tensor) -> Tensor:
    leaf = x.detach().requires_grad_()
    return torch.autograd.grad(f(leaf), leaf, v)[0]


def _signs(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, x.shape, generator=generator).to(x) * 2 - 1
