"""DnCNN (Zhang et al. 2017): the network alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_dred.core.denoisers.base import DenoisingNetwork
from napari_dred.core.denoisers.relu import ReLU

LEVEL = 25 / 255  # of the noise that such a network is for


class DnCNN(DenoisingNetwork):
    """A plain chain of 3 x 3 convolutions that predicts the noise, of one level.

    An image with any other level is multiplied so that its noise has that level.

    Parameters
    ----------
    width, depth : int
        Features a layer and number of convolutions; published: 17 x 64.
    bias : bool
        Whether convolutions have a bias.
    """

    architecture = "DnCNN"

    def __init__(self, width: int = 64, depth: int = 17, *, bias: bool = True) -> None:
        super().__init__()
        self.depth, self.bias = depth, bias
        sizes = [1, *[width] * (depth - 1), 1]
        layers: list[nn.Module] = []
        for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1, bias=bias), ReLU()]
        # The names `model.0`, `model.2`, ... are those of the published state dicts.
        self.model = nn.Sequential(*layers[:-1])

    @property
    def reach(self) -> int:
        return self.depth + self.depth % 2

    def layers(self) -> list[nn.Module]:
        return list(self.model)

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
        noise: Tensor = self.model((x * scale).contiguous(memory_format=torch.channels_last))
        return (x - noise / scale).contiguous()
