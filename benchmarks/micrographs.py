"""Real noise: FMD micrographs, one frame against the mean of 50, beside other denoisers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import napari_dred
from benchmarks.cases import fmd_cases, psnr, ssim
from benchmarks.results import Table
from napari_dred.core.denoisers.classical import load_bm3d, nlm

VALUES = ["psnr", "ssim", "seconds", "sigma", "gain", "offset", "true_sigma", "true_gain"]
VALUES += ["true_offset"]
BINS = 32

Denoised = tuple[np.ndarray, dict[str, str]]
Method = Callable[[np.ndarray], Denoised]


def _truth(clean: np.ndarray, noisy: np.ndarray) -> dict[str, str]:
    """Fit variance = gain * signal + offset to what the 50 frames say of the noise."""
    edges = np.unique(np.quantile(clean, np.linspace(0, 1, BINS + 1)))
    signal, *_ = stats.binned_statistic(clean, clean, bins=edges)
    variance, *_ = stats.binned_statistic(clean, (noisy - clean) ** 2, bins=edges)
    line = np.polynomial.Polynomial.fit(signal, variance, 1, w=1 / variance).convert()
    offset, gain = line.coef
    level = np.sqrt(np.mean((noisy - clean) ** 2))
    return {
        "true_sigma": f"{level:.2f}",
        "true_gain": f"{gain:.2f}",
        "true_offset": f"{offset:.1f}",
    }


def _preset(preset: str, **options: Any) -> Method:
    def denoise(noisy: np.ndarray) -> Denoised:
        result = napari_dred.restore(noisy, preset=preset, **options)
        found = result.plan.photon_noise
        gain, offset = ("", "") if found is None else (f"{found[0]:.2f}", f"{found[1]:.1f}")
        return result.image, {"sigma": f"{result.plan.sigma:.2f}", "gain": gain, "offset": offset}

    return denoise


def _classical(load: Callable[[], Callable[[np.ndarray, float], np.ndarray]]) -> Method:
    """With the overall level of noise that this package estimates."""

    def denoise(noisy: np.ndarray) -> Denoised:
        sigma = napari_dred.plan(noisy, preset="preview").sigma
        image = 255 * load()(noisy[None] / 255, sigma / 255)[0]  # BM3D's are told for [0, 1]
        return image, {"sigma": f"{sigma:.2f}"}

    return denoise


def _bm3d_of_photons(noisy: np.ndarray) -> Denoised:
    """BM3D of what Anscombe's transform, generalised, makes of photon noise: noise of level 1.

    With the gain and offset that this package estimates; with its overall level where it finds no
    photon noise. The inverse is the closed form of Mäkitalo and Foi (2013).
    """
    found = napari_dred.plan(noisy, preset="preview").photon_noise
    if found is None:
        return METHODS["BM3D"](noisy)
    gain, offset = found
    stable = 2 / gain * np.sqrt(np.maximum(0, gain * noisy + 3 / 8 * gain**2 + offset))
    span = stable.max()
    d = span * load_bm3d()(stable[None] / span, 1 / span)[0]
    d = np.maximum(d, 2 * np.sqrt(3 / 8))  # what no photon makes: the closed form holds from there
    powers = d**2 / 4 + 1.5**0.5 / (4 * d) - 11 / (8 * d**2) + 5 * 1.5**0.5 / (8 * d**3) - 1 / 8
    image = gain * powers - offset / gain
    return image.clip(0, 255), {"gain": f"{gain:.2f}", "offset": f"{offset:.1f}"}


METHODS: dict[str, Method] = {
    "noisy": lambda noisy: (noisy, {}),
    "non-local means": _classical(lambda: nlm),
    "BM3D": _classical(load_bm3d),
    "BM3D, Anscombe": _bm3d_of_photons,
    "preview": _preset("preview"),
    "preview, noise taken as even": _preset("preview", noise="gaussian"),
    "default": _preset("default"),
}


def run(data: Path, *, methods: list[str], every: int, crop: int | None, only: str = "") -> None:
    """Denoise the micrographs, 8-bit as they are."""
    table = Table("micrographs", ["case", "method", "crop"], VALUES)
    for method in methods:
        for case in fmd_cases(data=data, every=every, crop=crop):
            if only not in case.name or table.has(case.name, method, crop or ""):
                continue
            noisy = np.rint(case.degraded[0] * 255).astype(np.uint8)
            began = time.perf_counter()
            image, said = METHODS[method](noisy)
            seconds = time.perf_counter() - began
            restored = image[None].astype(np.float32) / 255
            said |= _truth(case.clean.ravel() * 255, noisy.ravel().astype(np.float64))
            table.add(
                case=case.name,
                method=method,
                crop=crop or "",
                psnr=f"{psnr(restored, case.clean):.2f}",
                ssim=f"{ssim(restored, case.clean):.4f}",
                seconds=f"{seconds:.1f}",
                **said,
            )
