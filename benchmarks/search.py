"""The numbers of the solver, one changed at a time, on images that are in no test set."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.cases import SUITES
from benchmarks.results import Table
from benchmarks.stopping import arguments, psnr_y_of
from napari_dred import restore

FOLDER = "tune"
SETTINGS = (
    *("inpaint/GN15+line", "inpaint/GN25+grid", "inpaint/GN50+text"),
    *("inpaint/PN15+line", "inpaint/PN25+grid", "deblur/GN25+gauss", "sr/GN15+S2", "sr/GN25+S4"),
    "sr/GN50+S8",
    *("deblur/PN25+gauss", "sr/PN25+S4"),
)


def _no_filler(*_args: object, **_options: object) -> None:
    return None


#: What is changed: names in modules of the core, by the preset that they matter to.
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "preview": {
        "as it is": {},
        "first level 49": {"hqs.FIRST_LEVEL": 49 / 255},
        "first level 100": {"hqs.FIRST_LEVEL": 100 / 255},
        "least level 0.25": {"hqs.LEAST_LEVEL": 0.25 / 255},
        "least level 4": {"hqs.LEAST_LEVEL": 4 / 255},
        "no network, wide holes at full size": {"hqs.LEAST_STEPS": 1000},
        "no network for holes": {"restore.build_filler": _no_filler},
        "smaller sizes for holes of 2": {"fill.WIDE": 2},
        "no last calls": {"hqs.mixed": lambda _problem, x: x},
        "filled level 30": {"hqs.FILLED_LEVEL": 30 / 255},
        "filled level 45": {"hqs.FILLED_LEVEL": 45 / 255},
        "enlarged at once": {"enlarge.FACTOR": 1000},
        "small image first from factor 2": {"enlarge.FACTOR": 2},
        "no momentum": {"hqs.MOMENTUM": 0.0},
        "momentum 0.6": {"hqs.MOMENTUM": 0.6},
        "one view": {"hqs.VIEWS": 1, "fill.VIEWS": 1},
        "weights 0.23": {
            "hqs.PRIOR_WEIGHTS": (0.23, 0.23),
            "hqs.PRIOR_WEIGHTS_POINTWISE": (0.23, 0.23),
        },
        "weights 0.16 to 0.32": {"hqs.PRIOR_WEIGHTS": (0.16, 0.32)},
        "as DPIR": {
            "hqs.FIRST_LEVEL": 49 / 255,
            "hqs.LEAST_LEVEL": 0.25 / 255,
            "hqs.MOMENTUM": 0.0,
            "hqs.VIEWS": 1,
            "enlarge.FACTOR": 1000,
            "restore.build_filler": _no_filler,
            "hqs.LEAST_STEPS": 1000,
            "hqs.PRIOR_WEIGHTS": (0.23, 0.23),
            "hqs.PRIOR_WEIGHTS_POINTWISE": (0.23, 0.23),
        },
    },
    "fast": {
        "as it is": {},
        "share 0": {"admm.SHARE": 0.0},
        "share 0.2": {"admm.SHARE": 0.2},
        "share 0.5": {"admm.SHARE": 0.5},
        "share 1": {"admm.SHARE": 1.0},
        "whatever it misses": {"admm.MISSED": 1e9},
        "missed 1": {"admm.MISSED": 1.0},
        "however far apart": {"admm.APART": 1e9},
        "apart 0.4": {"admm.APART": 0.4},
        "apart 0.85": {"admm.APART": 0.85},
        "apart 1.2": {"admm.APART": 1.2},
        "near 16": {"admm.NEAR": 16},
    },
}


def run(
    data: Path,
    *,
    presets: list[str],
    settings: list[str],
    variants: tuple[str, ...] = (),
    every: int,
    crop: int | None,
) -> None:
    """Restore the cases of some settings with each variant; the mean over the images is kept."""
    key = ["preset", "variant", "setting", "every", "crop"]
    table = Table("search", key, ["images", "psnr_y"])
    for setting in settings:
        suite = SUITES[setting.split("/")[0]]
        wanted = None
        for preset in presets:
            method = "hqs" if preset == "preview" else "dred"
            for variant, changes in VARIANTS[preset].items():
                known = table.has(preset, variant, setting, every, crop or "")
                if known or (variants and variant not in variants):
                    continue
                wanted = wanted or [
                    c
                    for c in suite(folder=FOLDER, data=data, every=every, crop=crop)
                    if c.name.startswith(f"{setting}/")
                ]
                with ExitStack() as patched:
                    for name, value in changes.items():
                        patched.enter_context(mock.patch(f"napari_dred.core.{name}", value))
                    reached = [
                        psnr_y_of(restore(**arguments(c), preset=preset, method=method).image, c)
                        for c in wanted
                    ]
                table.add(
                    preset=preset,
                    variant=variant,
                    setting=setting,
                    every=every,
                    crop=crop or "",
                    images=len(reached),
                    psnr_y=f"{np.mean(reached):.2f}",
                )
