"""The estimated noise level beside the true one, and what the difference costs; of no test set."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import _centre, _images, load_image, psnr
from benchmarks.results import Table
from napari_dred import restore
from napari_dred.core.noise import estimate_sigma

FOLDER = "tune"
#: Kind, strength (the level on 0-255, or photons where the image is white) and channels.
NOISES = [("GN", sigma, 1) for sigma in (2, 5, 10, 25, 50)]
NOISES += [("GN", 5, 3), ("GN", 25, 3), ("photons", 100, 1), ("photons", 400, 1)]


@dataclass(frozen=True)
class Noisy:
    """An image with noise alone, in gray values of 0 to 255.

    Attributes
    ----------
    name : str
    clean : (C, H, W) array
        Within [0, 1].
    planes : (C, H, W) float32 array
    """

    name: str
    clean: np.ndarray
    planes: np.ndarray

    @property
    def image(self) -> np.ndarray:
        """As `restore` takes it."""
        return self.planes[0] if len(self.planes) == 1 else np.moveaxis(self.planes, 0, -1)


def noisy(
    kind: str, strength: int, channels: int, data: Path, every: int, crop: int | None
) -> Iterator[Noisy]:
    """Add noise of one kind to the images for tuning."""
    for path in _images(FOLDER, data, every):
        x = _centre(load_image(path, gray=channels == 1), crop)
        name = f"denoise/{kind}{strength}, {channels} channel(s)/{path.stem}"
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        if kind == "GN":
            y = x + rng.normal(scale=strength / 255, size=x.shape)
        else:
            y = rng.poisson(x * strength) / strength
        yield Noisy(name, x, (255 * y).astype(np.float32))


def planes_of(image: np.ndarray) -> np.ndarray:
    """A restored image as (C, H, W) within [0, 1]."""
    planes: np.ndarray = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
    return planes.clip(0, 255) / 255


def run(data: Path, *, every: int, crop: int | None, only: str) -> None:
    """Restore each by the preset 'preview' as it is, told the patches' level, and the true one."""
    values = ["true", "patches", "found", "photons", "psnr", "psnr_patches", "psnr_true"]
    table = Table("levels", ["case", "crop"], values)
    for noise in NOISES:
        for case in noisy(*noise, data, every, crop):
            if only not in case.name or table.has(case.name, crop or ""):
                continue
            true = float(np.sqrt(np.mean((case.planes - 255 * case.clean) ** 2)))
            known = np.ones(case.planes.shape, bool)
            patches = estimate_sigma(case.planes, known)
            options: dict[str, Any] = {"preset": "preview", "output_dtype": "float32", "threads": 1}
            told = [{}] + [{"noise": "gaussian", "sigma": level} for level in (patches, true)]
            results = [restore(case.image, **options, **of) for of in told]
            plan = results[0].plan
            quality = [f"{psnr(planes_of(r.image), case.clean):.2f}" for r in results]
            table.add(
                case=case.name,
                crop=crop or "",
                true=f"{true:.2f}",
                patches=f"{patches:.2f}",
                found=f"{plan.sigma:.2f}",
                photons=int(plan.photon_noise is not None),
                **dict(zip(values[-3:], quality, strict=True)),
            )
