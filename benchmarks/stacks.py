"""Stacks: a plate whose workers are killed, the memory for a large plane, the cost of a task."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import zarr

from benchmarks.results import Table
from napari_dred.batch import MANIFEST
from napari_dred.core.parameters import Parameters
from napari_dred.io.metadata import Metadata
from napari_dred.io.ome_zarr import create_image, fields_of_plate, finish_image, open_level
from napari_dred.volumes.cluster import pool
from napari_dred.volumes.stacks import restore_stack

ROWS, COLUMNS, FIELD = 4, 6, (2, 3, 128, 128)  # of the plate: wells of one field, C, Z, Y, X
FIRST_KILL, SECOND_KILL = ROWS * COLUMNS // 4, ROWS * COLUMNS // 2  # fields that are done by then
BLOCK = 1024
COMMAND = [sys.executable, "-m", "napari_dred.cli"]

PLATE = Table(
    "plate", ["fields", "planes", "workers"], ["seconds", "seconds_disturbed", "lines", "identical"]
)
LARGE = Table("large", ["size"], ["peak_mib", "seconds", "threads"])
TASKS = Table("tasks", ["workers", "tasks", "side"], ["seconds", "ms_a_task"])


def _image(path: Path, axes: str, shape: tuple[int, ...], seed: int = 0) -> None:
    """Write an OME-Zarr image of smooth structure and noise, a block at a time."""
    rng = np.random.default_rng(seed)
    create_image(path, axes, shape, np.dtype(np.uint16), "0.5")
    array = open_level(path)
    for plane in np.ndindex(shape[:-2]):
        for top in range(0, shape[-2], BLOCK):
            for left in range(0, shape[-1], BLOCK):
                height, width = min(BLOCK, shape[-2] - top), min(BLOCK, shape[-1] - left)
                y, x = np.mgrid[top : top + height, left : left + width]
                clean = 2000 + 800 * np.sin(y / 19) * np.cos(x / 17)
                noisy = clean + rng.normal(0, 60, clean.shape)
                where = (*plane, slice(top, top + height), slice(left, left + width))
                array[where] = noisy.astype(np.uint16)
    finish_image(
        path, axes, Metadata(), "0.5", {}, [(0.0, 4000.0)] * (FIELD[0] if "C" in axes else 1)
    )


def _plate(path: Path) -> None:
    """Write a plate with a field in each well."""
    names = [chr(ord("A") + r) for r in range(ROWS)], [str(c + 1) for c in range(COLUMNS)]
    wells = [(r, c) for r in range(ROWS) for c in range(COLUMNS)]
    root = zarr.open_group(path, mode="w")
    root.attrs["ome"] = {
        "version": "0.5",
        "plate": {
            "rows": [{"name": n} for n in names[0]],
            "columns": [{"name": n} for n in names[1]],
            "wells": [
                {"path": f"{names[0][r]}/{names[1][c]}", "rowIndex": r, "columnIndex": c}
                for r, c in wells
            ],
        },
    }
    for number, (r, c) in enumerate(wells):
        well = root.require_group(names[0][r]).require_group(names[1][c])
        well.attrs["ome"] = {"version": "0.5", "well": {"images": [{"path": "0"}]}}
        _image(path / names[0][r] / names[1][c] / "0", "CZYX", FIELD, number)


def _digest(plate: Path) -> str:
    """Of all samples of a plate."""
    digest = hashlib.sha256()
    for field in fields_of_plate(plate):
        digest.update(np.ascontiguousarray(open_level(plate / field)[:]).tobytes())
    return digest.hexdigest()


def _lines(folder: Path) -> int:
    manifest = folder / MANIFEST
    return len(manifest.read_text("utf-8").splitlines()) if manifest.exists() else 0


def _until(child: subprocess.Popen[bytes], folder: Path, lines: int) -> None:
    while _lines(folder) < lines:
        if child.poll() is not None:
            raise RuntimeError(f"the run ended with {_lines(folder)} fields and {child.returncode}")
        time.sleep(0.05)


def plate(workers: int = 2) -> None:
    """Restore a plate; again, with a worker killed and then all, and resumed."""
    fields, planes = ROWS * COLUMNS, ROWS * COLUMNS * FIELD[0] * FIELD[1]
    if PLATE.has(fields, planes, workers):
        return
    with tempfile.TemporaryDirectory() as folder:
        source, calm, disturbed = (Path(folder) / n for n in ("p.ome.zarr", "calm", "disturbed"))
        _plate(source)
        options = ["--preset", "preview", "--threads", "1", "--workers", str(workers)]

        def command(output: Path) -> list[str]:
            return [*COMMAND, "batch", str(source), "-o", str(output), *options]

        began = time.perf_counter()
        subprocess.run(command(calm), check=True)
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        with subprocess.Popen(command(disturbed)) as child:
            _until(child, disturbed, FIRST_KILL)
            below = psutil.Process(child.pid).children(recursive=True)
            next(p for p in below if "spawn_main" in " ".join(p.cmdline())).kill()
            _until(child, disturbed, SECOND_KILL)
            below = psutil.Process(child.pid).children(recursive=True)
            child.send_signal(signal.SIGKILL)
            for p in below:  # what is left without its parent
                p.kill()
        subprocess.run([*command(disturbed), "--resume"], check=True)
        PLATE.add(
            fields=fields,
            planes=planes,
            workers=workers,
            seconds=f"{seconds:.0f}",
            seconds_disturbed=f"{time.perf_counter() - began:.0f}",
            lines=_lines(disturbed),
            identical=_digest(calm / source.name) == _digest(disturbed / source.name),
        )


def large(sizes: tuple[int, ...] = (2048, 8192)) -> None:
    """Restore a 16-bit plane from OME-Zarr to OME-Zarr, in a process of its own."""
    for size in sizes:
        if LARGE.has(size):
            continue
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in.ome.zarr", Path(folder) / "out.ome.zarr"
            _image(source, "YX", (size, size))
            command = [*COMMAND, "restore", str(source), "-o", str(target), "--preset", "preview"]
            began = time.perf_counter()
            child = subprocess.Popen(command)
            _, status, used = os.wait4(child.pid, 0)
            if status:
                raise RuntimeError(f"the run ended with status {status}")
            LARGE.add(
                size=size,
                peak_mib=round(used.ru_maxrss / 1024),
                seconds=f"{time.perf_counter() - began:.0f}",
                threads=len(os.sched_getaffinity(0)),
            )


def tasks(count: int = 100, side: int = 32) -> None:
    """Restore many tiny planes, in this process (0 workers) and by one and two workers.

    Each plane is two tasks beside the look at it: what is restored, and what is written.
    """
    p = Parameters(preset="preview", iterations=1, threads=1, sigma=60)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.ome.zarr"
        _image(source, "ZYX", (count, side, side))
        for workers in (0, 1, 2):
            if TASKS.has(workers, 3 * count, side):
                continue
            with pool(workers or None) as there:
                target = Path(folder) / f"{workers}.ome.zarr"
                for _ in restore_stack(source, target, p, pool=there):
                    pass  # once, so that every process has loaded what it needs
                began = time.perf_counter()
                for _ in restore_stack(source, target, p, pool=there, replace=True):
                    pass
                seconds = time.perf_counter() - began
            TASKS.add(
                workers=workers,
                tasks=3 * count,
                side=side,
                seconds=f"{seconds:.2f}",
                ms_a_task=f"{1000 * seconds / (3 * count):.2f}",
            )


def run() -> None:
    """Measure all three."""
    tasks()
    plate()
    large()
