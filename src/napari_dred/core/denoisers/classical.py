"""Denoisers that are not learned: non-local means and BM3D, by the libraries that have them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.restoration import denoise_nl_means
from torch import Tensor

from napari_dred.core.control import Check
from napari_dred.core.denoisers.base import by_level, in_view
from napari_dred.core.errors import InputError

Planes = NDArray[np.float64]


def nlm(planes: Planes, sigma: float) -> Planes:
    """Non-local means of (C, H, W), with the settings of DeepRED (Mataev et al. 2019)."""
    pixels = np.ascontiguousarray(np.moveaxis(planes, 0, -1))
    out = denoise_nl_means(
        pixels,
        patch_size=5,
        patch_distance=6,
        h=0.6 * sigma,
        sigma=sigma,  # what two patches differ by because of the noise does not count
        fast_mode=True,
        channel_axis=-1,
    )
    # It drops the axis of a single channel.
    return np.ascontiguousarray(np.moveaxis(np.reshape(out, pixels.shape), -1, 0))


def load_bm3d() -> Callable[[Planes, float], Planes]:
    """BM3D by its authors' package.

    Raises
    ------
    InputError
        If that is not installed.
    """
    try:
        package: Any = importlib.import_module("bm3d")
    except ImportError:
        raise InputError(
            "the denoiser 'bm3d' needs the package bm3d, whose licence allows non-commercial use "
            "only; install it with: pip install 'napari-dred[bm3d]'"
        ) from None

    def denoise(planes: Planes, sigma: float) -> Planes:
        if len(planes) == 3:
            return np.moveaxis(package.bm3d_rgb(np.moveaxis(planes, 0, -1), sigma), -1, 0)
        return np.stack([np.reshape(package.bm3d(c, sigma), c.shape) for c in planes])

    return denoise


class ClassicalDenoiser:
    """A function of arrays as a denoiser of tensors.

    Parameters
    ----------
    function : callable
        Denoises (C, H, W) float64 with noise of the level that is its second argument.
    check : callable
        Called before each call; may raise to leave it.
    """

    def __init__(self, function: Callable[[Planes, float], Planes], check: Check) -> None:
        self._function, self._check = function, check

    def __call__(self, x: Tensor, sigma: float | Tensor, view: int = 0) -> Tensor:
        if view:
            return in_view(self, x, sigma, view)
        self._check()
        if isinstance(sigma, Tensor):
            if sigma.numel() > 1:
                return by_level(self, x, sigma)
            sigma = float(sigma)
        planes = x[0].detach().cpu().numpy().astype(np.float64)
        return torch.from_numpy(self._function(planes, sigma)).to(x)[None]
