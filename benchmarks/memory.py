"""Peak memory of a run beside the estimate that is shown before it."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.results import Table

# In a process of its own, whose peak is then the run's.
_RUN = """
import json, resource, sys
import numpy as np
from napari_dred import Plan, solve
size, channels, options = json.loads(sys.argv[1])
image = np.random.default_rng(0).integers(0, 256, (size, size, channels)).astype(np.uint8)
for record in solve(image, sigma=20, **options):
    if isinstance(record, Plan):
        plan = record
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([plan.memory, peak]))
"""
CASES = [
    *((preset, "float32", 3, size) for preset in ("preview", "default") for size in (256, 1024)),
    *((preset, "bfloat16", 3, size) for preset in ("preview", "default") for size in (256, 1024)),
    ("default", "bfloat16", 1, 1024),
    ("paper", "float32", 3, 256),
    ("paper", "float32", 3, 512),
]


def run() -> None:
    """Measure every case."""
    key = ["preset", "precision", "channels", "size"]
    table = Table("memory", key, ["estimate_mib", "peak_mib"])
    for preset, precision, channels, size in CASES:
        if table.has(preset, precision, channels, size):
            continue
        options = {"preset": preset, "precision": precision, "iterations": 2}
        if preset == "default":
            options["method"] = "dred"  # as with holes; noise alone would be the preview's
        argument = json.dumps([size, channels, options])
        done = subprocess.run(
            [sys.executable, "-c", _RUN, argument], check=True, stdout=subprocess.PIPE
        )
        estimate, peak = (round(v / 2**20) for v in json.loads(done.stdout))
        table.add(
            preset=preset,
            precision=precision,
            channels=channels,
            size=size,
            estimate_mib=estimate,
            peak_mib=peak,
        )
