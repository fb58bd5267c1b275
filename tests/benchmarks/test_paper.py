"""The runner of the paper's comparisons and its tables, on a made image."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path):
    """A folder as the one of the test sets, with one smooth image in each set."""
    y, x = np.mgrid[:64, :64]
    pixels = np.stack([128 + 90 * np.sin(x / 9), 2 * x + y, 255 - 3 * y], -1).clip(0, 255)
    for name in ("set5", "set14", "set3c", "cbsd68"):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / "waves.png")
    return tmp_path


@pytest.fixture
def run(data, monkeypatch):
    """`python -m benchmarks paper`, writing into a folder of its own."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import results
    from benchmarks.__main__ import main

    monkeypatch.setattr(results, "FOLDER", data / "results")

    def run(*arguments):
        return CliRunner().invoke(main, ["paper", "--data", str(data), *arguments])

    return run


def rows(data, name="paper"):
    with (data / "results" / f"{name}.csv").open(newline="") as f:
        return list(csv.DictReader(f))


def test_a_run_is_measured_once_and_by_its_best_image_too(run, data):
    arguments = ("--table", "2", "--method", "hqs", "--only", "GN50+text", "--crop", "48")
    assert run(*arguments).exit_code == 0
    (row,) = rows(data)
    assert (row["case"], row["method"], row["stop"]) == (
        "inpaint/GN50+text/waves",
        "hqs",
        "iterations",
    )
    assert float(row["oracle"]) >= float(row["psnr_y"]) > 15
    curve = rows(data, "paper_curves")
    assert [r["iteration"] for r in curve] == ["1", "10", "12"]
    again = run(*arguments)
    assert (again.exit_code, again.output) == (0, "")
    assert (rows(data), rows(data, "paper_curves")) == ([row], curve)


def test_a_cap_ends_a_run_and_its_image_is_the_result(run, data):
    done = run(
        *("--table", "3", "--method", "dip", "--only", "GN25+S4", "--crop", "32", "--cap", "0.001")
    )
    assert done.exit_code == 0
    (row,) = rows(data)
    assert (row["stop"], row["iterations"], row["cap"]) == ("stopped", "1", "0.001")
    assert int(row["asked"]) > 1000
    assert int(row["parameters"]) > 2_000_000
    assert row["oracle"] == row["psnr_y"]


def test_a_figure_runs_dred_with_other_weights(run, data):
    run(*("--figure", "5", "--method", "dred", "--crop", "32", "--cap", "0.001"))
    weights = [(r["lam"], r["mu"]) for r in rows(data)]
    assert len(set(weights)) == len(weights) == 7
    assert ("", "") in weights
    assert ("0.01", "") in weights
    assert ("", "0.18") in weights


@pytest.mark.parametrize("arguments", [(), ("--table", "2", "--figure", "4")])
def test_one_table_or_figure_is_asked_for(run, arguments):
    done = run(*arguments)
    assert done.exit_code == 2
    assert "either --table or --figure" in done.output


def test_the_tables_have_the_papers_figures_beside_ours(run, data):
    from benchmarks.paper_tables import pages

    before = pages()
    assert "| DRED (`dred`) | 30.01 / not run |" in before["paper_table_2"]
    assert before["paper_figure_5"] == before["paper_orders"] == "not run"
    run(*("--table", "2", "--method", "hqs", "--only", "GN50+text", "--crop", "48", "--cap", "9"))
    after = pages()
    (row,) = rows(data)
    assert f"– / {row['oracle']} |" in after["paper_table_2"]
    assert "48 × 48 pixels of each image; a run was ended after 9 s" in after["paper_table_2"]
    assert "| 1 | `hqs` | – |" in after["paper_orders"]
    assert after["paper_table_4"] == before["paper_table_4"]


def test_a_curve_is_the_mean_over_the_images_of_a_setting(run, data):
    from benchmarks.paper import CURVE
    from benchmarks.paper_tables import curves

    (data / "results").mkdir()
    with (data / "results" / "paper_curves.csv").open("w", newline="") as f:
        writer = csv.DictWriter(f, CURVE, restval="")
        writer.writeheader()
        points = [("a", 1, 10), ("a", 10, 20), ("b", 1, 14), ("b", 10, 26), ("b", 20, 40)]
        for image, iteration, value in points:
            case = {"case": f"inpaint/GN50+text/{image}", "method": "dip"}
            writer.writerow(case | {"iteration": iteration, "psnr_y": value})
            writer.writerow(case | {"iteration": iteration, "psnr_y": 99, "lam": 0.01})
            writer.writerow(case | {"case": "ablation/x/a", "iteration": 1, "psnr_y": 99})
    assert curves() == {("inpaint/GN50+text", ("", "")): {"dip": {1: 12, 10: 23}}}


def test_every_published_figure_is_of_a_setting_and_a_method_that_can_run(run):
    from benchmarks import cases
    from benchmarks.paper import TARGETS
    from benchmarks.paper_tables import published

    settings = {f"inpaint/{k}{s}+{m}" for k, s, m in cases.INPAINT}
    settings |= {f"sr/{k}{s}+S{f}" for k, s, f in cases.SR}
    settings |= {f"deblur/{k}{s}+gauss" for k, s in cases.DEBLUR}
    assert {setting for setting, _ in published("2")} == settings
    assert len(published("2")) == 8 * len(settings)
    for number in "234":
        assert {m for _, m in published(number)} <= set(TARGETS[f"table {number}"].methods)
    assert published("2")["inpaint/GN50+text", "dred"] == "27.40"
