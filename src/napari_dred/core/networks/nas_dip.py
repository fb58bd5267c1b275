"""The three networks that the search of NAS-DIP found (Chen et al. 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_dred.core.networks.layers import (
    SLOPE,
    StripedConvolution,
    ZeroPaddedConvolution,
    block,
    crop,
    enlarge,
    normalisation,
)
from napari_dred.core.networks.prior import Prior

DEPTH = 5
# What is added to each level of the decoder (1 the finest) beside its own skip branch and the
# level below: the encoder's features of these numbers, 0 for Z. Number e lies at the scale of
# decoder level e + 1, and goes through the cross cells between there and its goal.
PATHS: dict[str, dict[int, tuple[int, ...]]] = {
    "denoise": {5: (), 4: (4,), 3: (3, 4), 2: (2, 3, 4), 1: (1, 2, 3, 4)},
    "inpaint": {5: (2,), 4: (1, 4), 3: (0, 3), 2: (2,), 1: (1,)},
    "sr": {5: (3,), 4: (2,), 3: (1,), 2: (0, 4), 1: (3,)},
}


class _Up(nn.Module):
    """The upsampling that was found for a task."""

    def __init__(self, width: int, network: str) -> None:
        super().__init__()
        self.mode = "nearest" if network == "denoise" else "bicubic"
        self.parts = 4 if network == "denoise" else 1  # of the channels, which are summed
        kernel = 7 if network == "inpaint" else 5
        self.rectify = nn.LeakyReLU(SLOPE, inplace=True)
        # A transposed convolution of stride 1 is one with its kernel turned round.
        self.convolve = ZeroPaddedConvolution(
            width // self.parts, width, kernel, groups=width if network == "sr" else 1
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.rectify(enlarge(x, self.mode))
        if self.parts > 1:
            x = x.unflatten(1, (self.parts, -1)).sum(1)
        out: Tensor = self.convolve(x)
        return out


def _decoder(width: int) -> nn.Sequential:
    return nn.Sequential(
        normalisation(width),
        block(width, width, 3),
        block(width, width, 3),
        block(width, width, 1),
    )


class SearchedNetwork(Prior):
    """An hourglass with skip branches that are added, also between levels.

    Parameters
    ----------
    channels, size, generator
        As `SkipNetwork`.
    width : int
        Features of every level; a multiple of 4.
    network : str
        'denoise', 'inpaint' or 'sr': 4.41, 10.7 and 3.51 million parameters for RGB, 128 wide.
        Every network holds all cross cells, one for each scale and direction, though its paths
        may leave some of them unused: so were they published.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        width: int,
        *,
        network: str,
        generator: torch.Generator,
        input_channels: int = 32,
    ) -> None:
        super().__init__(size, 2 ** (DEPTH + 1))
        self.paths = PATHS[network]
        before = [input_channels, *[width] * DEPTH]  # features of Z and of each encoder level
        levels = range(1, DEPTH + 1)
        with torch.device("meta"):
            self.encoder = nn.ModuleList(
                nn.Sequential(block(n_in, width, 3, 2), block(width, width, 3))
                for n_in in before[:-1]
            )
            self.skip = nn.ModuleDict({str(k): block(before[k - 1], width, 1) for k in levels})
            self.up = nn.ModuleDict({str(k): _Up(width, network) for k in levels})
            self.cross_up = nn.ModuleDict({str(k): _Up(width, network) for k in levels[:-1]})
            self.cross_down = nn.ModuleDict(
                {str(k): block(before[k - 2], width, 3, 2) for k in levels[1:]}
            )
            self.decoder = nn.ModuleDict({str(k): _decoder(width) for k in levels})
            self.head = StripedConvolution(width, channels, 1)
        self.initialise(generator)
        self.keep_input(
            torch.rand((1, input_channels, *self.input_size), generator=generator) * 0.1
        )

    def features(self, z: Tensor) -> Tensor:
        encoded = [z]
        for level in self.encoder:
            encoded.append(level(encoded[-1]))
        x = encoded[-1]
        for k in range(DEPTH, 0, -1):
            size = encoded[k - 1].shape[-2:]
            total = crop(self.up[str(k)](x), *size) + self.skip[str(k)](encoded[k - 1])
            for e in self.paths[k]:
                total = total + self._crossed(encoded, e, k)
            x = self.decoder[str(k)](total)
        out: Tensor = self.head(x)
        return out

    def _crossed(self, encoded: list[Tensor], e: int, goal: int) -> Tensor:
        """The encoder's features number e, brought to the scale of a level of the decoder."""
        x = encoded[e]
        for k in range(e + 2, goal + 1):
            x = self.cross_down[str(k)](x)
        for k in range(e, goal - 1, -1):
            x = crop(self.cross_up[str(k)](x), *encoded[k - 1].shape[-2:])
        return x
