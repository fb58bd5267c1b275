"""The hourglass with skip connections of deep image prior (Ulyanov et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_dred.core.networks.layers import block, crop, enlarge, normalisation
from napari_dred.core.networks.prior import Prior


def level_widths(width: int, depth: int, *, uniform: bool) -> list[int]:
    """Features of each level, finest first: all `width`, or doubling up to it from an eighth."""
    if uniform:
        return [width] * depth
    return [max(4, min(width, (width // 8) << level)) for level in range(depth)]


class _Level(nn.Module):
    """One level: a skip branch beside a branch that holds the levels below."""

    def __init__(
        self, n_in: int, widths: Sequence[int], skip: int, kernel: int, upsampling: str
    ) -> None:
        super().__init__()
        width, below = widths[0], widths[1:]
        self.upsampling = upsampling
        self.skip = block(n_in, skip, 1)
        self.down = nn.Sequential(block(n_in, width, kernel, 2), block(width, width, kernel))
        self.below = _Level(width, below, skip, kernel, upsampling) if below else None
        n_up = below[0] if below else width
        self.normalise = normalisation(skip + n_up)
        self.up = nn.Sequential(block(skip + n_up, width, kernel), block(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        side, deep = self.skip(x), self.down(x)
        if self.below is not None:
            deep = self.below(deep)
        deep = enlarge(deep, self.upsampling)
        both = torch.cat([side, crop(deep, *side.shape[-2:])], 1)
        out: Tensor = self.up(self.normalise(both))
        return out


class SkipNetwork(Prior):
    """U-Net with skip connections: T_Theta of Eq. (3).

    Parameters
    ----------
    channels : int
        Channels of the image.
    size : (int, int)
        Height and width of the image; any.
    widths : sequence of int
        Features of each level, finest first. The network of the paper has five
        times 128: 2,217,831 parameters for RGB.
    skip : int
        Features of each skip branch.
    kernel : int
        Side of its larger convolutions.
    upsampling : str
        'bilinear' or 'nearest'.
    input_channels : int
        Channels of Z.
    generator : torch.Generator
        Source of the initial weights and of Z. Nothing else is drawn from.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        widths: Sequence[int],
        *,
        generator: torch.Generator,
        skip: int = 4,
        kernel: int = 3,
        upsampling: str = "bilinear",
        input_channels: int = 32,
    ) -> None:
        # Two pixels are left at the deepest level, so that it can be normalised and reflected.
        super().__init__(size, 2 ** (len(widths) + 1))
        with torch.device("meta"):
            self.levels = _Level(input_channels, widths, skip, kernel, upsampling)
            self.head = nn.Conv2d(widths[0], channels, 1)
        self.initialise(generator)
        self.keep_input(
            torch.rand((1, input_channels, *self.input_size), generator=generator) * 0.1
        )

    def features(self, z: Tensor) -> Tensor:
        x: Tensor = self.head(self.levels(z))
        return x
