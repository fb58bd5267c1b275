"""The PSNR of denoisers, on a made image."""

from __future__ import annotations

import csv
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file

from napari_dred.core.denoisers import weights
from napari_dred.core.denoisers.tnrd import TNRD

ROOT = Path(__file__).parents[2]


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """`python -m benchmarks denoisers` on one small gray image: its rows."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import results
    from benchmarks.__main__ import main

    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    (tmp_path / "set12").mkdir()
    pixels = np.add.outer(np.arange(24) * 4, np.arange(32) * 3)
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "set12" / "01.png")

    def measured(*arguments):
        given = ["denoisers", "--data", str(tmp_path), "--set", "set12", *arguments]
        done = CliRunner().invoke(main, given)
        assert done.exit_code == 0, done.output
        with (tmp_path / "results" / "denoisers.csv").open(newline="") as f:
            return list(csv.DictReader(f))

    return measured


def test_weights_that_are_dropped_in_are_measured_beside_their_paper(
    measured, tmp_path, monkeypatch
):
    folder = tmp_path / "weights"
    shutil.copytree(weights.FOLDER, folder)
    monkeypatch.setattr(weights, "FOLDER", folder)
    monkeypatch.setattr(weights, "SUMS", folder / "SHA256SUMS")
    path = folder / "tnrd-gray.safetensors"
    save_file(TNRD(2, 9).state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    kept = [line for line in weights.SUMS.read_text().splitlines() if "tnrd" not in line]
    weights.SUMS.write_text("\n".join([*kept, f"{digest}  {path.name}"]) + "\n")
    rows = measured()
    found = [r for r in rows if r["weights"] == f"tnrd-gray ({digest[:8]})"]
    assert [(r["sigma"], r["published"]) for r in found] == [
        ("15", "32.5"),
        ("25", "30.06"),
        ("50", "26.81"),
    ]
    ffdnet = next(r for r in rows if r["weights"].startswith("ffdnet-gray") and r["sigma"] == "50")
    assert float(ffdnet["psnr"]) > 20  # the noise alone: 14.2
    nlm = [r for r in rows if r["weights"] == "nlm"]
    assert [r["published"] for r in nlm] == ["", "", ""]
    assert float(nlm[-1]["psnr"]) > 20
    assert measured() == rows


def test_a_file_is_measured_as_the_denoiser_that_its_name_starts_with(measured, tmp_path):
    path = tmp_path / "tnrd_mine.safetensors"
    save_file(TNRD(2, 9).state_dict(), path)
    labels = {r["weights"] for r in measured("--weights", str(path))}
    assert "tnrd_mine" in labels
