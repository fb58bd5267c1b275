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
from napari_dred.core.errors import InputError
from napari_dred.core.methods import DENOISERS

SETS = {"set12": 1, "bsd68": 1, "cbsd68": 3}
SIGMAS = (15, 25, 50)
# FFDNet: Zhang et al. (2018), Tables 2, 3 and 4; the others, the trained ones with a network for
# each level: Zhang et al. (2017), Tables II and III.
PUBLISHED = {
    ("ffdnet", "set12"): (32.75, 30.43, 27.32),
    ("ffdnet", "bsd68"): (31.63, 29.19, 26.29),
    ("ffdnet", "cbsd68"): (33.87, 31.21, 27.96),
    ("dncnn", "set12"): (32.86, 30.44, 27.18),
    ("dncnn", "bsd68"): (31.73, 29.23, 26.23),
    ("tnrd", "set12"): (32.50, 30.06, 26.81),
    ("tnrd", "bsd68"): (31.42, 28.92, 25.97),
    ("bm3d", "set12"): (32.37, 29.97, 26.72),
    ("bm3d", "bsd68"): (31.07, 28.57, 25.62),
}
CLASSICAL = ("nlm", "bm3d")  # of gray images


def denoiser_of(path: Path) -> str:
    """The denoiser that a file of weights is for, by the start of its name."""
    found = next((d for d in DENOISERS if path.stem.startswith(d)), None)
    if found is None:
        raise SystemExit(f"{path}: the name must start with one of {', '.join(DENOISERS)}")
    return found


def shipped_label(denoiser: str, kind: str) -> str | None:
    """What the shipped weights are called in a table: their name, and which ones they are."""
    name = f"{denoiser}-{kind}"
    return f"{name} ({shipped()[name][1][:8]})" if name in shipped() else None


def _weights(channels: int, others: list[Path]) -> Iterator[tuple[str, str, str | None]]:
    """Label, denoiser and file of all that are for so many channels."""
    kind = "color" if channels == 3 else "gray"
    for denoiser in DENOISERS:
        if label := shipped_label(denoiser, kind):
            yield label, denoiser, None
        elif denoiser in CLASSICAL and kind == "gray":
            yield denoiser, denoiser, None
    for path in others:
        if ("color" in path.stem) == (kind == "color"):
            yield path.stem, denoiser_of(path), str(path)


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
        Files with further weights to compare with, whose names start with that of their denoiser.
    sets : list of str
        Keys of `SETS`.
    """
    table = Table("denoisers", ["set", "sigma", "weights"], ["psnr", "published", "images"])
    for name in sets:
        for label, denoiser, path in _weights(SETS[name], others):
            try:
                f = build_denoiser(
                    denoiser,
                    SETS[name],
                    path=path,
                    device=torch.device("cpu"),
                    bfloat16=False,
                    check=lambda: None,
                )
            except InputError as e:
                if denoiser not in CLASSICAL:
                    raise
                print(f"{label}: not run, {e}", flush=True)
                continue
            figures = PUBLISHED.get((denoiser, name), ("",) * len(SIGMAS))
            for sigma, published in zip(SIGMAS, figures, strict=True):
                if table.has(name, sigma, label):
                    continue
                values = []
                for k, x in enumerate(_images(data / name, SETS[name])):
                    rng = np.random.default_rng([k, sigma])
                    y = x + rng.normal(scale=sigma / 255, size=x.shape).astype(np.float32)
                    out = f(torch.from_numpy(y)[None], sigma / 255)[0].clamp(0, 1).numpy()
                    values.append(psnr(np.rint(out * 255) / 255, x))
                table.add(
                    set=name,
                    sigma=sigma,
                    weights=label,
                    psnr=f"{np.mean(values):.3f}",
                    published=published,
                    images=len(values),
                )
