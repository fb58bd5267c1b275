"""The set for a graphics card, as far as it can be looked at without one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

ROOT = Path(__file__).parents[2]

# What a machine with a graphics card and torch alone does not have.
BARE = """
import sys
for name in ("napari", "qtpy", "magicgui", "npe2", "zarr", "distributed", "dask", "psfmodels"):
    sys.modules[name] = None
import benchmarks.gpu
import numpy as np
import napari_dred
napari_dred.restore(np.eye(16, dtype=np.uint8) * 200, preset="preview", sigma=5, iterations=1)
"""


@pytest.fixture(autouse=True)
def _with_benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)


def test_it_asks_for_a_card(tmp_path: Path) -> None:
    from benchmarks import gpu

    if torch.cuda.is_available():
        pytest.skip("there is one here")
    done = CliRunner().invoke(gpu.main, [str(tmp_path)])
    assert done.exit_code == 1
    assert "no CUDA device" in done.output


def test_speed_comes_first_and_then_a_few_cases_of_each_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks import gpu, speed, stopping

    calls: list[object] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(speed, "run", lambda presets, sizes, device: calls.append(device))
    monkeypatch.setattr(stopping, "run", lambda *_, **options: calls.append(options["every"]))
    done = CliRunner().invoke(gpu.main, [str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert calls == ["cuda", 5, 3, 1]


def test_it_runs_where_there_is_little_but_torch() -> None:
    subprocess.run([sys.executable, "-c", BARE], check=True, cwd=ROOT)


def test_the_script_says_what_it_wants() -> None:
    done = subprocess.run(
        [ROOT / "benchmarks" / "gpu.sh"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "give the folder" in done.stderr
