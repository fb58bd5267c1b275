"""Restoration quality on the frozen cases, through the command line, as a user would."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.cases import SUITES, Case, psnr, psnr_y, ssim
from benchmarks.results import Table

VALUES = ["psnr_y", "psnr", "ssim", "sigma", "iterations", "seconds"]


def _restore(case: Case, preset: str, folder: Path) -> tuple[np.ndarray, dict[str, object]]:
    """Write the case as 8-bit TIFF, restore it, and read the result as (C, H, W) in [0, 1]."""
    source, target = folder / "input.tif", folder / "output.tif"
    y = np.rint(case.degraded * 255).astype(np.uint8)
    tifffile.imwrite(source, y[0] if len(y) == 1 else np.moveaxis(y, 0, -1))
    command = [sys.executable, "-m", "napari_dred.cli", "restore", source, "-o", target, "--json"]
    network = ["--method", "dred"] if preset == "dred" else []
    command += ["--force", "--preset", "fast" if network else preset, *network]
    if case.mask is not None:
        tifffile.imwrite(folder / "mask.tif", (case.mask[0] == 0).astype(np.uint8) * 255)
        command += ["--mask", folder / "mask.tif"]
    if case.kernel is not None:
        np.save(folder / "psf.npy", case.kernel)
        command += ["--psf", folder / "psf.npy", "--boundary", "circular"]
    if case.factor > 1:
        command += ["--scale", str(case.factor)]
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE)
    image = tifffile.imread(target).astype(np.float32) / 255
    return image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0), json.loads(done.stdout)


def run(
    suites: list[str],
    data: Path,
    *,
    preset: str,
    every: int,
    crop: int | None,
    only: str,
    untimed: bool,
) -> None:
    """Restore the cases of some suites whose name holds `only`.

    As preset, 'dred' is 'fast' with its network whatever the task.
    """
    key = ["case", "preset", "crop"]
    table = Table("quality", key, VALUES)
    for suite in suites:
        for case in SUITES[suite](data=data, every=every, crop=crop):
            if only not in case.name or table.has(case.name, preset, crop or ""):
                continue
            with tempfile.TemporaryDirectory() as folder:
                image, record = _restore(case, preset, Path(folder))
            table.add(
                case=case.name,
                preset=preset,
                crop=crop or "",
                psnr_y=f"{psnr_y(image, case.clean):.2f}",
                psnr=f"{psnr(image, case.clean):.2f}",
                ssim=f"{ssim(image, case.clean):.4f}",
                sigma=f"{record['sigma']:.2f}",
                iterations=record["iterations"],
                seconds="" if untimed else f"{record['seconds']:.1f}",
            )
