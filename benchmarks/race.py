"""How soon each preset is as good as the best image of the paper's own run, on the same case.

Preset `paper` runs as published until its best image is `PAST` iterations behind. To look at the
images is not timed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.cases import SUITES, Case
from benchmarks.results import Table
from benchmarks.stopping import arguments, psnr_y_of
from napari_dred import Control, Parameters, Result, Step, solve
from napari_dred.core.given import FOUND

VALUES = [
    *("psnr_y", "oracle", "oracle_seconds", "iterations", "seconds"),
    *("paper_oracle", "paper_oracle_seconds", "reached_after", "share_of_its_time"),
]
EVERY = {"paper": 5, "preview": 1, "default": 2}  # iterations between two looks at the image
PAST = 400

Moment = tuple[int, float, float]  # iteration, seconds, PSNR-Y


def run(data: Path, *, cases: list[str], crop: int, cap: float) -> None:
    """Race on the cases of these names; `cap` is the most seconds of a run of the paper's."""
    table = Table("race", ["case", "preset", "crop", "cap"], VALUES)
    for case in (c for suite in SUITES.values() for c in suite(data=data, every=1, crop=crop)):
        if case.name not in cases or table.has(case.name, "default", crop, f"{cap:g}"):
            continue
        paper = list(_moments(case, "paper", cap))
        _, its_seconds, its_best = max(paper, key=lambda m: m[2])
        for preset in EVERY:
            moments = paper if preset == "paper" else list(_moments(case, preset, cap))
            _, best_seconds, best = max(moments, key=lambda m: m[2])
            iterations, seconds, own = moments[-1]
            reached = next((s for _, s, p in moments if p >= its_best), None)
            table.add(
                case=case.name,
                preset=preset,
                crop=crop,
                cap=f"{cap:g}",
                psnr_y=f"{own:.2f}",
                oracle=f"{best:.2f}",
                oracle_seconds=f"{best_seconds:.1f}",
                iterations=iterations,
                seconds=f"{seconds:.1f}",
                paper_oracle=f"{its_best:.2f}",
                paper_oracle_seconds=f"{its_seconds:.1f}",
                reached_after="never" if reached is None else f"{reached:.2f}",
                share_of_its_time="" if reached is None else f"{reached / its_seconds:.4f}",
            )


def _moments(case: Case, preset: str, cap: float) -> Iterator[Moment]:
    """Every image that is looked at on the way, and the result."""
    control, looked = Control(), 0.0
    best, best_at = -np.inf, 0
    control.request_image()
    FOUND.clear()  # or the first preset alone would measure the noise
    start = time.perf_counter()
    run = solve(**arguments(case), parameters=Parameters(preset=preset), control=control)
    for record in run:
        now = time.perf_counter()
        seconds = now - start - looked
        if isinstance(record, Result):
            yield record.steps[-1].iteration, seconds, psnr_y_of(record.image, case)
        elif isinstance(record, Step):
            if record.image is not None:
                psnr = psnr_y_of(record.image, case)
                if psnr > best:
                    best, best_at = psnr, record.iteration
                yield record.iteration, seconds, psnr
            if (record.iteration + 1) % EVERY[preset] == 0:
                control.request_image()
            if preset == "paper" and (seconds > cap or record.iteration > best_at + PAST):
                control.stop()
        looked += time.perf_counter() - now
