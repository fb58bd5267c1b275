"""What the networks are made of: convolutions in strips, blocks, initial weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_dred.core.control import Check, go_on

SLOPE = 0.2  # of the leaky rectifiers
STRIP = 2**34  # multiplications in one go: some tenths of a second on a slow processor


class StripedConvolution(nn.Conv2d):
    """A convolution that keeps the size (but for its stride), in strips where it takes long.

    Attributes
    ----------
    check : callable
        Called before each strip, forward and backward; may raise to leave the network.
    border : str
        How the image goes on beyond its border: a mode of `torch.nn.functional.pad`.
    """

    check: Check = staticmethod(go_on)
    border = "reflect"

    def forward(self, x: Tensor) -> Tensor:
        k, step = self.kernel_size[0], self.stride[0]
        pad = k // 2
        if pad:
            x = F.pad(x, (pad, pad, pad, pad), mode=self.border)
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


class ZeroPaddedConvolution(StripedConvolution):
    """The same with zeros beyond the border."""

    border = "constant"


def normalisation(features: int) -> nn.BatchNorm2d:
    """Batch normalisation by the one image that there is."""
    return nn.BatchNorm2d(features, track_running_stats=False)


def block(n_in: int, n_out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution, normalisation, leaky rectifier."""
    if kernel == 1 and stride > 1:
        # Every second pixel is taken first: torch 2.13 writes beyond its memory on the way back
        # through a 1 x 1 convolution with a stride.
        return nn.Sequential(nn.AvgPool2d(1, stride), *block(n_in, n_out, 1))
    return nn.Sequential(
        StripedConvolution(n_in, n_out, kernel, stride),
        normalisation(n_out),
        nn.LeakyReLU(SLOPE, inplace=True),
    )


def enlarge(x: Tensor, mode: str = "bilinear") -> Tensor:
    """Twice the height and width."""
    aligned = None if mode == "nearest" else False
    return F.interpolate(x, scale_factor=2.0, mode=mode, align_corners=aligned)


def crop(x: Tensor, h: int, w: int) -> Tensor:
    """Cut the h x w pixels in the middle out."""
    top, left = (x.shape[-2] - h) // 2, (x.shape[-1] - w) // 2
    return x[..., top : top + h, left : left + w]
