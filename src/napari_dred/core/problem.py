"""What a solver is given and what it yields: tensors on the [0, 1] scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_dred.core.control import Check
from napari_dred.core.denoisers.base import Denoiser
from napari_dred.core.networks.layers import StripedConvolution
from napari_dred.core.operators import Operator


@dataclass(frozen=True)
class Problem:
    """Y = H X + n on the [0, 1] scale.

    Attributes
    ----------
    y : (1, C, h, w) float32 tensor
        Observation; 0 where it is missing.
    start : (1, C, H, W) float32 tensor
        A guess at X: Y with its holes filled from nearby, enlarged to the size of X.
    operator : Operator
        H.
    sigma : float
        Standard deviation of n (root mean square over the samples, if it is not even); of the
        white noise in its place, where n is correlated.
    denoiser : Denoiser
        f.
    filler : Denoiser or None
        A network for images with missing samples, whose level is `HOLE` in its map, to be used
        where H is pointwise; None if there is none, or nothing is missing that it could fill.
    bfloat16 : bool
        Whether T_Theta is evaluated in bfloat16.
    check : callable
        To be called within each step; raises to leave the run.
    limits : (float, float)
        Where samples of Y were cut off, noise and all; infinite where they were not.
    level : (1, C, h, w) tensor or None
        Standard deviation of n in each sample, in parts of `sigma`; None if it is even.
    observed : (1, C or 1, h, w) boolean tensor or None
        Where Y is known; None for everywhere.
    """

    y: Tensor
    start: Tensor
    operator: Operator
    sigma: float
    denoiser: Denoiser
    bfloat16: bool
    check: Check
    limits: tuple[float, float] = (-math.inf, math.inf)
    level: Tensor | None = None
    observed: Tensor | None = None
    filler: Denoiser | None = None

    def misfit(self, hx: Tensor, fitted: Tensor | None = None) -> Tensor:
        """Mean square of Y - H X, each sample in units of its own noise level.

        With those that were cut off replaced by their expectation; where `fitted` is 0,
        samples do not count.
        """
        difference = hx - self.uncut(hx.detach())
        if self.level is not None:
            difference = difference / self.level
        return (difference if fitted is None else difference * fitted).square().mean()

    def uncut(self, hx: Tensor) -> Tensor:
        """Y as it would be had nothing been cut off, as far as H X tells.

        A sample at a limit gets its expectation, given that Y = HX + n lies beyond that
        limit: with it in place of Y, least squares climbs the likelihood of the samples as
        they were recorded (the expectation step of censored regression, Tobin 1958).

        Parameters
        ----------
        hx : (1, C, h, w) tensor
            H X.

        Returns
        -------
        (1, C, h, w) tensor
        """
        y, (low, high) = self.y, self.limits
        hx = self.within(hx)
        if math.isfinite(high):
            y = torch.where(self.y >= high, hx + self._excess(high - hx), y)
        if math.isfinite(low):
            y = torch.where(self.y <= low, hx - self._excess(hx - low), y)
        return y

    def within(self, x: Tensor) -> Tensor:
        """Cut X off where Y was: beyond that, nothing is known."""
        low, high = self.limits
        return x.clamp(low, high) if math.isfinite(low) or math.isfinite(high) else x

    def _excess(self, distance: Tensor) -> Tensor:
        """Mean of the noise where it exceeds a distance >= 0: the inverse of Mills' ratio."""
        sigma = max(self.sigma, 1e-6) * (1 if self.level is None else self.level)
        a = distance / sigma
        # erfcx is exp(a^2) erfc(a), which neither overflows nor vanishes.
        mills = math.sqrt(math.pi / 2) * torch.special.erfcx(a / math.sqrt(2))
        return torch.where(a < 1e3, sigma / mills, distance)


@dataclass(frozen=True)
class State:
    """One iteration of a solver: scalars as tensors, so that nothing waits for a GPU.

    Attributes
    ----------
    iteration : int
        From 1.
    x : (1, C, H, W) tensor
        The image that would be the result now; never modified afterwards.
    loss, residual : scalar tensors or None
        See `Step`; None where they are not known.
    note : str
    held_out : scalar tensor or None
        See `Step`.
    kept : int or None
        See `Result`.
    final : bool
        Whether the iterations end here by themselves.
    reason : str
        Why they do so before the last one: a `stop_reason` of `Result`.
    """

    iteration: int
    x: Tensor
    loss: Tensor | None
    residual: Tensor | None
    note: str = ""
    held_out: Tensor | None = None
    kept: int | None = None
    final: bool = False
    reason: str = ""


def rms(x: Tensor) -> Tensor:
    """Root mean square."""
    return x.square().mean().sqrt()


def watch(module: nn.Module, check: Check) -> None:
    """Call `check` at each layer of a network, on the way forward and on the way back."""

    def on_forward(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        check()
        if output.requires_grad:
            output.register_hook(on_backward)

    def on_backward(_gradient: Tensor) -> None:
        check()

    for m in module.modules():
        if isinstance(m, (nn.Conv2d, nn.BatchNorm2d)):
            m.register_forward_hook(on_forward)
        if isinstance(m, StripedConvolution):
            m.check = check


def denoiser_level(start: float, end: float, progress: float, sigma: float) -> float:
    """Level for f at a progress of 0 to 1; `start` and `end` on 0-255, 0 meaning sigma itself."""
    first, last = (v / 255 if v else sigma for v in (start, end))
    # Trained levels begin near 0; below a quarter of a gray level there is nothing to remove.
    return max(first + (last - first) * progress, 0.25 / 255)
