"""Deblurring with a wrong sigma: preset preview, Gaussian blur and noise, scikit-image pictures."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage import data

import napari_dred
from benchmarks.cases import psnr
from benchmarks.results import Table

PICTURES = ("camera", "coins", "moon")
SIDE, BEYOND = 256, 16
SIGMA, NOISE = 1.6, 4.0
FACTORS = (0.7, 0.85, 1.0, 1.15, 1.4)


def run() -> None:
    """Restore each picture as if its blur had been of 0.7 to 1.4 times the width it had."""
    table = Table("blur", ["picture", "factor"], ["psnr", "psnr_blurred"])
    for name in PICTURES:
        around = getattr(data, name)()[: SIDE + 2 * BEYOND, : SIDE + 2 * BEYOND].astype(np.float64)
        inside = (slice(BEYOND, -BEYOND),) * 2  # what lies beyond the border blurs into it
        clean = around[inside] / 255
        rng = np.random.default_rng(0)
        noisy = ndimage.gaussian_filter(around, SIGMA)[inside] + rng.normal(0, NOISE, clean.shape)
        blurred = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        for factor in FACTORS:
            if table.has(name, factor):
                continue
            made = napari_dred.restore(
                blurred, preset="preview", blur_sigma=factor * SIGMA, output_dtype="float32"
            )
            table.add(
                picture=name,
                factor=factor,
                psnr=f"{psnr(made.image / 255, clean):.2f}",
                psnr_blurred=f"{psnr(blurred / 255, clean):.2f}",
            )
