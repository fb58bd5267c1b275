"""Result tables: one CSV row as each case finishes, so that a killed run goes on."""

from __future__ import annotations

import csv
import os
import platform
from pathlib import Path
from typing import Any

import torch

import napari_dred

FOLDER = Path(__file__).parent / "results"


def machine() -> str:
    """Where and with what a figure was measured."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    kind = f"{platform.machine()} ({torch.backends.cpu.get_cpu_capability()})"
    return (
        f"{kind}, {cores} cores{gpu}; Python {platform.python_version()}, "
        f"torch {torch.__version__}, napari-dred {napari_dred.__version__}"
    )


def read(name: str) -> list[dict[str, str]]:
    """All rows of a table; none where it was not run."""
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        return []
    with path.open(newline="") as f:
        return list(csv.DictReader(f))


class Table:
    """A CSV file in `benchmarks/results`, whose first columns name the case.

    Parameters
    ----------
    name : str
        Of the file, without suffix.
    key, values : list of str
        Columns that name a case, and those that were measured.
    """

    def __init__(self, name: str, key: list[str], values: list[str]) -> None:
        self.path = FOLDER / f"{name}.csv"
        self.key, self.columns = key, [*key, *values, "machine"]
        self._done = {tuple(row[k] for k in key) for row in self.rows()}

    def rows(self) -> list[dict[str, str]]:
        """All rows there are."""
        return read(self.path.stem)

    def has(self, *key: object) -> bool:
        """Whether a case was measured already."""
        return tuple(map(str, key)) in self._done

    def add(self, **row: Any) -> None:
        """Append a case."""
        self.path.parent.mkdir(exist_ok=True)
        new = not self.path.exists()
        with self.path.open("a", newline="") as f:
            writer = csv.DictWriter(f, self.columns, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow({**row, "machine": machine()})
        self._done.add(tuple(str(row[k]) for k in self.key))
        print(", ".join(f"{k} {v}" for k, v in row.items()), flush=True)
