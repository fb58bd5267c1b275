"""The denoiser that a name stands for."""

from __future__ import annotations

import torch

from napari_dred.core.control import Check
from napari_dred.core.denoisers import weights
from napari_dred.core.denoisers.base import Denoiser, NetworkDenoiser
from napari_dred.core.denoisers.classical import ClassicalDenoiser, load_bm3d, nlm
from napari_dred.core.denoisers.ffdnet import FFDNet
from napari_dred.core.errors import InputError


def build_denoiser(
    name: str,
    channels: int,
    *,
    path: str | None,
    device: torch.device,
    bfloat16: bool,
    check: Check,
) -> Denoiser:
    """Make f.

    Of a trained network there is one for three channels, which takes them at once, and one for
    a single channel, which takes those of any other image one by one.

    Parameters
    ----------
    name : str
        One of `napari_dred.core.methods.DENOISERS`.
    channels : int
        Channels of the images to come.
    path : str or None
        File with weights to use; None for those of the package.
    device : torch.device
    bfloat16 : bool
        Whether convolutions run in bfloat16.
    check : callable
        Called every now and then; may raise to leave a call.

    Raises
    ------
    InputError
        If the named weights cannot be used for such images, or a package is missing.
    """
    if name in ("nlm", "bm3d"):
        if path is not None:
            raise InputError(f"weights are given ({path}), but the denoiser {name!r} has none")
        return ClassicalDenoiser(nlm if name == "nlm" else load_bm3d(), check)
    if path is not None:
        network = weights.load(path, name)
        if isinstance(network, FFDNet) and network.by_sample:
            raise InputError(f"the weights {path} fill holes; they are not those of a denoiser")
    else:
        network = weights.load_shipped(f"{name}-{_kind(name, channels)}")
    if network.channels not in (1, channels):
        raise InputError(
            f"the weights {path} are for {network.channels} channels, the image has {channels}"
        )
    return NetworkDenoiser(network, device=device, bfloat16=bfloat16, check=check)


def has_filler(name: str, path: str | None) -> bool:
    """Whether the package has a network for holes that goes with a denoiser."""
    return name == "ffdnet" and path is None


def build_filler(
    name: str,
    channels: int,
    *,
    path: str | None,
    device: torch.device,
    bfloat16: bool,
    check: Check,
) -> Denoiser | None:
    """Make the network that fills holes where the same arguments of `build_denoiser` denoise.

    None for other weights than those of the package, and a denoiser that has no such network.

    Raises
    ------
    RestorationError
        If the weights are not those that were shipped.
    """
    if not has_filler(name, path):
        return None
    network = weights.load_shipped(f"{name}-{_kind(name, channels)}-holes")
    return NetworkDenoiser(network, device=device, bfloat16=bfloat16, check=check)


def _kind(name: str, channels: int) -> str:
    return "color" if channels == 3 and name == "ffdnet" else "gray"
