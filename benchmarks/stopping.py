"""What stopping without the truth costs: the result beside the best image on the way to it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.cases import SUITES, Case, psnr_y
from benchmarks.results import Table
from napari_dred import Control, Parameters, Result, Step, solve

VALUES = ["psnr_y", "oracle", "loss", "oracle_iteration", "iterations", "stop", "seconds"]
EVERY = 10  # iterations between two looks at the image


def arguments(case: Case) -> dict[str, object]:
    y = np.rint(case.degraded * 255).astype(np.uint8)
    given: dict[str, object] = {"image": y[0] if len(y) == 1 else np.moveaxis(y, 0, -1)}
    if case.mask is not None:
        given["mask"] = case.mask[0] == 0
    if case.kernel is not None:
        given |= {"psf": case.kernel, "boundary": "circular"}
    return given | {"scale": case.factor}


def psnr_y_of(image: np.ndarray, case: Case) -> float:
    planes = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
    return float(psnr_y(planes.clip(0, 255).astype(np.float32) / 255, case.clean))


def run(
    suites: list[str],
    data: Path,
    *,
    preset: str,
    held_out: float | None,
    every: int,
    crop: int | None,
    only: str,
) -> None:
    """Restore the cases of some suites, and look at the image every tenth iteration."""
    table = Table("stopping", ["case", "preset", "held_out", "crop"], VALUES)
    share = "preset's" if held_out is None else f"{held_out:g}"
    for suite in suites:
        for case in SUITES[suite](data=data, every=every, crop=crop):
            if only not in case.name or table.has(case.name, preset, share, crop or ""):
                continue
            control, seen, due = Control(), dict[int, float](), EVERY
            parameters = Parameters(preset=preset, method="dred", held_out=held_out)
            control.request_image()
            for record in solve(**arguments(case), parameters=parameters, control=control):
                if isinstance(record, Step):
                    if record.image is not None:
                        seen[record.iteration] = psnr_y_of(record.image, case)
                        due = (record.iteration // EVERY + 1) * EVERY
                    if record.iteration + 1 >= due:  # a GPU tells of every tenth step only
                        control.request_image()
                elif isinstance(record, Result):
                    result = record
            own = psnr_y_of(result.image, case)
            best = max(seen, key=seen.__getitem__)
            table.add(
                case=case.name,
                preset=preset,
                held_out=share,
                crop=crop or "",
                psnr_y=f"{own:.2f}",
                oracle=f"{seen[best]:.2f}",
                loss=f"{seen[best] - own:.2f}",
                oracle_iteration=best,
                iterations=result.steps[-1].iteration,
                stop=result.stop_reason,
                seconds=f"{result.seconds:.1f}",
            )
