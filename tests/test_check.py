"""The figures of section IV: measured, reported, printed, drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from skimage.data import camera

from napari_dred.check import FIGURES, Row, Settings, as_text, difference_picture, measure, report
from napari_dred.cli import main
from napari_dred.core.errors import InputError

CROP = camera()[100:140, 200:232]
QUICK = Settings(crop=8, probes=2)


def test_ffdnet_is_nearly_homogeneous_but_blind_to_a_part_of_it():
    figures = measure(CROP, settings=QUICK).figures
    assert set(figures) == set(FIGURES)
    assert figures["ssim"] > 0.999
    assert figures["mse"] < 1e-5
    # The error is small because eps is: in parts of eps it is no small number.
    assert 0.01 < figures["error_over_eps"] < 1
    assert figures["bend_at_a_tenth"] < figures["bend"] / 3
    assert 0 < figures["crop_nem"] < 1
    assert figures["crop_distance"] > 0.5


def test_classical_denoiser_on_colour():
    row = measure(np.stack([CROP] * 3, -1), "nlm", settings=QUICK)
    assert row.difference.shape == (40, 32, 3)
    assert row.figures["defect"] is None
    assert all(np.isfinite(v) for v in row.figures.values() if v is not None)


def test_same_seed_same_figures():
    a, b = (measure(CROP, settings=QUICK).figures for _ in range(2))
    assert a == b


def test_small_image_is_refused():
    with pytest.raises(InputError, match=r"shape \(9, 30\)"):
        measure(np.zeros((9, 30), np.uint8), settings=QUICK)


def test_report_has_means_and_the_paper_s_figures():
    rows = [
        Row("ffdnet", name, dict.fromkeys(FIGURES, value) | {"defect": None}, np.zeros((2, 2)))
        for name, value in (("a", 1.0), ("b", 3.0))
    ]
    reported = report([*rows, ("bm3d", "not installed")], QUICK)
    part = reported["denoisers"]["ffdnet"]
    assert (part["means"]["nem"], part["means"]["defect"]) == (2.0, None)
    assert part["paper"]["nem"] == 0.0073
    text = as_text(reported)
    assert "paper: 0.0073" in text
    assert "bm3d: left out: not installed" in text


def test_difference_picture_is_centred_on_gray():
    picture = difference_picture(np.array([[-0.2, 0.0], [0.1, 0.2]]))
    assert picture.tolist() == [[1, 128], [192, 255]]
    assert (difference_picture(np.zeros((2, 2))) == 128).all()


def test_command_line(tmp_path, capsys):
    path = tmp_path / "part.png"
    Image.fromarray(CROP).save(path)
    quick = ["--crop", "8", "--probes", "1", "--denoiser", "ffdnet"]
    assert main(["check", str(path), *quick, "--json", "--maps", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    reported = json.loads(out)
    assert reported["settings"]["crop"] == 8
    assert list(reported["denoisers"]["ffdnet"]["images"]) == ["part.png"]
    assert "black and white are" in err
    with Image.open(tmp_path / "part-ffdnet.png") as drawn:
        assert drawn.size == (32, 40)


def test_no_map_goes_over_an_image(tmp_path, capsys):
    for name in ("part.png", "part-nlm.png"):
        Image.fromarray(CROP).save(tmp_path / name)
    images = [str(tmp_path / name) for name in ("part.png", "part-nlm.png")]
    assert main(["check", *images, "--denoiser", "nlm", "--maps", str(tmp_path)]) == 2
    assert "an input of the run" in capsys.readouterr().err


def test_denoiser_that_is_not_there_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bm3d", None)
    path = tmp_path / "part.png"
    Image.fromarray(CROP).save(path)
    assert main(["check", str(path), "--denoiser", "bm3d"]) == 0
    assert "non-commercial" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--weights", "x.pth"], "--weights needs one --denoiser"),
        (["--maps", "no/such/folder"], "there is no such folder"),
        (["--denoiser", "median"], "median"),
    ],
)
def test_wrong_arguments(arguments, words, capsys):
    assert main(["check", *arguments]) == 2
    assert words in capsys.readouterr().err
