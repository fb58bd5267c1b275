"""What a solver asks of a network T_Theta and its input Z."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_dred.core.networks.layers import crop


class Prior(nn.Module):
    """An untrained network with its input.

    Parameters
    ----------
    size : (int, int)
        Height and width of the image; any.
    least : int
        The least side that the layers can work on: what a small image has less is cropped
        from the output.

    Attributes
    ----------
    input_size : (int, int)
        Height and width that the layers work on.
    keeps_best : bool
        Whether, fitted without a regulariser, its image is that of the lowest loss and not
        the last one.
    """

    keeps_best = False
    _z: Tensor

    def __init__(self, size: tuple[int, int], least: int) -> None:
        super().__init__()
        self.size = size
        self.input_size = max(size[0], least), max(size[1], least)

    @property
    def z(self) -> Tensor:
        """The input Z."""
        return self._z

    def loss(self, misfit: Tensor, image: Tensor) -> Tensor:
        """What is minimised, from the mean square of H T - Y and from T itself."""
        return misfit

    def forward(self, z: Tensor) -> Tensor:
        """Make the image of a (perturbed) input.

        Parameters
        ----------
        z : tensor
            Of the shape of `self.z`.

        Returns
        -------
        (1, channels, *size) float32 tensor in [0, 1]
        """
        x: Tensor = self.features(z.contiguous(memory_format=torch.channels_last))
        return torch.sigmoid(crop(x.float(), *self.size))

    def features(self, z: Tensor) -> Tensor:
        """All layers but the last one's sigmoid."""
        raise NotImplementedError

    def keep_input(self, z: Tensor) -> None:
        """Hold Z, which is not part of a copy of the state."""
        self.register_buffer("_z", z, persistent=False)

    def initialise(self, generator: torch.Generator) -> None:
        """Give layers that were built on the meta device PyTorch's own initial weights.

        From our generator, so that torch's global one is not advanced.
        """
        self.to_empty(device="cpu")
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_uniform_(m.weight, a=5**0.5, generator=generator)
                if m.bias is not None:
                    bound = m.weight[0].numel() ** -0.5
                    nn.init.uniform_(m.bias, -bound, bound, generator=generator)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
                nn.init.zeros_(m.bias)
