"""The numbers of the solver, one changed at a time, on images that are in no test set."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.cases import SUITES
from benchmarks.results import Table
from benchmarks.stopping import arguments, psnr_y_of
from napari_dred import restore
from napari_dred.core import admm, hqs

FOLDER = "tune"
SETTINGS = (
    *("inpaint/GN15+line", "inpaint/GN25+grid", "inpaint/GN50+text"),
    *("inpaint/PN15+line", "inpaint/PN25+grid", "deblur/GN25+gauss", "sr/GN15+S2", "sr/GN25+S4"),
    *("deblur/PN25+gauss", "sr/PN25+S4"),
)
#: What is changed: constants of a module, by the preset that they matter to.
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "preview": {
        "as it is": {},
        "first level 49": {"FIRST_LEVEL": 49 / 255},
        "first level 100": {"FIRST_LEVEL": 100 / 255},
        "least level 0.25": {"LEAST_LEVEL": 0.25 / 255},
        "least level 4": {"LEAST_LEVEL": 4 / 255},
        "wide holes at full size": {"LEAST_STEPS": 1000},
        "filled level 20": {"FILLED_LEVEL": 20 / 255},
        "filled level 45": {"FILLED_LEVEL": 45 / 255},
        "no momentum": {"MOMENTUM": 0.0},
        "momentum 0.6": {"MOMENTUM": 0.6},
        "one view": {"VIEWS": 1},
        "weights 0.23": {"PRIOR_WEIGHTS": (0.23, 0.23), "PRIOR_WEIGHTS_POINTWISE": (0.23, 0.23)},
        "weights 0.16 to 0.32": {"PRIOR_WEIGHTS": (0.16, 0.32)},
        "as DPIR": {
            "FIRST_LEVEL": 49 / 255,
            "LEAST_LEVEL": 0.25 / 255,
            "MOMENTUM": 0.0,
            "VIEWS": 1,
            "LEAST_STEPS": 1000,
            "PRIOR_WEIGHTS": (0.23, 0.23),
            "PRIOR_WEIGHTS_POINTWISE": (0.23, 0.23),
        },
    },
    "fast": {
        "as it is": {},
        "share 0": {"SHARE": 0.0},
        "share 0.2": {"SHARE": 0.2},
        "share 0.5": {"SHARE": 0.5},
        "share 1": {"SHARE": 1.0},
        "whatever it misses": {"MISSED": 1e9},
        "missed 1": {"MISSED": 1.0},
        "however far apart": {"APART": 1e9},
        "apart 0.4": {"APART": 0.4},
    },
}
MODULES = {"preview": hqs, "fast": admm}


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
            for name, changes in VARIANTS[preset].items():
                known = table.has(preset, name, setting, every, crop or "")
                if known or (variants and name not in variants):
                    continue
                wanted = wanted or [
                    c
                    for c in suite(folder=FOLDER, data=data, every=every, crop=crop)
                    if c.name.startswith(f"{setting}/")
                ]
                changed = (
                    mock.patch.multiple(MODULES[preset], **changes) if changes else nullcontext()
                )
                with changed:
                    reached = [
                        psnr_y_of(restore(**arguments(c), preset=preset).image, c) for c in wanted
                    ]
                table.add(
                    preset=preset,
                    variant=name,
                    setting=setting,
                    every=every,
                    crop=crop or "",
                    images=len(reached),
                    psnr_y=f"{np.mean(reached):.2f}",
                )
