"""Deep Decoder (Heckel and Hand 2019): no convolution but 1 x 1, and few parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_dred.core.networks.layers import StripedConvolution, normalisation
from napari_dred.core.networks.prior import Prior


class DeepDecoder(Prior):
    """Mixing of channels and upsampling in turn, from a small fixed input.

    Parameters
    ----------
    channels, size, generator
        As `SkipNetwork`.
    width : int
        Features of every layer: 128 for 100,224 parameters (RGB, depth 5).
    depth : int
        Number of upsamplings.
    """

    keeps_best = True

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        width: int,
        depth: int,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__(size, 2 ** (depth + 1))
        with torch.device("meta"):
            layers: list[nn.Module] = []
            for level in range(depth + 1):
                layers.append(StripedConvolution(width, width, 1, bias=False))
                if level < depth:
                    layers.append(nn.Upsample(scale_factor=2, mode="bilinear"))
                layers += [nn.ReLU(inplace=True), normalisation(width)]
            self.layers = nn.Sequential(*layers, StripedConvolution(width, channels, 1, bias=False))
        self.initialise(generator)
        small = [-(-side // 2**depth) for side in self.input_size]
        self.keep_input(torch.rand((1, width, *small), generator=generator) * 0.1)

    def features(self, z: Tensor) -> Tensor:
        x: Tensor = self.layers(z)
        return x
