"""The paper's section IV: what RED assumes of a denoiser, measured on Set12."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.results import Table
from napari_dred.check import FIGURES, measure
from napari_dred.core.errors import InputError
from napari_dred.core.methods import DENOISERS


def run(data: Path, others: list[Path], denoisers: list[str], every: int) -> None:
    """Measure each denoiser on each image, with the paper's settings.

    Parameters
    ----------
    data : Path
        Folder with the folder `set12`.
    others : list of Path
        Files with further weights, whose names start with that of their denoiser.
    denoisers : list of str
        Which of `DENOISERS` to measure with what the package has.
    every : int
        Take every N-th image.
    """
    table = Table("assumptions", ["case", "denoiser"], list(FIGURES))
    named: list[tuple[str, str, str | None]] = [(d, d, None) for d in denoisers]
    for path in others:
        name = next(d for d in DENOISERS if path.stem.startswith(d))
        named.append((path.stem, name, str(path)))
    for path in sorted((data / "set12").glob("*.png"))[::every]:
        image = np.asarray(Image.open(path).convert("L"))
        for label, name, weights in named:
            case = f"set12/{path.stem}"
            if table.has(case, label):
                continue
            try:
                figures = measure(image, name, name=case, weights=weights).figures
            except InputError as e:
                print(f"{label}: {e}")
                continue
            shown = {k: f"{math.nan if v is None else v:.4g}" for k, v in figures.items()}
            table.add(case=case, denoiser=label, **shown)
