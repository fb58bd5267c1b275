"""The denoiser as the solver calls it: any channel count, a level or a map, no gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from napari_dred.core.denoisers import weights
from napari_dred.core.errors import InputError
from napari_dred.core.precision import autocast


class Denoiser(Protocol):
    """f(X, sigma)."""

    def __call__(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Denoise (1, C, H, W) on the [0, 1] scale, with sigma a number or a (1, 1, H, W) map."""
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
            return torch.cat([self(x[:, k : k + 1], sigma) for k in range(c)], 1)
        with autocast(self._device, self._bfloat16):
            out: Tensor = self.network(x, sigma)
        return out.float()
