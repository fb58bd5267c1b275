"""The denoiser as the solver calls it: any channel count, a level or a map, no gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from napari_dred.core.denoisers import weights
from napari_dred.core.errors import InputError
from napari_dred.core.precision import autocast

TILE = 1024  # side of the tiles of a large image; even


class Denoiser(Protocol):
    """f(X, sigma)."""

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Denoise (1, C, H, W) on the [0, 1] scale, with sigma a number or a map.

        A map is (1, 1, H, W); or, where each channel is denoised alone, (1, C, H, W)."""
        ...


class FFDNetDenoiser:
    """FFDNet for images of any number of channels.

    Three channels go through the colour network at once; any other number goes
    through the gray one, a channel at a time.

    Parameters
    ----------
    channels : int
        Channels of the images to come.
    path : str or None
        File with weights to use; None for those of the package.
    device : torch.device
    bfloat16 : bool
        Whether the convolutions run in bfloat16.
    check : callable
        Called before each layer; may raise to leave the call.

    Raises
    ------
    InputError
        If the named weights cannot be used for such images.
    """

    def __init__(
        self,
        channels: int,
        *,
        path: str | None,
        device: torch.device,
        bfloat16: bool,
        check: Callable[[], None],
    ) -> None:
        if path is None:
            self.network = weights.load_shipped("ffdnet-color" if channels == 3 else "ffdnet-gray")
        else:
            self.network = weights.load(path)
        if self.network.channels not in (1, channels):
            raise InputError(
                f"the weights {path} are for {self.network.channels} channels, "
                f"the image has {channels}"
            )
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.requires_grad_(False)
        for layer in self.network.model:
            layer.register_forward_pre_hook(lambda *_: check())
        self._device, self._bfloat16 = device, bfloat16

    @torch.no_grad()
    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        if not isinstance(sigma, Tensor):
            sigma = x.new_full((1, 1, 1, 1), sigma)
        c = x.shape[1]
        if self.network.channels == 1 and c > 1:
            # One at a time, so that the memory does not grow with the channels.
            levels = sigma.expand(1, c, -1, -1)
            parts = [self(x[:, k : k + 1], levels[:, k : k + 1]) for k in range(c)]
            return torch.cat(parts, 1)
        h, w = x.shape[-2:]
        out = torch.empty_like(x)
        for top in range(0, h, TILE):
            for left in range(0, w, TILE):
                self._tile(x, sigma, out, top, left)
        return out

    def _tile(self, x: Tensor, sigma: Tensor, out: Tensor, top: int, left: int) -> None:
        """Denoise one tile with all that its pixels depend on, so that no seam can appear.

        Bounds the memory, and the time until the next look at `check`.
        """
        h, w = x.shape[-2:]
        halo = 2 * self.network.depth  # 3 x 3 at half size; even, to keep the sub-images' phase
        y0, x0 = max(0, top - halo), max(0, left - halo)
        y1, x1 = min(h, top + TILE + halo), min(w, left + TILE + halo)
        if sigma.shape[-2:] != (1, 1):
            sigma = sigma[..., y0:y1, x0:x1]
        with autocast(self._device, self._bfloat16):
            tile = self.network(x[..., y0:y1, x0:x1], sigma).float()
        bottom, right = min(h, top + TILE), min(w, left + TILE)
        out[..., top:bottom, left:right] = tile[..., top - y0 : bottom - y0, left - x0 : right - x0]
