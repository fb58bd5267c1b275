"""Seconds an iteration and peak memory against the size of the image."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.results import Table
from napari_dred.core.devices import choose_device
from napari_dred.core.parameters import Parameters
from napari_dred.core.precision import use_bfloat16
from napari_dred.core.presets import fill_in

# In a process of its own, whose peak is then the run's. The first iteration is left out: it warms
# up.
_RUN = """
import json, resource, sys, time
import numpy as np
import torch
from napari_dred import Step, solve
size, options = json.loads(sys.argv[1])
image = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)
ticks = []
for record in solve(image, sigma=20, **options):
    if isinstance(record, Step):
        ticks.append((record.iteration, time.perf_counter()))
(first, began), (last, ended) = ticks[0], ticks[-1]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
if torch.cuda.is_initialized():
    peak = torch.cuda.max_memory_allocated() / 2**20
print(json.dumps([(ended - began) / (last - first), round(peak)]))
"""
SIZES = {
    "preview": (256, 512, 1024, 2048, 4096),
    "default": (256, 512, 1024),
    "paper": (256, 512, 1024),
}
GPU_SIZES = {"default": (256, 512, 1024, 2048), "paper": (256, 512, 1024, 2048)}
KEY = ["preset", "size", "device", "precision"]
ITERATIONS = {"preview": 20, "default": 20, "paper": 4}
GPU_ITERATIONS = 100


def _precision(preset: str, device: str) -> str:
    """The number format of the convolutions on this machine."""
    p = fill_in(Parameters(preset=preset), "denoise", 20.0)
    return "bfloat16" if use_bfloat16(p.precision or "auto", choose_device(device)) else "float32"


def run(presets: list[str], sizes: list[int], device: str) -> None:
    """Measure every preset at every size, each over 20 iterations (preset paper: 4; GPU: 100)."""
    gpu = device != "cpu"
    table = Table("speed", KEY, ["seconds_an_iteration", "peak_mib"])
    for preset in presets:
        precision = _precision(preset, device)
        for size in sizes or ((SIZES | GPU_SIZES) if gpu else SIZES)[preset]:
            if table.has(preset, size, device, precision):
                continue
            # The fitting alone: what comes before and after it is of the preview's kind.
            iterations = GPU_ITERATIONS if gpu else ITERATIONS[preset]
            options = {"preset": preset, "iterations": iterations, "device": device}
            options |= {} if preset == "preview" else {"method": "dred", "blend": 0, "polish": 0}
            done = subprocess.run(
                [sys.executable, "-c", _RUN, json.dumps([size, options])],
                check=True,
                stdout=subprocess.PIPE,
            )
            seconds, peak = json.loads(done.stdout)
            table.add(
                preset=preset,
                size=size,
                device=device,
                precision=precision,
                seconds_an_iteration=f"{seconds:.3f}",
                peak_mib=peak,
            )
