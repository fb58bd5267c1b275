"""The denoiser as the solver calls it: any channel count, a level or a map, no gradient."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from napari_dred.core.control import Check
from napari_dred.core.precision import autocast

TILE = 1024  # side of the tiles of a large image; even
TILE_CPU = 384  # of larger ones, a processor's caches do not hold the features
HIGHEST_LEVEL = 75 / 255  # that the networks of the package were trained for
HOLE = 1.0  # the level that a network trained to fill holes takes for "missing"
VIEWS = 8  # of an image: turned by 0 to 3 quarters, as it is or mirrored
STEP, MAX_STEPS = 1.5, 6  # between the levels that stand for a map: their ratio; how many


class Denoiser(Protocol):
    """f(X, sigma)."""

    def __call__(self, x: Tensor, sigma: float | Tensor, view: int = 0) -> Tensor:
        """Denoise (1, C, H, W) on the [0, 1] scale, with sigma a number or a map.

        A map is (1, 1, H, W); or, where each channel is denoised alone, (1, C, H, W). In another
        of the `VIEWS`, X is turned and mirrored before and back after."""
        ...


def in_view(f: Denoiser, x: Tensor, sigma: float | Tensor, view: int) -> Tensor:
    """Denoise X as it looks from one of the `VIEWS`."""
    turns, mirrored = view % 4, view >= 4

    def seen(a: Tensor) -> Tensor:
        a = a.rot90(turns, (-2, -1))
        return a.flip(-1) if mirrored else a

    out = f(seen(x), seen(sigma) if isinstance(sigma, Tensor) else sigma)
    return (out.flip(-1) if mirrored else out).rot90(-turns, (-2, -1))


class DenoisingNetwork(nn.Module):
    """What is asked of a trained network, which is called with (N, C, H, W) and a level.

    Attributes
    ----------
    architecture : str
        Its name in files and messages.
    takes_map : bool
        Whether the level may be a map.
    channels : int
        Channels of its images.
    """

    architecture: str
    takes_map = False
    channels = 1

    @property
    def reach(self) -> int:
        """How many pixels away a pixel of the input still counts; even."""
        raise NotImplementedError

    def layers(self) -> list[nn.Module]:
        """Parts that are computed one after the other, for a look at the clock in between."""
        return [self]


class NetworkDenoiser:
    """A trained network as a denoiser of images of any number of channels.

    A network for one channel denoises a channel at a time.

    Parameters
    ----------
    network : DenoisingNetwork
        For one channel, or as many as the images have.
    device : torch.device
    bfloat16 : bool
        Whether the convolutions run in bfloat16.
    check : callable
        Called before each layer; may raise to leave the call.

    Attributes
    ----------
    tile : int
        Side of the tiles of a large image; even.
    """

    def __init__(
        self,
        network: DenoisingNetwork,
        *,
        device: torch.device,
        bfloat16: bool,
        check: Check,
    ) -> None:
        self.network = network
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.requires_grad_(False)
        self.network.eval()
        for layer in network.layers():
            layer.register_forward_pre_hook(lambda *_: check())
        self._device, self._bfloat16 = device, bfloat16
        self.tile = TILE_CPU if device.type == "cpu" else TILE

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: float | Tensor, view: int = 0) -> Tensor:
        if view:
            return in_view(self, x, sigma, view)
        if not isinstance(sigma, Tensor):
            sigma = x.new_full((1, 1, 1, 1), sigma)
        elif not self.network.takes_map and sigma.numel() > 1:
            return by_level(self, x, sigma)
        c = x.shape[1]
        if self.network.channels == 1 and c > 1:
            # One at a time, so that the memory does not grow with the channels.
            levels = sigma.expand(1, c, -1, -1)
            parts = [self(x[:, k : k + 1], levels[:, k : k + 1]) for k in range(c)]
            return torch.cat(parts, 1)
        h, w = x.shape[-2:]
        out = torch.empty_like(x)
        for top in range(0, h, self.tile):
            for left in range(0, w, self.tile):
                self._tile(x, sigma, out, top, left)
        return out

    def _tile(self, x: Tensor, sigma: Tensor, out: Tensor, top: int, left: int) -> None:
        """Denoise one tile with all that its pixels depend on, so that no seam can appear.

        Bounds the memory, and the time until the next look at `check`.
        """
        h, w = x.shape[-2:]
        halo = self.network.reach
        y0, x0 = max(0, top - halo), max(0, left - halo)
        y1, x1 = min(h, top + self.tile + halo), min(w, left + self.tile + halo)
        if sigma.shape[-2:] != (1, 1):
            sigma = sigma[..., y0:y1, x0:x1]
        with autocast(self._device, self._bfloat16):
            tile = self.network(x[..., y0:y1, x0:x1], sigma).float()
        bottom, right = min(h, top + self.tile), min(w, left + self.tile)
        out[..., top:bottom, left:right] = tile[..., top - y0 : bottom - y0, left - x0 : right - x0]


def by_level(f: Denoiser, x: Tensor, sigma: Tensor) -> Tensor:
    """Denoise with a map of levels by an f that takes one level only.

    Each sample is blended from the results at the two levels next to its own, of a few
    that are evenly spaced in their logarithm.
    """
    low, high = (float(v) for v in sigma.aminmax())
    count = min(MAX_STEPS, 1 + math.ceil(math.log(high / low) / math.log(STEP) - 1e-6))
    if count <= 1:
        return f(x, high)
    at = (sigma / low).log() * ((count - 1) / math.log(high / low))
    out = torch.zeros_like(x)
    for k, level in enumerate(np.geomspace(low, high, count).tolist()):
        out += f(x, level) * (1 - (at - k).abs()).clamp_min(0)
    return out
