"""The decoder with Lipschitz-controlled layers of Shi et al. (2022)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_dred.core.networks.layers import StripedConvolution
from napari_dred.core.networks.prior import Prior

POWER_STEPS = 5  # of the iteration for the largest singular value, from where the last one ended


class BoundedConvolution(StripedConvolution):
    """A 3 x 3 convolution whose matrix (outputs x all else) has a norm of at most `bound`."""

    left: Tensor

    def __init__(self, n_in: int, n_out: int, bound: float) -> None:
        super().__init__(n_in, n_out, 3)
        self.bound = bound
        self.register_buffer("left", torch.ones(n_out), persistent=False)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        out: Tensor = super()._conv_forward(input, self.bounded(weight), bias)
        return out

    def bounded(self, weight: Tensor) -> Tensor:
        """W / max(1, its norm / bound)."""
        with torch.autocast(weight.device.type, enabled=False):
            matrix = weight.flatten(1)
            with torch.no_grad():
                left = self.left
                for _ in range(POWER_STEPS):
                    right = F.normalize(matrix.T @ left, dim=0)
                    left = F.normalize(matrix @ right, dim=0)
                self.left = left.clone()
            norm = left @ (matrix @ right)
            bounded: Tensor = weight / (norm / self.bound).clamp_min(1)
            return bounded


class _MeanOnly(nn.Module):
    """Take each feature's mean away, and add a trained one."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean((-2, -1), keepdim=True) + self.bias[:, None, None]


class BoundedDecoder(Prior):
    """A decoder that learns low frequencies first, as fast as its layers' norms allow.

    Parameters
    ----------
    channels, size, generator
        As `SkipNetwork`.
    width : int
        Features of every layer: 128 for 1,662,339 parameters (RGB, depth 5).
    depth : int
        Number of upsamplings.
    bound : float
        The largest norm of a layer.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        width: int,
        depth: int,
        *,
        generator: torch.Generator,
        bound: float = 1.4,
        input_channels: int = 16,
    ) -> None:
        super().__init__(size, 2 ** (depth + 1))
        with torch.device("meta"):
            layers: list[nn.Module] = []
            n_in = 2 * input_channels
            for level in range(depth + 1):
                if level:
                    layers.append(nn.Upsample(scale_factor=2, mode="bilinear"))
                for _ in range(2):
                    layers += [BoundedConvolution(n_in, width, bound), _MeanOnly(width)]
                    layers.append(nn.LeakyReLU(inplace=True))
                    n_in = width
            self.layers = nn.Sequential(*layers, StripedConvolution(width, channels, 1))
        self.initialise(generator)
        small = [-(-side // 2**depth) for side in self.input_size]
        phase = 2 * math.pi * torch.rand((1, input_channels, *small), generator=generator)
        self.keep_input(torch.cat([phase.sin(), phase.cos()], 1))

    def initialise(self, generator: torch.Generator) -> None:
        super().initialise(generator)
        for m in self.modules():
            if isinstance(m, _MeanOnly):
                nn.init.zeros_(m.bias)
            elif isinstance(m, BoundedConvolution):
                m.left = F.normalize(torch.rand(m.out_channels, generator=generator), dim=0)

    def features(self, z: Tensor) -> Tensor:
        x: Tensor = self.layers(z)
        return x
