"""The preview with and without the fitted network of preset 'fast'; images of no test set."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import (
    _centre,
    _images,
    add_noise,
    circular_blur,
    gaussian_kernel,
    load_image,
    load_mask,
    psnr_y,
)
from benchmarks.levels import FOLDER, planes_of
from benchmarks.results import Table
from napari_dred import restore

METHODS = "hqs", "dred"
#: What is done to an image, and the level of Gaussian noise on 0-255.
SETTINGS = (
    *(("noise", 15), ("line", 5), ("line", 15), ("grid", 5), ("grid", 25)),
    *(("gauss", 5), ("gauss", 15), ("gauss", 25)),
)


def damaged(x: np.ndarray, damage: str, sigma: int, seed: int) -> dict[str, Any]:
    """Arguments of `restore` for a clean (C, H, W) image within [0, 1]."""
    given: dict[str, Any] = {}
    if damage == "gauss":
        kernel = gaussian_kernel()
        given |= {"psf": kernel, "boundary": "circular"}
        x = circular_blur(x, kernel)
    elif damage != "noise":
        known = load_mask(damage, x.shape[-2:])
        given["mask"] = known[0] == 0
        x = x * known
    y = add_noise(x, "GN", sigma, np.random.default_rng(seed))
    return {**given, "image": np.moveaxis(255 * y, 0, -1).astype(np.float32)}


def run(data: Path, *, every: int, crop: int | None, only: str) -> None:
    """Restore each of them by the preset 'fast', by both methods."""
    table = Table("network", ["case", "method", "crop"], ["psnr_y", "sigma"])
    for damage, sigma in SETTINGS:
        for path in _images(FOLDER, data, every):
            name = f"{damage}/GN{sigma}/{path.stem}"
            x = _centre(load_image(path), crop)
            for method in METHODS:
                if only not in name or table.has(name, method, crop or ""):
                    continue
                given = damaged(x, damage, sigma, zlib.crc32(name.encode()))
                result = restore(
                    **given, preset="fast", method=method, output_dtype="float32", threads=1
                )
                table.add(
                    case=name,
                    method=method,
                    crop=crop or "",
                    psnr_y=f"{psnr_y(planes_of(result.image), x):.2f}",
                    sigma=f"{result.plan.sigma:.2f}",
                )
