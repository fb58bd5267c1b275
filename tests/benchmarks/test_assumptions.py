"""The runner of the paper's section IV and its tables, on a made image."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`python -m benchmarks assumptions` on two small images, writing into a folder of its own."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import results
    from benchmarks.__main__ import main

    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    (tmp_path / "set12").mkdir()
    y, x = np.mgrid[:20, :20]
    for name, period in (("02", 3), ("03", 5)):
        pixels = 128 + 90 * np.sin(x / period) * np.cos(y / 4)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "set12" / f"{name}.png")

    def run(*arguments):
        return CliRunner().invoke(main, ["assumptions", "--data", str(tmp_path), *arguments])

    return run


def rows(folder):
    with (folder / "results" / "assumptions.csv").open(newline="") as f:
        return list(csv.DictReader(f))


def test_a_row_is_written_for_each_image_and_denoiser_once(run, tmp_path):
    assert run("--only", "set12/03", "--denoiser", "nlm").exit_code == 0
    assert [(r["case"], r["denoiser"]) for r in rows(tmp_path)] == [("set12/03", "nlm")]
    assert run("--denoiser", "nlm").exit_code == 0
    done = rows(tmp_path)
    assert [r["case"] for r in done] == ["set12/03", "set12/02"]
    again = run("--denoiser", "nlm")
    assert (again.output, rows(tmp_path)) == ("", done)


def test_the_weights_are_named_and_those_of_another_hash_are_other_rows(run, tmp_path, monkeypatch):
    from napari_dred.core.denoisers import weights

    digest = weights.shipped()["ffdnet-gray"][1]
    arguments = ("--only", "03", "--denoiser", "ffdnet")
    assert run(*arguments).exit_code == 0
    assert rows(tmp_path)[0]["denoiser"] == f"ffdnet-gray ({digest[:8]})"
    there = weights.shipped()
    others = there | {"ffdnet-gray": (there["ffdnet-gray"][0], "0" * 64)}
    monkeypatch.setattr("benchmarks.denoisers.shipped", lambda: others)
    assert run(*arguments).exit_code == 0
    assert [r["denoiser"] for r in rows(tmp_path)][1:] == ["ffdnet-gray (00000000)"]


def test_a_denoiser_that_is_not_there_is_said_once(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bm3d", None)
    done = run("--denoiser", "bm3d")
    assert done.exit_code == 0
    assert done.output.count("bm3d: left out:") == 1


def test_weights_whose_name_tells_no_denoiser_are_refused(run, tmp_path):
    path = tmp_path / "network.pth"
    path.touch()
    done = run("--weights", str(path))
    assert done.exit_code == 1
    assert "must start with one of" in done.output


def test_the_tables_have_the_papers_figures_beside_ours(run, tmp_path):
    from benchmarks.assumptions_tables import pages

    assert set(pages().values()) == {"not run"}
    run("--denoiser", "nlm")
    tables, done = pages(), rows(tmp_path)
    mean = np.mean([float(r["crop_nem"]) for r in done])
    assert f"| `nlm` | 0.7638 | {mean:.3f} |" in tables["paper_table_1"]
    (peppers,) = (r for r in done if r["case"] == "set12/03")
    assert f"| `nlm` | – | {peppers['ssim']} | – | {peppers['mse']} |" in tables["paper_figure_3"]
