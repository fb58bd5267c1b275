"""Stacks on the command line: options, records, mistakes in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_dred import batch, cli
from napari_dred.io import read_picture
from napari_dred.io.stack import open_stack
from napari_dred.volumes import planning, stacks

QUICK = ["--preset", "preview", "--iterations", "1", "--threads", "1"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with a stack and a plane of it, in which the command line runs."""
    monkeypatch.chdir(tmp_path)
    stack = np.random.default_rng(0).normal(1000, 20, (2, 3, 24, 32)).astype(np.uint16)
    channels = {"Channel": {"Name": ["a", "b"], "Color": [255, 65535]}}
    tifffile.imwrite("in.ome.tif", stack, metadata={"axes": "CZYX", **channels})
    one = {"axes": "YX", "PhysicalSizeX": 2.0, "Channel": {"Name": ["GFP"], "Color": [16711935]}}
    tifffile.imwrite("one.ome.tif", stack[0, 0], metadata=one)
    return tmp_path


def test_a_stack(folder, capsys):
    assert cli.main(["restore", "in.ome.tif", "-o", "out.ome.tif", *QUICK]) == 0
    out, err = capsys.readouterr()
    assert re.match(r"out\.ome\.tif: 2 C x 3 Z in [\d.]+ s", out)
    assert "Channel 1: noise level estimated: sigma = " in err
    assert "6/6" in err
    assert tifffile.imread("out.ome.tif").shape == (2, 3, 24, 32)
    assert cli.main(["info", "out.ome.tif"]) == 0
    assert json.loads(capsys.readouterr().out)["axes"] == "CZYX"


def test_some_planes_as_json_into_zarr(folder, capsys):
    more = ["--planes", "Z=1", "--ome-zarr", "0.4", "--json"]
    assert cli.main(["restore", "in.ome.tif", "-o", "out.ome.zarr", *more, *QUICK]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["planes"] == {"T": [0, 1], "C": [0, 2], "Z": [1, 2]}
    assert Path("out.ome.zarr/.zattrs").exists()
    with open_stack("out.ome.zarr") as made:
        assert made.sizes == {"C": 2, "Z": 1, "Y": 24, "X": 32}
        assert [c.name for c in made.metadata.channels] == ["a", "b"]
    again = ["restore", "in.ome.tif", "-o", "out.ome.zarr", *QUICK]
    assert cli.main(again) == 2
    assert cli.main([*again, "--force"]) == 0


def test_the_channel_of_a_single_plane_is_kept(folder):
    assert cli.main(["restore", "one.ome.tif", "-o", "o.ome.tif", "--scale", "2", *QUICK]) == 0
    with open_stack("o.ome.tif") as made:
        assert made.shape == (48, 64)
        assert [(c.name, c.color) for c in made.metadata.channels] == [("GFP", "00FF00")]
        assert made.metadata.sizes["X"] == (1.0, "µm")
    assert read_picture("o.ome.tif").samples.shape == (48, 64)


@pytest.mark.parametrize("command", [["restore", "in.ome.tif"], ["batch", "in.ome.tif"]])
def test_ctrl_c_before_anything_is_done_says_so(folder, capsys, monkeypatch, command):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(planning.StackPlan, "prepare", interrupted)
    monkeypatch.setattr(batch.Batch, "run", interrupted)
    assert cli.main([*command, "-o", "out.ome.tif", *QUICK]) == 130
    told = capsys.readouterr().err
    assert "nothing was written" in told
    assert "--resume" not in told


def test_ctrl_c_keeps_what_is_done_for_resume(folder, capsys, monkeypatch):
    real = stacks.put_down
    done = []

    def interrupted(*arguments):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(arguments[2])
        return real(*arguments)

    monkeypatch.setattr(stacks, "put_down", interrupted)
    command = ["restore", "in.ome.tif", "-o", "out.ome.tif", *QUICK]
    assert cli.main(command) == 130
    told = capsys.readouterr().err
    assert "--resume" in told
    assert "nothing was written" not in told
    assert not Path("out.ome.tif").exists()
    monkeypatch.setattr(stacks, "put_down", real)
    assert cli.main([*command, "--resume"]) == 0
    assert "4/4" in capsys.readouterr().err
    assert cli.main(["restore", "in.ome.tif", "-o", "direct.ome.tif", *QUICK]) == 0
    np.testing.assert_array_equal(tifffile.imread("out.ome.tif"), tifffile.imread("direct.ome.tif"))


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (["--region", "0:9,0:9"], "--region"),
        (["--planes", "Z=7"], "3 planes on axis Z"),
        (["--axes", "YX"], "axes YX"),
        (["--tile", "3"], "at least 128"),
        (["--around-mask", "--scale", "2"], "enlarged"),
        (["--mask", "one.ome.tif", "--mask-axes", "ZYX"], "axes ZYX"),
        (["--workers", "2", "--scheduler", "tcp://127.0.0.1:9"], "exclude"),
        (["--psf", "in.ome.tif"], "stack"),
    ],
)
def test_mistakes_are_one_line(more, what, folder, capsys):
    assert cli.main(["restore", "in.ome.tif", "-o", "o.tif", *more, *QUICK]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"napari-dred: [^\n]*\n", err), err
    assert what in err
    assert {p.name for p in folder.iterdir()} == {"in.ome.tif", "one.ome.tif"}
