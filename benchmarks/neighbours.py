"""A neighbour's result as the start of a plane: shifted crops of a picture, with holes."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from skimage import data

from benchmarks.cases import psnr
from benchmarks.results import Table
from napari_dred.core.denoisers.build import build_denoiser
from napari_dred.core.hqs import descend, polish
from napari_dred.core.noise import fill_nearest
from napari_dred.core.operators import Mask
from napari_dred.core.problem import Problem

SIDE, NOISE, HOLES = 96, 10 / 255, 0.5
SHIFTS = (0, 1, 3)  # pixels, between a plane and the next
CALLS = (4, 8, 24)  # of the denoiser


def run() -> None:
    """Restore a plane from its own pixels and from its neighbour's result, with few calls."""
    table = Table("neighbours", ["shift", "calls"], ["psnr_alone", "psnr_from_neighbour"])
    device = torch.device("cpu")
    denoiser = build_denoiser(
        "ffdnet", 1, path=None, device=device, bfloat16=False, check=lambda: None
    )
    picture = data.camera()[100:300, 150:350].astype(np.float64) / 255
    rng = np.random.default_rng(0)

    def problem(clean: np.ndarray) -> Problem:
        seen = rng.random(clean.shape) > HOLES
        y = np.where(seen, clean + rng.normal(0, NOISE, clean.shape), 0)
        tensors = [
            torch.from_numpy(a.astype(np.float32))[None, None] for a in (y, fill_nearest(y, seen))
        ]
        known = torch.from_numpy(seen)[None, None]
        return Problem(
            *tensors, Mask(known.float()), NOISE, denoiser, bfloat16=False, check=lambda: None
        )

    with torch.no_grad():
        for shift in SHIFTS:
            before, clean = (picture[s : s + SIDE, s : s + SIDE] for s in (40, 40 + shift))
            *_, neighbour = descend(problem(before), max(CALLS))
            own = problem(clean)
            from_neighbour = dataclasses.replace(own, start=neighbour.x)
            for calls in CALLS:
                if table.has(shift, calls):
                    continue
                *_, alone = descend(own, calls)
                *_, warm = polish(from_neighbour, calls)
                table.add(
                    shift=shift,
                    calls=calls,
                    psnr_alone=f"{psnr(alone.x[0, 0].numpy(), clean):.2f}",
                    psnr_from_neighbour=f"{psnr(warm.x[0, 0].numpy(), clean):.2f}",
                )
