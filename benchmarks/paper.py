"""The comparisons of the paper of DRED on the frozen cases: its tables II to IV, figures 4 and 5.

Every method runs with its authors' settings and the true noise level, as there; 'hqs' and
'default' are this package's presets 'preview' and 'default' (whose network
is asked for in every task) and estimate the level. Both the best
image on the way, which the paper reports, and the run's own result are measured. Cases that
were measured are not run again.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from benchmarks import results
from benchmarks.cases import SUITES, Case
from benchmarks.stopping import arguments, psnr_y_of
from napari_dred import Control, InputError, Plan, Result, Step, solve
from napari_dred.core.networks.build import build_network
from napari_dred.core.parameters import Parameters

#: The methods of the paper in its order, by their names here; the last it calls "OURs".
THEIRS = {
    "dip": "DIP",
    "deep-decoder": "DD",
    "nas-dip": "NAS-DIP",
    "deepred": "DeepRED",
    "pip": "PIP",
    "shi": "SHI",
    "drp-dip": "DRP-DIP",
    "dred": "DRED",
}
OURS = {"hqs": "preview", "default": "default"}  # presets
ABLATION = "dip-pnp"  # of table III alone
#: All but that, those that need the least time first.
METHODS = (
    *OURS,
    *("deep-decoder", "drp-dip", "pip", "dip", "dred", "shi", "deepred", "nas-dip"),
)
KEY = ["case", "method", "lam", "mu", "crop", "cap"]
VALUES = [
    *("oracle", "oracle_iteration", "psnr_y", "iterations", "asked", "stop"),
    *("seconds_an_iteration", "parameters"),
]
CURVE = [*KEY, "iteration", "psnr_y"]
EVERY = 10  # iterations between two rows of a curve


@dataclass(frozen=True)
class Target:
    """What a table or figure of the paper needs: which cases, methods and weights."""

    suites: tuple[str, ...]
    settings: tuple[str, ...] = ()  # all, if empty
    methods: tuple[str, ...] = METHODS
    crop: int | None = None  # where the size matters
    sweep: tuple[dict[str, float], ...] = ()  # of DRED's weights


_WEIGHTS = {"lam": (0.01, 0.05, 0.25), "mu": (0.02, 0.06, 0.18)}
TARGETS = {
    "table 2": Target(("inpaint", "sr", "deblur")),
    "table 3": Target(("ablation",), methods=("dip", ABLATION, "dred")),
    "table 4": Target(("inpaint",), ("GN25+grid",), crop=256),
    "figure 4": Target(("inpaint", "sr", "deblur"), ("PN15+line", "GN15+S2", "GN15+gauss")),
    "figure 5": Target(
        ("inpaint",),
        ("GN50+text",),
        sweep=tuple({name: v} for name, values in _WEIGHTS.items() for v in values),
    ),
}


def run(
    target: str,
    data: Path,
    *,
    methods: list[str],
    every: int,
    crop: int | None,
    cap: float | None,
    only: list[str],
) -> None:
    """Run what a table or figure needs; a run that lasts longer than `cap` seconds is ended."""
    wanted = TARGETS[target]
    crop = crop or wanted.crop
    table = results.Table("paper", KEY, VALUES)
    for method, weights in _runs(wanted, methods):
        for case in _cases(wanted, data, every, crop, only):
            key = {
                "case": case.name,
                "method": method,
                "lam": weights.get("lam", ""),
                "mu": weights.get("mu", ""),
                "crop": crop or "",
                "cap": "" if cap is None else f"{cap:g}",
            }
            if table.has(*key.values()):
                continue
            try:
                measured = measure(case, method, cap=cap, **weights)
            except InputError as e:
                print(f"{case.name}, {method}: not run, {e}", flush=True)
                continue
            _add_curve(key, measured.curve)
            table.add(**key, **measured.values)


def _runs(wanted: Target, methods: list[str]) -> Iterator[tuple[str, dict[str, float]]]:
    chosen = methods or list(wanted.methods)
    yield from ((m, {}) for m in wanted.methods if m in chosen)
    if "dred" in chosen:
        yield from (("dred", weights) for weights in wanted.sweep)


def _cases(
    wanted: Target, data: Path, every: int, crop: int | None, only: list[str]
) -> Iterator[Case]:
    for suite in wanted.suites:
        for case in SUITES[suite](data=data, every=every, crop=crop):
            if wanted.settings and case.setting not in wanted.settings:
                continue
            if not only or any(part in case.name for part in only):
                yield case


def options(method: str, case: Case) -> dict[str, Any]:
    """How a method is run on a case."""
    if method in OURS:
        return {"preset": OURS[method], "method": "hqs" if method == "hqs" else "dred"}
    # As in the paper, whose methods know no noise but this.
    return {
        "preset": "paper",
        "method": method,
        "precision": "auto",
        "noise": "gaussian",
        "sigma": case.sigma,
    }


@dataclass(frozen=True)
class Measured:
    """A run: PSNR-Y by iteration, a row of the table, and the run's own result."""

    curve: dict[int, float]
    values: dict[str, Any]
    image: NDArray[Any]


def measure(case: Case, method: str, *, cap: float | None, **changes: Any) -> Measured:
    """Run a method on a case, with some parameters changed, and look at every image on the way.

    The time that is measured, and that `cap` limits, is the method's without the looks at it.
    """
    control, seen, seconds = Control(), dict[int, float](), list[float]()
    parameters = options(method, case) | changes
    records = solve(**arguments(case), **parameters, control=control)
    control.request_image()
    began = time.perf_counter()
    for record in records:
        if isinstance(record, Plan):
            plan = record
        elif isinstance(record, Step):
            seconds.append(time.perf_counter() - began)
            asked = record.total
            if record.image is not None:
                seen[record.iteration] = psnr_y_of(record.image, case)
            if cap is not None and sum(seconds) >= cap:
                control.stop()
            control.request_image()
        elif isinstance(record, Result):
            result = record
        began = time.perf_counter()
    best = max(seen, key=seen.__getitem__)
    later = seconds[1:] or seconds  # the first iteration holds the set-up
    values = {
        "oracle": f"{seen[best]:.2f}",
        "oracle_iteration": best,
        "psnr_y": f"{psnr_y_of(result.image, case):.2f}",
        "iterations": result.steps[-1].iteration,
        "asked": asked,
        "stop": result.stop_reason,
        "seconds_an_iteration": f"{sum(later) / len(later):.3f}",
        "parameters": _weights_fitted(case, plan.parameters),
    }
    return Measured(seen, values, result.image)


def _weights_fitted(case: Case, p: Parameters) -> int:
    """How many numbers the network is fitted by: none, where there is no network."""
    if p.method == "hqs":
        return 0
    channels, height, width = case.clean.shape
    network = build_network(channels, (height, width), p, torch.device("cpu"))
    return sum(w.numel() for w in network.parameters() if w.requires_grad)


def _add_curve(key: dict[str, Any], curve: dict[int, float]) -> None:
    path = results.FOLDER / "paper_curves.csv"
    path.parent.mkdir(exist_ok=True)
    new, last = not path.exists(), max(curve)
    with path.open("a", newline="") as f:
        writer = csv.DictWriter(f, CURVE, lineterminator="\n")
        if new:
            writer.writeheader()
        for k, value in curve.items():
            if k % EVERY == 0 or k in (1, last):
                writer.writerow({**key, "iteration": k, "psnr_y": f"{value:.2f}"})
