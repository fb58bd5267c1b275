"""Trainable nonlinear reaction diffusion (Chen and Pock 2017): the network alone."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from napari_dred.core.denoisers.base import DenoisingNetwork
from napari_dred.core.denoisers.dncnn import LEVEL

SIDE = 7  # of the filters
FILTERS = SIDE**2 - 1
REACH = 310 / 255  # of the influence functions, as published
BASIS = 63  # Gaussians that each of them is a sum of
FINE, TAIL = 8, 5  # entries of its table for each Gaussian, Gaussians' widths beyond its ends
FIRST_STRENGTH, FIRST_WIDTH = 1.0, 0.1  # of the influence functions before any training


class _Stage(nn.Module):
    """u - (sum of K^T phi(K u) / filters + l (u - f)) / (1 + l)."""

    def __init__(self, basis: int) -> None:
        super().__init__()
        self.filters = nn.Parameter(_cosines())
        centres = torch.linspace(-REACH, REACH, basis)
        slope = FIRST_STRENGTH * centres / (1 + (centres / FIRST_WIDTH) ** 2)
        self.weights = nn.Parameter(slope.expand(FILTERS, -1).clone())
        self.pull = nn.Parameter(torch.tensor(0.1))

    def forward(self, u: Tensor, f: Tensor) -> Tensor:
        # Without a mean, a filter sees no brightness.
        kernel = self.filters - self.filters.mean((-2, -1), keepdim=True)
        v = F.conv2d(F.pad(u, (SIDE - 1,) * 4, mode="replicate"), kernel)
        force = F.conv2d(self.influence(v), kernel.flip(-2, -1).transpose(0, 1))
        pull = self.pull.abs()
        return u - (force / FILTERS + pull * (u - f)) / (1 + pull)

    def influence(self, v: Tensor) -> Tensor:
        """phi: for each filter, a sum of Gaussians at even distances, as wide as those.

        By linear interpolation in a table of it, as no image has so few samples that computing
        all Gaussians at each were quicker.
        """
        basis = self.weights.shape[1]
        spacing = 2 * REACH / (basis - 1)
        at = torch.arange(-TAIL * FINE, (basis - 1 + TAIL) * FINE + 1, device=v.device).to(v)
        bumps = torch.exp(-((at / FINE - torch.arange(basis).to(v)[:, None]) ** 2) / 2)
        table = self.weights.to(v) @ bumps
        place = ((v + REACH) / spacing + TAIL) * FINE
        place = place.clamp(0, table.shape[1] - 1)
        cell = place.detach().floor().clamp_max(table.shape[1] - 2)
        first = torch.arange(len(table), device=v.device)[:, None, None] * table.shape[1]
        index = (cell.long() + first).flatten()
        left, right = (table.flatten().index_select(0, k).view_as(v) for k in (index, index + 1))
        return left + (place - cell) * (right - left)


class TNRD(DenoisingNetwork):
    """Five steps of a diffusion, each with filters and influence functions of its own.

    An image with any other noise level than 25/255 is multiplied to have that.

    Parameters
    ----------
    stages : int
        Published: 5.
    basis : int
        Gaussians of an influence function.
    """

    architecture = "TNRD"

    def __init__(self, stages: int = 5, basis: int = BASIS) -> None:
        super().__init__()
        self.stages = nn.ModuleList(_Stage(basis) for _ in range(stages))

    @property
    def reach(self) -> int:
        return len(self.stages) * (SIDE - 1)

    def layers(self) -> list[nn.Module]:
        return list(self.stages)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise a batch.

        Parameters
        ----------
        x : (N, 1, H, W) float tensor
            Images on the [0, 1] scale.
        sigma : (N, 1, 1, 1) float tensor
            Standard deviation of the noise, in the units of `x`.

        Returns
        -------
        (N, 1, H, W) tensor
        """
        scale = LEVEL / sigma
        f = u = x * scale
        # A sum of Gaussians loses its digits in bfloat16.
        with torch.autocast(x.device.type, enabled=False):
            for stage in self.stages:
                # What 63 Gaussians keep for the way back would fill the memory.
                u = checkpoint(stage, u, f, use_reentrant=False) if self.training else stage(u, f)
        return u / scale


def _cosines() -> Tensor:
    """The filters of the discrete cosine transform, without the constant one, of norm 1."""
    n = torch.arange(SIDE) + 0.5
    waves = torch.cos(math.pi / SIDE * torch.arange(SIDE)[:, None] * n)
    waves = F.normalize(waves, dim=1)
    planes = waves[:, None, :, None] * waves[None, :, None, :]
    return planes.reshape(SIDE**2, 1, SIDE, SIDE)[1:].clone()
