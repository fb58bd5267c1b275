"""The command line: exit codes, one line for every mistake, whole files or none, Ctrl-C."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_dred import cli
from napari_dred.core import given, measured_noise
from napari_dred.core import restore as core
from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.parameters import Parameters
from napari_dred.core.presets import fill_in
from napari_dred.core.records import Plan, Result, Step
from napari_dred.io import enlarged, read_picture
from napari_dred.viewer import demo as window

RNG = np.random.default_rng(0)
RGB = RNG.integers(60, 180, (24, 32, 3), dtype=np.uint8)
GRAY = RGB[..., 0].copy()
GIVEN = {"in.tif", "in.png", "small.json"}
SMALL = "small.json"  # settings of a quick run


def fake_solve(
    image: np.ndarray, mask: Any = None, *, psf: Any = None, parameters: Parameters, control: Any
) -> Iterator[Plan | Step | Result]:
    """Two iterations that enlarge the image and add one to it."""
    if parameters.device == "mps":
        raise InputError("device is 'mps', but there is none here")
    seen.append({"image": image, "mask": mask, "psf": psf, "parameters": parameters})
    big = image.repeat(parameters.scale, 0).repeat(parameters.scale, 1) + 1
    dtype = image.dtype if parameters.output_dtype == "same" else np.dtype(parameters.output_dtype)
    full = parameters.replace(iterations=1, blend=0, polish=1)
    lost = 0 if mask is None else int(np.count_nonzero(mask))
    plan = Plan("denoise", big.shape, full, 5.0, True, lost, 0, "cpu", 2**20, 1.0, ("A note.",))
    yield plan
    steps = tuple(Step(i, 2, 0.5, 0.1, note="Careful." * (i == 2)) for i in (1, 2))
    yield from steps
    yield Result(big.astype(dtype), plan, steps, "iterations", 0.25, ("A note.",), "9")


seen: list[dict[str, Any]] = []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Put the fake solver in place; give the list of what it was called with."""
    seen.clear()
    monkeypatch.setattr(core, "solve", fake_solve)
    return seen


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an image, in which the command line runs."""
    monkeypatch.chdir(tmp_path)
    tifffile.imwrite("in.tif", GRAY, resolution=(100, 100), resolutionunit="INCH", metadata=None)
    Image.fromarray(RGB).save("in.png", dpi=(100, 100))
    Path(SMALL).write_text('{"iterations": 2, "width": 8, "depth": 2}')
    return tmp_path


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    """Run with what must be refused; give the one line that says why."""
    before = names(Path.cwd())
    assert cli.main(arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"napari-dred: \S[^\n]*\n", err), err
    assert names(Path.cwd()) == before
    return err


# restore


def test_restore_writes_the_result(quick, folder, capsys) -> None:
    assert cli.main(["restore", "in.tif", "-o", "out.tif", "--seed", "3"]) == 0
    np.testing.assert_array_equal(tifffile.imread("out.tif"), GRAY + 1)
    assert names(folder) == {*GIVEN, "out.tif"}
    assert quick[0]["parameters"] == Parameters(seed=3)
    out, err = capsys.readouterr()
    assert out == "out.tif: 2 iterations in 0.2 s on cpu\n"
    own = "2 iterations (1 of the network, 1 of the denoiser alone) on cpu"
    for text in ("A note.", "24", own, "about 1.0 s and 1 MiB", "2/2", "it/s", "Careful."):
        assert text in err
    assert re.search(r"\d\d:\d\d<\d\d:\d\d", err)  # elapsed < remaining


def test_the_steps_that_fit_the_denoiser_are_named(quick, folder, capsys) -> None:
    command = ["restore", "in.tif", "-o", "out.tif", "--adapt", "4"]
    assert cli.main(command) == 0
    assert "6 iterations (4 to fit the denoiser, 1 of the network, 1 of" in capsys.readouterr().err


def test_what_will_be_replaced_is_said(quick, folder, capsys) -> None:
    mask = np.zeros(GRAY.shape, np.uint8)
    mask[:6, :8] = 255
    tifffile.imwrite("mask.tif", mask)
    assert cli.main(["restore", "in.tif", "-o", "out.tif", "--mask", "mask.tif"]) == 0
    assert "48 pixels (6.2 %) will be replaced." in capsys.readouterr().err


def test_json_is_one_object_with_everything(quick, folder, capsys) -> None:
    assert cli.main(["restore", "in.tif", "-o", "out.png", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["iterations"] == 2
    assert record["seconds"] == 0.25
    assert record["stop_reason"] == "iterations"
    assert record["device"] == "cpu"
    assert record["seed"] == 0
    assert record["version"] == "9"
    assert record["output"] == "out.png"
    assert record["notes"] == ["A note."]
    assert Parameters.from_dict(record["parameters"]) == Parameters(iterations=1, blend=0, polish=1)


def test_every_option_reaches_the_solver(quick, folder) -> None:
    Image.fromarray(GRAY > 100).save("mask.png")
    np.save("psf.npy", np.ones((3, 3)))
    options = {
        "scale": "2",
        "boundary": "zero",
        "task": "sr",
        "sigma": "7.5",
        "noise": "gaussian",
        "method": "hqs",
        "preset": "preview",
        "iterations": "9",
        "device": "cpu",
        "threads": "1",
        "seed": "4",
        "output_dtype": "float32",
    }
    arguments = [a for k, v in options.items() for a in ("--" + k.replace("_", "-"), v)]
    files = ["--mask", "mask.png", "--psf", "psf.npy"]
    assert cli.main(["restore", "in.png", "-o", "out.tif", *files, *arguments]) == 0
    given = {"scale": 2, "sigma": 7.5, "iterations": 9, "threads": 1, "seed": 4}
    assert quick[0]["parameters"] == Parameters.from_dict({**options, **given})
    np.testing.assert_array_equal(quick[0]["image"], RGB)
    np.testing.assert_array_equal(quick[0]["mask"], GRAY > 100)
    np.testing.assert_array_equal(quick[0]["psf"], np.ones((3, 3)))
    assert tifffile.imread("out.tif").dtype == np.float32


def test_options_win_over_settings(quick, folder) -> None:
    Path("s.json").write_text(Parameters(lam=0.5, sigma=3, seed=8).to_json())
    settings = ["--settings", "s.json"]
    assert cli.main(["restore", "in.tif", "-o", "o.tif", *settings, "--seed", "9"]) == 0
    assert quick[0]["parameters"] == Parameters(lam=0.5, sigma=3, seed=9)


def test_another_method_than_that_of_the_settings_has_its_own_numbers(quick, folder) -> None:
    made = fill_in(Parameters(sigma=3), "denoise", 25.0)
    Path("s.json").write_text(made.to_json())
    command = ["restore", "in.tif", "-o", "o.tif", "--force", "--settings", "s.json", "--method"]
    assert made.method == "hqs"
    assert cli.main([*command, "hqs"]) == 0
    assert cli.main([*command, "dred"]) == 0
    assert quick[0]["parameters"] == made
    assert quick[1]["parameters"] == Parameters(sigma=3, method="dred", task="denoise")


def test_the_label_of_the_settings_is_the_masks(quick, folder, capsys) -> None:
    Path("s.json").write_text('{"parameters": {}, "source": {"label": 3}}')
    labels = GRAY.astype(np.int32) % 5
    tifffile.imwrite("labels.tif", labels)
    command = ["restore", "in.tif", "-o", "o.tif", "--settings", "s.json", "--json"]
    assert cli.main([*command, "--mask", "labels.tif"]) == 0
    np.testing.assert_array_equal(quick[0]["mask"], labels == 3)
    said = capsys.readouterr()
    assert "the label 3 alone is missing, as s.json says" in said.err
    assert json.loads(said.out)["source"] == {
        "image": "in.tif",
        "mask": "labels.tif",
        "label": 3,
    }
    assert cli.main([*command, "--force"]) == 0  # nothing to take it of
    assert "label" not in json.loads(capsys.readouterr().out)["source"]


def test_help_has_every_default_and_choice(capsys) -> None:
    assert cli.main(["restore", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for f in dataclasses.fields(Parameters):
        assert "--" + f.name.replace("_", "-") in text
        assert " ".join(f.metadata["help"].split()) in text
        assert f.default in (None, False) or f"[default: {f.default}]" in text
        assert "|".join(map(str, f.metadata.get("choices", ()))) in text
    assert text.index("--seed") < text.index("Advanced options:") < text.index("--lam")


def test_what_lies_beside_the_samples_is_kept(quick, folder) -> None:
    data = np.dstack([RGB, GRAY])
    Image.fromarray(data).save("rgba.png", dpi=(100, 50))
    assert cli.main(["restore", "rgba.png", "-o", "large.tif", "--scale", "2"]) == 0
    with tifffile.TiffFile("large.tif") as tiff:
        page = tiff.pages[0]
        assert page.shape == (48, 64, 4)
        x, y = (page.tags[f"{a}Resolution"].value for a in "XY")
        assert (x[0] / x[1], y[0] / y[1]) == pytest.approx((200, 100), rel=1e-3)
    assert quick[0]["image"].shape == (24, 32, 3)  # alpha is not for the solver
    assert cli.main(["restore", "rgba.png", "-o", "same.png"]) == 0
    np.testing.assert_array_equal(read_picture("same.png").alpha, GRAY)


def test_a_region_is_pasted_back(quick, folder, capsys) -> None:
    assert cli.main(["restore", "in.tif", "-o", "o.tif", "--region", "4:9,5:20", "--json"]) == 0
    expected = GRAY.copy()
    expected[4:9, 5:20] += 1
    np.testing.assert_array_equal(tifffile.imread("o.tif"), expected)
    region = {"top": 4, "bottom": 9, "left": 5, "right": 20}
    assert json.loads(capsys.readouterr().out)["source"] == {"image": "in.tif", "region": region}


def test_an_enlarged_region_is_written_alone_with_its_alpha(quick, folder) -> None:
    Image.fromarray(np.dstack([RGB, GRAY])).save("rgba.png")
    region = ["--region", "4:99,5:20", "--scale", "2"]  # as far as the image goes
    assert cli.main(["restore", "rgba.png", "-o", "o.png", *region]) == 0
    picture = read_picture("o.png")
    np.testing.assert_array_equal(picture.samples[::2, ::2], RGB[4:, 5:20] + 1)
    np.testing.assert_array_equal(picture.alpha, enlarged(GRAY[4:, 5:20], 2))


@pytest.mark.parametrize("name", ["o.tif", "o.ome.tif", "o.png"])
def test_a_written_file_says_how_it_was_made_and_can_be_repeated(
    quick, folder, capsys, name: str
) -> None:
    (folder / "sub").mkdir()
    Image.fromarray(GRAY > 100).save("sub/mask.png")
    given = ["--lam", "0.25", "--seed", "3", "--keep-observed", "--mask", "sub/mask.png"]
    assert cli.main(["restore", "in.tif", "-o", name, *given, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert cli.main(["info", name]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {k: v for k, v in record.items() if k not in ("seconds", "output")}
    assert shown["source"] == {"image": "in.tif", "mask": "mask.png"}  # and nobody's folders
    Path("record.json").write_text(json.dumps(record))
    for i, settings in enumerate((name, "record.json")):
        assert cli.main(["restore", "in.tif", "-o", f"{i}.tif", "--settings", settings]) == 0
        assert quick[-1]["parameters"] == Parameters(
            lam=0.25, seed=3, keep_observed=True, iterations=1, blend=0, polish=1
        )


def test_what_was_converted_is_said(quick, folder, capsys) -> None:
    Image.new("CMYK", (32, 24), (0, 255, 255, 0)).save("cmyk.jpg")
    assert cli.main(["restore", "cmyk.jpg", "-o", "o.png", "--json"]) == 0
    out, err = capsys.readouterr()
    note = "The CMYK image was converted to RGB."
    assert note in err
    assert json.loads(out)["notes"][0] == note


@pytest.mark.parametrize("force", [False, True])
def test_a_file_that_comes_to_be_during_the_run(
    quick, folder, capsys, monkeypatch, force: bool
) -> None:
    def meanwhile(*args: Any, **kwargs: Any) -> Iterator[Plan | Step | Result]:
        Path("o.tif").write_text("precious")
        Path("o-1.tif").write_text("precious too")
        yield from fake_solve(*args, **kwargs)

    monkeypatch.setattr(core, "solve", meanwhile)
    place = "o.tif" if force else "o-2.tif"
    assert cli.main(["restore", *IN, "--json", *(["--force"] if force else [])]) == 0
    out, err = capsys.readouterr()
    np.testing.assert_array_equal(tifffile.imread(place), GRAY + 1)
    assert json.loads(out)["output"] == place
    assert ("o.tif came to be during the run and is left as it is; see o-2.tif" in err) != force
    assert force or Path("o.tif").read_text() == "precious"
    assert Path("o-1.tif").read_text() == "precious too"
    assert names(folder) == {*GIVEN, "o.tif", "o-1.tif", place}


@pytest.mark.parametrize(
    "output", ["in.tif", "mask.png", "link.tif", "hard.tif", "all.zarr", "weights.tif"]
)
def test_no_input_is_ever_replaced(quick, folder, capsys, output: str) -> None:
    Path("all.zarr").mkdir()
    Image.fromarray(GRAY > 100).save("all.zarr/mask.png")
    Path("mask.png").symlink_to("all.zarr/mask.png")
    Path("link.tif").symlink_to("in.tif")
    Path("hard.tif").hardlink_to("in.tif")
    Path("w.safetensors").touch()
    Path("weights.tif").symlink_to("w.safetensors")
    arguments = ["restore", "in.tif", "--mask", "mask.png", "-o", output, "--force"]
    arguments += ["--weights", "w.safetensors"]
    assert "input of the run" in refused(capsys, *arguments)
    assert quick == []
    np.testing.assert_array_equal(tifffile.imread("in.tif"), GRAY)


def test_nothing_is_written_into_an_input(quick, folder, capsys) -> None:
    Path("in.zarr").mkdir()
    assert "lies in one" in refused(capsys, "restore", "in.zarr", "-o", "in.zarr/out.tif")


def test_a_kernel_does_not_replace_the_image_that_it_is_for(folder, capsys) -> None:
    like = ["psf", "-o", "in.tif", "--like", "in.tif", "--gaussian", "1", "--force"]
    assert "input of the run" in refused(capsys, *like)
    np.testing.assert_array_equal(tifffile.imread("in.tif"), GRAY)


def test_a_mask_with_samples_that_are_no_numbers_is_refused(quick, folder, capsys) -> None:
    tifffile.imwrite("nan.tif", np.where(GRAY > 100, np.float32(np.nan), np.float32(0)))
    assert "NaN" in refused(capsys, "restore", "in.tif", "--mask", "nan.tif", "-o", "o.tif")


# Mistakes. Each with the real solver: nothing is computed, nothing written, one line.


def make_bad_files() -> None:
    Path("empty.tif").touch()
    Path("text.tif").write_text("not an image")
    for name in ("in.tif", "in.png"):
        content = Path(name).read_bytes()
        Path("cut-" + name).write_bytes(content[: len(content) // 2])
    Path("cut.npy").write_bytes(b"\x93NUMPY")
    Image.fromarray(GRAY[:-1] > 100).save("small-mask.png")
    Image.fromarray(np.full(GRAY.shape, 255, np.uint8)).save("all.png")
    np.save("line.npy", np.ones(3))
    np.save("zeros.npy", np.zeros((3, 3)))
    np.save("nan.npy", np.full((3, 3), np.nan))
    tifffile.imwrite("nan.tif", np.full((24, 32), np.nan, np.float32))
    tifffile.imwrite("float.tif", np.zeros((24, 32), np.float32))
    tifffile.imwrite("one.tif", np.zeros((1, 1), np.uint8))
    tifffile.imwrite("stack.tif", np.zeros((4, 24, 32), np.uint8), photometric="minisblack")
    Path("bad.json").write_text("{")
    Path("wrong.json").write_text('{"sigmoid": 1}')
    Path("list.json").write_text("[1]")
    Path("blur.json").write_text('{"blur_sigma": 1.5}')
    np.save("psf.npy", np.ones((3, 3)))
    Path("there.tif").write_text("precious")
    Path("sub.tif").mkdir()
    Path("round.tif").symlink_to("about.tif")
    Path("about.tif").symlink_to("round.tif")


IN = ["in.tif", "-o", "o.tif"]
BAD = {
    "nothing": ([], "Missing command"),
    "unknown command": (["repair"], "No such command"),
    "no input": (["restore"], "Missing argument"),
    "no output": (["restore", "in.tif"], "Missing option"),
    "unknown option": (["restore", *IN, "--sigmoid", "1"], "No such option"),
    "missing": (["restore", "none.tif", "-o", "o.tif"], "none.tif"),
    "newline in the name": (["restore", "no\nne\x1b[31m.tif", "-o", "o.tif"], "No such file"),
    "folder": (["restore", ".", "-o", "o.tif"], "directory"),
    "empty": (["restore", "empty.tif", "-o", "o.tif"], "empty"),
    "text": (["restore", "text.tif", "-o", "o.tif"], "not a TIFF, PNG or JPEG"),
    "truncated TIFF": (["restore", "cut-in.tif", "-o", "o.tif"], "cut-in.tif"),
    "truncated PNG": (["restore", "cut-in.png", "-o", "o.tif"], "cut-in.png"),
    "all NaN": (["restore", "nan.tif", "-o", "o.tif"], "finite"),
    "1x1": (["restore", "one.tif", "-o", "o.tif"], "1 x 1"),
    "stack": (["restore", "stack.tif", "-o", "o.tif"], r"\(4, 24, 32\)"),
    "mask of another size": (["restore", *IN, "--mask", "small-mask.png"], "32x23 .* 32x24"),
    "mask over everything": (["restore", *IN, "--mask", "all.png"], "nothing is observed"),
    "mask unreadable": (["restore", *IN, "--mask", "text.tif"], "text.tif"),
    "no mask to inpaint": (["restore", *IN, "--task", "inpaint"], "mask"),
    "task of other options": (["restore", *IN, "--task", "denoise", "--scale", "2"], "denoise"),
    "PSF unreadable": (["restore", *IN, "--psf", "cut.npy"], "cut.npy"),
    "PSF missing": (["restore", *IN, "--psf", "none.npy"], "none.npy"),
    "PSF of one dimension": (["restore", *IN, "--psf", "line.npy"], "line.npy"),
    "PSF of zeros": (["restore", *IN, "--psf", "zeros.npy"], "PSF|psf|kernel"),
    "PSF of NaN": (["restore", *IN, "--psf", "nan.npy"], "PSF|psf|kernel"),
    "PSF and blur": (["restore", *IN, "--psf", "psf.npy", "--blur-sigma", "1"], "exclude"),
    "PSF and blur in settings": (
        ["restore", *IN, "--psf", "psf.npy", "--settings", "blur.json"],
        "excludes",
    ),
    "settings no JSON": (["restore", *IN, "--settings", "bad.json"], "JSON"),
    "settings no parameter": (["restore", *IN, "--settings", "wrong.json"], "sigmoid"),
    "settings no text": (["restore", *IN, "--settings", "psf.npy"], "not a text file"),
    "settings of no run": (["restore", *IN, "--settings", "in.png"], "in.png.* no record"),
    "settings no object": (["restore", *IN, "--settings", "list.json"], "no settings in it"),
    "region no text": (["restore", *IN, "--region", "5"], "TOP:BOTTOM,LEFT:RIGHT"),
    "region negative": (["restore", *IN, "--region", "-5:9,0:9"], "region is '-5:9,0:9'"),
    "region beside the image": (["restore", *IN, "--region", "50:60,0:9"], "no pixel"),
    "region empty": (["restore", *IN, "--region", "5:5,0:9"], "no pixel"),
    "info of no run": (["info", "in.tif"], "in.tif.* no record"),
    "info missing": (["info", "none.tif"], "none.tif"),
    "settings missing": (["restore", *IN, "--settings", "none.json"], "none.json"),
    "zero iterations": (["restore", *IN, "--iterations", "0"], "iterations is 0"),
    "negative iterations": (["restore", *IN, "--iterations", "-5"], "iterations is -5"),
    "half an iteration": (["restore", *IN, "--iterations", "0.5"], "0.5"),
    "scale": (["restore", *IN, "--scale", "5"], "scale is 5; allowed are 1, 2, 3, 4, 8"),
    "zero scale": (["restore", *IN, "--scale", "0"], "scale is 0"),
    "negative sigma": (["restore", *IN, "--sigma", "-1"], "sigma is -1"),
    "sigma NaN": (["restore", *IN, "--sigma", "nan"], "sigma is nan"),
    "sigma above half the range": (["restore", *IN, "--sigma", "200"], "sigma"),
    "negative blur": (["restore", *IN, "--blur-sigma", "-1"], "blur_sigma is -1"),
    "negative seed": (["restore", *IN, "--seed", "-1"], "seed is -1"),
    "no threads": (["restore", *IN, "--threads", "0"], "threads is 0"),
    "word for a number": (["restore", *IN, "--sigma", "high"], "high"),
    "boundary": (["restore", *IN, "--boundary", "wrap"], "boundary is 'wrap'"),
    "preset": (["restore", *IN, "--preset", "finest"], "preset is 'finest'"),
    "device unknown": (["restore", *IN, "--device", "tpu"], "device is 'tpu'"),
    "device absent": (["restore", *IN, "--device", "cuda:99"], "cuda:99"),
    "weights absent": (["restore", *IN, "--weights", "none.pth"], "none.pth"),
    "output there": (["restore", "in.tif", "-o", "there.tif"], "--force"),
    "output a folder": (["restore", "in.tif", "-o", "sub.tif", "--force"], "folder"),
    "output in no folder": (["restore", "in.tif", "-o", "no/o.tif"], "no folder"),
    "output a circle of links": (["restore", "in.tif", "-o", "round.tif", "--force"], "round.tif"),
    "output below a file": (["restore", "in.tif", "-o", "in.tif/o.tif"], "in.tif/o.tif"),
    "output name too long": (["restore", "in.tif", "-o", "x" * 300 + ".tif"], "name too long"),
    "mask name too long": (
        ["restore", "in.tif", "-o", "there.tif", "--force", "--mask", "x" * 300 + ".tif"],
        "name too long",
    ),
    "output a JPEG": (["restore", "in.tif", "-o", "o.jpg"], r"\.tif, \.tiff or \.png"),
    "float in a PNG": (["restore", "float.tif", "-o", "o.png"], "PNG cannot hold float32"),
    "float asked for in a PNG": (
        ["restore", "in.tif", "-o", "o.png", "--output-dtype", "float32"],
        "PNG cannot hold float32",
    ),
    "compare missing": (["compare", "in.tif", "none.tif"], "none.tif"),
    "compare sizes": (["compare", "in.tif", "small-mask.png"], "same size"),
    "compare channels": (["compare", "in.tif", "in.png"], "channels"),
    "compare range": (["compare", "in.tif", "in.tif", "--data-range", "-1"], "data range is -1"),
    "compare small": (["compare", "one.tif", "one.tif"], "11 pixels"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_one_line_and_leave_no_file(case: str, folder: Path, capsys) -> None:
    make_bad_files()
    arguments, message = BAD[case]
    assert re.search(message, refused(capsys, *arguments))
    assert Path("there.tif").read_text() == "precious"


def test_nothing_is_computed_for_an_output_that_cannot_be_written(
    quick, folder, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "cannot be written" in refused(capsys, "restore", "in.tif", "-o", "o.tif")
    assert quick == []


@pytest.mark.parametrize(
    "error", [RestorationError("numbers\nwent wild"), MemoryError(), OSError(28, "No space left")]
)
def test_a_run_that_fails_is_exit_1(folder, capsys, monkeypatch, error: Exception) -> None:
    def failing(*args: Any, **kwargs: Any) -> Iterator[Any]:
        raise error
        yield

    monkeypatch.setattr(core, "solve", failing)
    refused(capsys, "restore", *IN, code=1)


# Ctrl-C

CHILD = """
import sys, time
import napari_dred.core.restore as core
from napari_dred.core.records import Plan, Result, Step
from napari_dred import cli

