"""Deep random projector (Li et al. 2023): frozen convolutions, a trained input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_dred.core.networks.skip import SkipNetwork


class RandomProjector(SkipNetwork):
    """A shallow skip network of which the normalisations and Z alone are trained.

    Parameters
    ----------
    channels, size, generator
        As `SkipNetwork`.
    width : int
        Features of every level: 64 (with 3 channels of Z) for 82,979 parameters, 128 (with 1)
        for 319,259, Z not counted.
    depth : int
        Number of levels; 1 as published.
    skip : int
        Features of each skip branch.
    input_channels : int
        Channels of Z, which starts as normal noise; 0 for two that hold the coordinates.
    variation : float
        Weight of the total variation of T in the loss.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        width: int,
        depth: int,
        *,
        generator: torch.Generator,
        skip: int = 4,
        input_channels: int = 3,
        variation: float = 0.45,
    ) -> None:
        super().__init__(
            channels,
            size,
            [width] * depth,
            generator=generator,
            skip=skip,
            input_channels=input_channels or 2,
        )
        self.variation = variation
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                m.requires_grad_(False)
        h, w = self.input_size
        if input_channels:
            z = 0.1 * torch.randn((1, input_channels, h, w), generator=generator)
        else:
            rows, columns = torch.linspace(0, 1, h), torch.linspace(0, 1, w)
            z = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None]
        del self._z  # a parameter in place of the buffer
        self._z = nn.Parameter(z)

    def loss(self, misfit: Tensor, image: Tensor) -> Tensor:
        """Root of the mean square, and total variation."""
        variation = image.diff(dim=-1).abs().mean() + image.diff(dim=-2).abs().mean()
        return (misfit + 1e-12).sqrt() + self.variation * variation  # a root has no slope at 0
