"""PSNR of the denoisers on the usual test sets, the shipped weights beside others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.cases import load_image, psnr
from benchmarks.results import Table
from napari_dred.core.denoisers.build import build_denoiser
from napari_dred.core.denoisers.weights import shipped

SETS = {"set12": 1, "bsd68": 1, "cbsd68": 3}
SIGMAS = (15, 25, 50)
# Zhang et al. (2018), Tables 2, 3 and 4.
PUBLISHED = {
    ("set12", 15): 32.75, ("set12", 25): 30.43, ("set12", 50): 27.32,
    ("bsd68", 15): 31.63, ("bsd68", 25): 29.19, ("bsd68", 50): 26.29,
    ("cbsd68", 15): 33.87, ("cbsd68", 25): 31.21, ("cbsd68", 50): 27.96,
}  # fmt: skip


def _images(folder: Path, channels: int) -> Iterator[np.ndarray]:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in {".png", ".bmp", ".tif"}:
            yield load_image(path, gray=channels == 1)


def run(data: Path, others: list[Path], sets: list[str]) -> None:
    """Measure some sets at every level.

    The noise is white, not clipped, the same for all weights; the result is
    rounded to 8 bits, as is usual. Computed in float32.

    Parameters
    ----------
    data : Path
        Folder with the folders `set12`, `bsd68` and `cbsd68`.
    others : list of Path
        Files with further weights to compare with.
    sets : list of str
        Keys of `SETS`.
    """
    table = Table("denoisers", ["set", "sigma", "weights"], ["psnr", "published", "images"])
    for name in sets:
        channels = SETS[name]
        own = "ffdnet-color" if channels == 3 else "ffdnet-gray"
        files = {f"{own} ({shipped()[own][1][:8]})": None}
        files |= {p.stem: str(p) for p in others if ("color" in p.stem) == (channels == 3)}
        for label, path in files.items():
            f = build_denoiser(
                "ffdnet",
                channels,
                path=path,
                device=torch.device("cpu"),
                bfloat16=False,
                check=lambda: None,
            )
            for sigma in SIGMAS:
                if table.has(name, sigma, label):
                    continue
                values = []
                for k, x in enumerate(_images(data / name, channels)):
                    rng = np.random.default_rng([k, sigma])
                    y = x + rng.normal(scale=sigma / 255, size=x.shape).astype(np.float32)
                    out = f(torch.from_numpy(y)[None], sigma / 255)[0].clamp(0, 1).numpy()
                    values.append(psnr(np.rint(out * 255) / 255, x))
                table.add(
                    set=name,
                    sigma=sigma,
                    weights=label,
                    psnr=f"{np.mean(values):.3f}",
                    published=PUBLISHED[name, sigma],
                    images=len(values),
                )