def solve(image, mask=None, *, psf=None, parameters, control):
    plan = Plan("denoise", image.shape, parameters, 5.0, False, 0, 0, "cpu", 1, 1.0)
    yield plan
    print("running", file=sys.stderr, flush=True)
    while not (control.stopped and {obeys}):
        time.sleep(0.01)
    yield Result(image, plan, (Step(1, 9, 0.0, 0.0),), "stopped", 1.0, (), "9")

core.solve = solve
sys.exit(cli.main(sys.argv[1:]))
"""


def wait_for(child: subprocess.Popen[bytes], pattern: str) -> str:
    """Read stderr until the pattern shows."""
    assert child.stderr is not None
    os.set_blocking(child.stderr.fileno(), False)
    text, end = "", time.monotonic() + 50
    while not re.search(pattern, text):
        assert time.monotonic() < end, text
        assert child.poll() is None, text
        text += (child.stderr.read() or b"").decode()
        time.sleep(0.02)
    return text


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    children: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        children.append(child)
        return child

    yield run
    for child in children:
        child.kill()
        child.communicate()


def test_ctrl_c_saves_the_best_image_so_far(folder: Path, start) -> None:
    child = start("-c", CHILD.format(obeys=True), "restore", *IN, "--json")
    wait_for(child, "running")
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    assert b"the best image so far is in o.tif" in err
    assert json.loads(out)["stop_reason"] == "stopped"
    np.testing.assert_array_equal(tifffile.imread("o.tif"), GRAY)


def test_a_second_ctrl_c_ends_the_run_at_once(folder: Path, start) -> None:
    child = start("-c", CHILD.format(obeys=False), "restore", *IN)
    wait_for(child, "running")
    child.send_signal(signal.SIGINT)
    wait_for(child, "again to end at once")
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    assert out == b""
    assert b"Traceback" not in err
    assert names(folder) == GIVEN


def test_ctrl_c_while_the_noise_is_measured(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> tuple[float, float]:
        os.kill(os.getpid(), signal.SIGINT)
        return -np.inf, np.inf

    monkeypatch.setattr(measured_noise, "find_limits", interrupted)
    given.FOUND.clear()
    assert cli.main(["restore", *IN]) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert names(folder) == GIVEN


def test_ctrl_c_in_a_real_run(folder: Path, start) -> None:
    many = ["--settings", SMALL, "--iterations", "100000"]
    child = start("-m", "napari_dred.cli", "restore", *IN, *many)
    wait_for(child, r"[1-9]\d*/1000\d\d")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    assert tifffile.imread("o.tif").shape == GRAY.shape


# Real runs


def test_a_real_image_comes_out_better(folder: Path, capsys) -> None:
    y, x = np.mgrid[:48, :40]
    clean = np.rint(128 + 60 * np.sin(x / 6) * np.cos(y / 7)).astype(np.uint8)
    damaged = np.clip(np.rint(clean + RNG.normal(0, 15, clean.shape)), 0, 255).astype(np.uint8)
    mask = RNG.random(clean.shape) < 0.15
    damaged[mask] = 0
    tifffile.imwrite("clean.tif", clean)
    tifffile.imwrite("damaged.tif", damaged)
    Image.fromarray(mask).save("mask.png")
    arguments = ["damaged.tif", "--mask", "mask.png", "-o", "o.tif", "--sigma", "15"]
    assert cli.main(["restore", *arguments, "--preset", "preview", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["task"] == "inpaint"
    assert record["missing_pixels"] == mask.sum()
    figures = []
    for name in ("damaged.tif", "o.tif"):
        assert cli.main(["compare", name, "clean.tif", "--json"]) == 0
        figures.append(json.loads(capsys.readouterr().out))
    assert figures[1]["psnr"] > figures[0]["psnr"] + 6
    assert figures[1]["ssim"] > figures[0]["ssim"] + 0.2


@pytest.mark.parametrize(
    "options",
    [
        ["--scale", "2"],
        ["--blur-sigma", "1", "--boundary", "circular"],
        ["--psf", "psf.npy", "--scale", "2", "--mask", "mask.png"],
        ["--output-dtype", "float32"],
    ],
    ids=" ".join,
)
def test_real_runs_of_every_kind(folder: Path, options: list[str]) -> None:
    np.save("psf.npy", np.outer([1, 2, 1], [1, 2, 1]))
    Image.fromarray(GRAY > 170).save("mask.png")
    for method in ("dred", "hqs"):
        fast = ["--settings", SMALL, "--method", method, "--force"]
        assert cli.main(["restore", "in.png", "-o", "o.tif", *options, *fast]) == 0
        result = tifffile.imread("o.tif")
        factor = 2 if "--scale" in options else 1
        assert result.shape == (24 * factor, 32 * factor, 3)
        assert result.dtype == (np.float32 if "float32" in options else np.uint8)


def test_the_same_seed_gives_the_same_file(folder: Path) -> None:
    fast = ["--settings", SMALL, "--seed", "5"]
    for name in ("a.tif", "b.tif"):
        assert cli.main(["restore", "in.png", "-o", name, *fast]) == 0
    assert Path("a.tif").read_bytes() == Path("b.tif").read_bytes()


# compare, info


def test_compare(folder: Path, capsys) -> None:
    tifffile.imwrite("a.tif", np.full((12, 12), 100, np.uint8))
    tifffile.imwrite("b.tif", np.full((12, 12), 110, np.uint8))
    assert cli.main(["compare", "a.tif", "b.tif"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["PSNR   28.13 dB", "PSNR-Y 28.13 dB"]
    assert lines[2].startswith("SSIM   0.99")
    assert cli.main(["compare", "a.tif", "b.tif", "--json", "--data-range", "100"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["psnr"] == pytest.approx(20)
    assert row["data_range"] == 100
    assert set(row) == {"psnr", "psnr_y", "ssim", "data_range"}


def test_compare_equal_images(folder: Path, capsys) -> None:
    assert cli.main(["compare", "in.png", "in.png"]) == 0
    assert "inf dB" in capsys.readouterr().out
    assert cli.main(["compare", "in.png", "in.png", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row == {"psnr": None, "psnr_y": None, "ssim": pytest.approx(1), "data_range": 255}


def test_info(capsys) -> None:
    assert cli.main(["info", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"versions", "devices", "weights"} <= set(told)
    assert cli.main(["info"]) == 0
    text = capsys.readouterr().out
    for row in told["weights"]:
        assert row["sha256"] in text


def test_version(capsys) -> None:
    import napari_dred

    assert cli.main(["--version"]) == 0
    assert napari_dred.__version__ in capsys.readouterr().out


# demo


def test_demo_writes_the_picture(quick, folder: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(window, "why_no_window", lambda: "there is no display")
    assert cli.main(["demo"]) == 0
    out, err = capsys.readouterr()
    assert re.match(r"PSNR before \d+\.\d\d dB, after \d+\.\d\d dB", out)
    assert "No window: there is no display" in err
    with Image.open("napari-dred-demo.png") as picture:
        assert picture.width > 2 * 512
        assert picture.height > 512
    assert quick[0]["mask"].any()
    assert cli.main(["demo", "--no-viewer"]) == 0  # again, over the picture that is there
    assert "window" not in capsys.readouterr().err


def test_demo_opens_the_window_where_it_can(quick, folder: Path, monkeypatch) -> None:
    shown = []
    monkeypatch.setattr(window, "why_no_window", lambda: None)
    monkeypatch.setattr(window, "show", lambda result: shown.append(result.image.shape))
    assert cli.main(["demo"]) == 0
    assert shown == [(256, 256, 3)]


# What is imported


@pytest.mark.parametrize(
    ("arguments", "torch"),
    [
        (["--help"], False),
        (["restore", "--help"], False),
        (["restore", "none.tif", "-o", "o.tif"], False),
        (["compare", "in.png", "in.png"], False),
        (["info"], True),
        (["restore", "in.tif", "-o", "o.tif", "--iterations", "1", "--preset", "preview"], True),
        (["demo", "--no-viewer"], True),
    ],
    ids=lambda a: a[0] if isinstance(a, list) and len(a) != 2 else None,
)
def test_what_a_command_imports(folder: Path, arguments: list[str], torch: bool) -> None:
    code = (
        "import sys\nfrom napari_dred import cli\n"
        + FEW_ITERATIONS * (arguments[0] == "demo")
        + f"cli.main({arguments!r})\n"
        "print(*{m.split('.')[0] for m in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "napari_dred" in loaded
    assert loaded.isdisjoint({"napari", "qtpy", "superqt", "PyQt5", "PyQt6", "PySide6", "magicgui"})
    assert ("torch" in loaded) == torch


FEW_ITERATIONS = (
    "run = cli.drive\n"
    "cli.drive = lambda i, m, k, p: run(i, m, k, p.replace(iterations=1, preset='preview'))\n"
)


def test_the_blur_is_estimated_where_it_is_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from scipy.ndimage import gaussian_filter
    from skimage import data

    make_bad_files()
    rng = np.random.default_rng(0)
    soft = gaussian_filter(data.coins()[:200, :200].astype(float), 2)
    tifffile.imwrite("soft.tif", np.rint(soft + rng.normal(0, 2, soft.shape)).astype(np.uint8))
    quick = ["--preset", "preview", "--iterations", "1", "--blur-sigma", "auto"]
    assert cli.main(["restore", "soft.tif", "-o", "auto.tif", "--json", *quick]) == 0
    record = json.loads(capsys.readouterr().out)
    sigma = record["parameters"]["blur_sigma"]
    assert sigma == pytest.approx(2, rel=0.2)
    assert f"Blur estimated: sigma = {sigma:g} pixels; an estimate, check it." in record["notes"]
    assert record["task"] == "deblur"
    for source, more, why in (
        ("in.tif", [], "cannot be estimated"),
        ("stack.tif", [], "single planes"),
        ("soft.tif", ["--scale", "2"], "exclude each other"),
        ("soft.tif", ["--psf", "psf.npy"], "exclude each other"),
    ):
        assert cli.main(["restore", source, "-o", "no.tif", *quick, *more]) == 2
        assert why in capsys.readouterr().err
