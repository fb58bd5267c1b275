"""The hourglass with skip connections of deep image prior (Ulyanov et al. 2018)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2  # of the leaky rectifiers
STRIP = 2**34  # multiplications in one go: some tenths of a second on a slow processor


def level_widths(width: int, depth: int, *, uniform: bool) -> list[int]:
    """Features of each level, finest first: all `width`, or doubling up to it from an eighth."""
    if uniform:
        return [width] * depth
    return [max(4, min(width, (width // 8) << level)) for level in range(depth)]


class StripedConvolution(nn.Conv2d):
    """A convolution with reflected borders that is done in strips where it takes long.

    Attributes
    ----------
    check : callable
        Called before each strip, forward and backward; may raise to leave the network.
    """

    check: Callable[[], None] = staticmethod(lambda: None)

    def forward(self, x: Tensor) -> Tensor:
        k, step = self.kernel_size[0], self.stride[0]
        pad = k // 2
        if pad:
            x = F.pad(x, (pad, pad, pad, pad), mode="reflect")
        height, width = ((n - k) // step + 1 for n in x.shape[-2:])
        rows = max(1, STRIP // (width * self.weight.numel()))
        if rows >= height:
            return super().forward(x)
        strips = []
        for top in range(0, height, rows):
            self.check()
            bottom = min(height, top + rows)
            part = x[..., top * step : (bottom - 1) * step + k, :]
            strips.append(super().forward(part))
            if strips[-1].requires_grad:
                strips[-1].register_hook(lambda _: self.check())
        return torch.cat(strips, -2)


def _block(n_in: int, n_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        StripedConvolution(n_in, n_out, kernel, stride),
        nn.BatchNorm2d(n_out, track_running_stats=False),
        nn.LeakyReLU(SLOPE, inplace=True),
    )


def _crop(x: Tensor, h: int, w: int) -> Tensor:
    top, left = (x.shape[-2] - h) // 2, (x.shape[-1] - w) // 2
    return x[..., top : top + h, left : left + w]


class _Level(nn.Module):
    """One level: a skip branch beside a branch that holds the levels below."""

    def __init__(self, n_in: int, widths: Sequence[int], skip: int) -> None:
        super().__init__()
        width, below = widths[0], widths[1:]
        self.skip = _block(n_in, skip, 1)
        self.down = nn.Sequential(_block(n_in, width, 3, 2), _block(width, width, 3))
        self.below = _Level(width, below, skip) if below else None
        n_up = below[0] if below else width
        self.normalise = nn.BatchNorm2d(skip + n_up, track_running_stats=False)
        self.up = nn.Sequential(_block(skip + n_up, width, 3), _block(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        side, deep = self.skip(x), self.down(x)
        if self.below is not None:
            deep = self.below(deep)
        deep = F.interpolate(deep, scale_factor=2.0, mode="bilinear", align_corners=False)
        both = torch.cat([side, _crop(deep, *side.shape[-2:])], 1)
        out: Tensor = self.up(self.normalise(both))
        return out


class SkipNetwork(nn.Module):
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
        input_channels: int = 32,
    ) -> None:
        super().__init__()
        self.size = size
        with torch.device("meta"):  # so that torch's global generator is not advanced
            self.levels = _Level(input_channels, widths, skip)
            self.head = nn.Conv2d(widths[0], channels, 1)
        self.to_empty(device="cpu")
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                # PyTorch's own initialisation, from our generator.
                nn.init.kaiming_uniform_(m.weight, a=5**0.5, generator=generator)
                if m.bias is not None:
                    bound = m.weight[0].numel() ** -0.5
                    nn.init.uniform_(m.bias, -bound, bound, generator=generator)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.ones_(m.weight)
                nn.init.zeros_(m.bias)
        # Two pixels are left at the deepest level, so that it can be normalised and reflected;
        # what a small image has less is cropped from the output.
        least = 2 ** (len(widths) + 1)
        self.input_size = (max(size[0], least), max(size[1], least))
        z = torch.rand((1, input_channels, *self.input_size), generator=generator) * 0.1
        self.z: Tensor
        self.register_buffer("z", z, persistent=False)  # not part of a copy of the state

    def forward(self, z: Tensor) -> Tensor:
        """Make the image of a (perturbed) input.

        Parameters
        ----------
        z : (1, input_channels, *input_size) tensor

        Returns
        -------
        (1, channels, *size) float32 tensor in [0, 1]
        """
        z = z.contiguous(memory_format=torch.channels_last)
        x: Tensor = self.head(self.levels(z))
        return torch.sigmoid(_crop(x.float(), *self.size))
