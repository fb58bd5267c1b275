"""The estimated width of a Gaussian blur beside the true one: noisy scikit-image pictures."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage import color, data

import napari_dred
from benchmarks.results import Table

PICTURES = (
    *("camera", "coins", "moon", "astronaut", "coffee", "cat", "brick", "grass", "gravel", "page"),
    *("text", "clock", "rocket", "hubble_deep_field", "immunohistochemistry", "retina"),
)
SIDE, BEYOND = 384, 12
SIGMAS = (0.0, 1.0, 1.5, 2.0, 3.0)
NOISES = (2.0, 6.0)


def run() -> None:
    """Blur each picture by each sigma, add noise, and estimate sigma; empty where it is refused."""
    table = Table(
        "blur_estimate", ["picture", "sigma", "noise"], ["estimated", "error_percent", "refused"]
    )
    for name in PICTURES:
        picture = getattr(data, name)()[:SIDE, :SIDE]
        gray = 255 * color.rgb2gray(picture) if picture.ndim == 3 else picture.astype(np.float64)
        for sigma in SIGMAS:
            soft = ndimage.gaussian_filter(gray, sigma)[(slice(BEYOND, -BEYOND),) * 2]
            for noise in NOISES:
                if table.has(name, sigma, noise):
                    continue
                noisy = soft + np.random.default_rng(0).normal(0, noise, soft.shape)
                given = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
                row = {"estimated": "", "error_percent": "", "refused": ""}
                try:
                    found = napari_dred.estimate_blur(given)
                except napari_dred.InputError as e:
                    row["refused"] = str(e).partition(": ")[2].partition(";")[0]
                else:
                    row["estimated"] = f"{found:.2f}"
                    if sigma:
                        row["error_percent"] = f"{100 * (found / sigma - 1):+.0f}"
                table.add(picture=name, sigma=sigma, noise=noise, **row)
