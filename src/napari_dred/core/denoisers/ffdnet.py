"""FFDNet, gray and colour: the network alone (weights and their files live in `weights.py`)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_dred.core.denoisers.base import DenoisingNetwork
from napari_dred.core.denoisers.relu import ReLU


class FFDNet(DenoisingNetwork):
    """A fast and flexible denoiser with a noise-level map as input (Zhang et al. 2018).

    The image is rearranged into four half-size sub-images, the noise map is
    appended as one more channel, a plain chain of 3 x 3 convolutions follows,
    and the sub-images are put together again.

    Parameters
    ----------
    channels : int
        Image channels C (published networks: 1 and 3).
    width, depth : int, optional
        Features a layer and number of convolutions; by default the published
        15 x 64 for one channel and 12 x 96 otherwise.
    bias : bool
        Whether convolutions have a bias. Without, the network is positively
        homogeneous: f(a x, a sigma) = a f(x, sigma) (Mohan et al. 2020).
    residual : bool
        Whether the chain predicts the noise, which is then subtracted
        (as in DnCNN), in place of the image.
    by_sample : bool
        Whether the map is rearranged as the image is, so that each sample of each channel has a
        level of its own; otherwise a pixel of the sub-images has one.
    """

    architecture = "FFDNet"
    takes_map = True

    def __init__(
        self,
        channels: int,
        width: int | None = None,
        depth: int | None = None,
        *,
        bias: bool = True,
        residual: bool = False,
        by_sample: bool = False,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.width = width if width is not None else (64 if channels == 1 else 96)
        self.depth = depth if depth is not None else (15 if channels == 1 else 12)
        self.bias = bias
        self.residual = residual
        self.by_sample = by_sample
        levels = 4 * channels if by_sample else 1
        sizes = [4 * channels + levels, *[self.width] * (self.depth - 1), 4 * channels]
        layers: list[nn.Module] = []
        for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1, bias=bias), ReLU()]
        # The names `model.0`, `model.2`, ... are those of the published state dicts.
        self.model = nn.Sequential(*layers[:-1])

    @property
    def reach(self) -> int:
        return 2 * self.depth  # 3 x 3 at half size; even, to keep the sub-images' phase

    def layers(self) -> list[nn.Module]:
        return list(self.model)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoise a batch.

        Parameters
        ----------
        x : (N, C, H, W) float tensor
            Images on the scale where the networks were trained, [0, 1].
        sigma : (N, 1, H, W) float tensor, or (N, 1, 1, 1)
            Standard deviation of the noise at each pixel, in the units of `x`. With `by_sample`
            it may have C channels.

        Returns
        -------
        (N, C, H, W) tensor
        """
        h, w = x.shape[-2:]
        x = F.pad(x, (0, w % 2, 0, h % 2), mode="replicate")
        parts = F.pixel_unshuffle(x, 2)
        if self.by_sample:
            sigma = sigma.expand(x.shape[0], self.channels, h, w)
            padded = F.pad(sigma, (0, w % 2, 0, h % 2), mode="replicate")
            level = F.pixel_unshuffle(padded, 2)
        elif sigma.shape[-2:] == (1, 1):
            level = sigma.expand(x.shape[0], 1, *parts.shape[-2:])
        else:
            sigma = F.pad(sigma, (0, w % 2, 0, h % 2), mode="replicate")
            level = F.avg_pool2d(sigma, 2).expand(x.shape[0], -1, -1, -1)
        stacked = torch.cat([parts, level.to(parts.dtype)], 1)
        out = self.model(stacked.contiguous(memory_format=torch.channels_last))
        if self.residual:
            out = parts - out
        return F.pixel_shuffle(out, 2)[..., :h, :w].contiguous()
