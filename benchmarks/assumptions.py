"""The paper's section IV: what RED assumes of a denoiser, measured on Set12."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.denoisers import denoiser_of, shipped_label
from benchmarks.results import Table
from napari_dred.check import FIGURES, measure
from napari_dred.core.errors import InputError


def run(data: Path, others: list[Path], denoisers: list[str], every: int, only: str) -> None:
    """Measure each denoiser on each image, with the paper's settings; a row as each is done.

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
    only : str
        Take the cases whose name holds this.
    """
    table = Table("assumptions", ["case", "denoiser"], list(FIGURES))
    named: list[tuple[str, str, str | None]] = [
        (shipped_label(d, "gray") or d, d, None) for d in denoisers
    ]
    named += [(path.stem, denoiser_of(path), str(path)) for path in others]
    absent = dict[str, str]()
    for path in sorted((data / "set12").glob("*.png"))[::every]:
        case = f"set12/{path.stem}"
        if only not in case:
            continue
        image = np.asarray(Image.open(path).convert("L"))
        for label, name, weights in named:
            if label in absent or table.has(case, label):
                continue
            try:
                figures = measure(image, name, name=case, weights=weights).figures
            except InputError as e:
                absent[label] = str(e)
                continue
            shown = {k: f"{math.nan if v is None else v:.4g}" for k, v in figures.items()}
            table.add(case=case, denoiser=label, **shown)
    for label, reason in absent.items():
        print(f"{label}: left out: {reason}")
