"""What many workers would take for very much data: on paper, from measured figures."""

from __future__ import annotations

import csv
from statistics import median

from benchmarks.results import FOLDER

WORKERS, TERABYTES = 100, 10
TILE, OVERLAP, TASKS_A_TILE = 2048, 64, 2


def _rows(name: str) -> list[dict[str, str]]:
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as f:
        return list(csv.DictReader(f))


def projection() -> str:
    """In words, as Markdown; 'not run' where a figure is missing."""
    tasks = {row["workers"]: float(row["ms_a_task"]) for row in _rows("tasks")}
    seconds = [
        float(row["seconds"]) / 0.512**2
        for row in _rows("micrographs")
        if row["method"] == "preview" and not row["crop"]
    ]
    if not seconds or "1" not in tasks:
        return "not run"
    overhead = max(0.0, tasks["1"] - tasks["0"]) / 1000
    a_pixel = median(seconds) / 1e6
    pixels = TERABYTES * 1e12 / 2
    tiles = pixels / (TILE - OVERLAP) ** 2
    work = tiles * TILE**2 * a_pixel
    handling = tiles * TASKS_A_TILE * overhead
    rate = TASKS_A_TILE * WORKERS / (TILE**2 * a_pixel)
    traffic = tiles * TILE**2 * 4 / (work / WORKERS) / 1e6
    return (
        f"From these figures, on paper: {TERABYTES} TB of 16-bit planes are "
        f"{tiles / 1e6:.2f} million tiles of {TILE} x {TILE} pixels. The preview preset took "
        f"{median(seconds):.0f} s a million pixels on one processor core (the median of the "
        f"micrographs, the core shared with other work), so {WORKERS} such workers need "
        f"{work / WORKERS / 86400:.0f} days. They ask the scheduler for {rate:.2f} tasks a second; "
        f"at {1000 * overhead:.1f} ms each that keeps it busy for "
        f"{100 * rate * overhead:.2f} % of the time, {handling / 3600:.1f} hours in all. All of "
        f"them together read and write {traffic:.1f} MB a second. What bounds such a run is the "
        f"arithmetic, not the handling of tasks: a worker that is a hundred times as fast, as a "
        f"graphics card may be (not measured), would still leave the scheduler idle for most of "
        f"the time."
    )
