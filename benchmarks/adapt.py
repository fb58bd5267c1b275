"""The preview with and without a denoiser that was fitted to the image; images of no test set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import SUITES, psnr_y
from benchmarks.levels import FOLDER, noisy, planes_of
from benchmarks.results import Table
from benchmarks.stopping import arguments
from napari_dred import restore

STEPS = 0, 60
#: Levels of Gaussian noise on 0-255, and channels.
NOISES = (10, 1), (25, 1), (15, 3)
SETTINGS = "inpaint/GN15+line", "deblur/GN25+gauss", "sr/GN15+S2", "sr/GN25+S4"

_Case = tuple[str, np.ndarray, dict[str, Any]]  # its name, the truth (C, H, W), what is given


def _noisy(data: Path, every: int, crop: int | None) -> Iterator[_Case]:
    for sigma, channels in NOISES:
        for case in noisy("GN", sigma, channels, data, every, crop):
            yield case.name, case.clean, {"image": case.image}


def _damaged(data: Path, every: int, crop: int | None) -> Iterator[_Case]:
    for setting in SETTINGS:
        for case in SUITES[setting.split("/")[0]](FOLDER, data=data, every=every, crop=crop):
            if case.name.startswith(f"{setting}/"):
                yield case.name, case.clean, arguments(case)


def run(data: Path, *, every: int, crop: int | None, only: str) -> None:
    """Restore each of them by the preset 'preview'."""
    table = Table("adapt", ["case", "adapt", "crop"], ["psnr_y", "sigma"])
    for cases in (_noisy, _damaged):
        for name, clean, given in cases(data, every, crop):
            for steps in STEPS:
                if only not in name or table.has(name, steps, crop or ""):
                    continue
                result = restore(
                    **given, preset="preview", adapt=steps, output_dtype="float32", threads=1
                )
                table.add(
                    case=name,
                    adapt=steps,
                    crop=crop or "",
                    psnr_y=f"{psnr_y(planes_of(result.image), clean):.2f}",
                    sigma=f"{result.plan.sigma:.2f}",
                )
