"""Many files: which ones, a note of each, resumed, a bad one among them, a page that shows them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_dred import batch, cli
from napari_dred.batch_items import expand
from napari_dred.core.errors import InputError, RestorationError
from napari_dred.io import read_picture
from napari_dred.io.metadata import Metadata
from napari_dred.io.ome_zarr import create_image, fields_of_plate, finish_image

RNG = np.random.default_rng(0)
QUICK = ["--preset", "preview", "--iterations", "2", "--threads", "1"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with three pictures, a stack, a bad file and something else."""
    monkeypatch.chdir(tmp_path)
    there = tmp_path / "in"
    (there / "deeper").mkdir(parents=True)
    gray = RNG.integers(60, 180, (24, 32), dtype=np.uint8)
    tifffile.imwrite(there / "a.tif", gray)
    Image.fromarray(gray).save(there / "b.png")
    tifffile.imwrite(there / "deeper" / "a.tif", gray[:20])
    stack = RNG.normal(1000, 20, (2, 24, 32)).astype(np.uint16)
    tifffile.imwrite(there / "z.ome.tif", stack, metadata={"axes": "ZYX"})
    (there / "bad.tif").write_bytes(b"II*\0not a picture")
    (there / "notes.txt").write_text("no picture")
    return tmp_path


def make_plate(path, version, fields=2, shape=(2, 1, 32, 32)):
    """A plate of one row and two wells."""
    root = zarr.open_group(path, mode="w", zarr_format={"0.4": 2, "0.5": 3}[version])

    def say(group, key, value):
        group.attrs.update(
            {key: value} if version == "0.4" else {"ome": {"version": version, key: value}}
        )

    wells = [{"path": f"A/{i}", "rowIndex": 0, "columnIndex": i - 1} for i in (1, 2)]
    columns = [{"name": "1"}, {"name": "2"}]
    plate = {"rows": [{"name": "A"}], "columns": columns, "wells": wells, "version": version}
    say(root, "plate", plate)
    for well in wells:
        images = [{"path": str(i)} for i in range(fields)]
        say(root.require_group(well["path"]), "well", {"images": images, "version": version})
        for image in images:
            place = path / well["path"] / image["path"]
            array = create_image(place, "CZYX", shape, np.dtype("uint16"), version)
            array[:] = RNG.normal(1000, 30, shape).astype(np.uint16)
            finish_image(place, "CZYX", Metadata(), version, {}, [])


def manifest(folder):
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_a_folder_with_a_bad_file(folder, capsys):
    assert cli.main(["batch", "in", "-o", "out", *QUICK]) == 1
    out, err = capsys.readouterr()
    assert out == "4 of 5 images restored; see out/summary.html\n"
    assert re.search(r"napari-dred: in/bad.tif: .*\n$", err)
    made = {str(p.relative_to("out")) for p in Path("out").rglob("*") if p.is_file()}
    results = {"a-restored.tif", "b-restored.png", "deeper/a-restored.tif", "z-restored.ome.tif"}
    assert made == results | {"manifest.jsonl", "summary.html"}
    lines = manifest(Path("out"))
    assert {line["source"]: line["status"] for line in lines} == {
        **{f"in/{name}": "done" for name in ("a.tif", "b.png", "deeper/a.tif", "z.ome.tif")},
        "in/bad.tif": "failed",
    }
    page = Path("out/summary.html").read_text()
    assert page.count("<img") == 8
    assert page.count('class="failed"') == 1
    assert "4 of 5" in page
    # Each as by itself.
    for name in ("a.tif", "z.ome.tif"):
        stem, _, end = name.partition(".")
        assert cli.main(["restore", f"in/{name}", "-o", f"alone.{end}", *QUICK]) == 0
        np.testing.assert_array_equal(
            tifffile.imread(f"alone.{end}"), tifffile.imread(f"out/{stem}-restored.{end}")
        )


def test_resume_does_what_is_left_and_nothing_twice(folder, monkeypatch):
    assert cli.main(["batch", "in/*.tif", "-o", "out", *QUICK]) == 1
    assert cli.main(["batch", "in/*.tif", "-o", "out", *QUICK]) == 2  # not without --resume
    before = {p: p.stat().st_mtime_ns for p in Path("out").glob("*.tif")}
    with (Path("out") / "manifest.jsonl").open("a") as f:
        f.write('{"source": "in/a.tif", "tar')  # killed in the middle of a line
    assert cli.main(["batch", "in", "-o", "out", "--resume", *QUICK]) == 1
    for path, when in before.items():
        assert path.stat().st_mtime_ns == when
    assert Path("out/b-restored.png").exists()
    text = (Path("out") / "manifest.jsonl").read_text()
    assert text.count("in/a.tif") == 2
    # With other settings, all is done again.
    assert cli.main(["batch", "in/a.tif", "-o", "out", "--resume", *QUICK, "--seed", "1"]) == 0
    assert Path("out/a-restored.tif").stat().st_mtime_ns > before[Path("out/a-restored.tif")]


def test_a_run_that_is_killed_goes_on(folder):
    """SIGKILL in the middle; then the same files as of a run that nobody disturbed."""
    for i in range(4):
        stack = RNG.normal(1000, 20, (2, 48, 48)).astype(np.uint16)
        tifffile.imwrite(f"in/s{i}.ome.tif", stack, metadata={"axes": "ZYX"})
    arguments = ["batch", "in/s*.ome.tif", *QUICK]
    command = [sys.executable, "-m", "napari_dred.cli", *arguments, "-o", "out"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = Path("out/manifest.jsonl")
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") >= 1):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert cli.main([*arguments, "-o", "out", "--resume"]) == 0
    assert cli.main([*arguments, "-o", "direct"]) == 0
    names = sorted(p.name for p in Path("direct").iterdir())
    assert sorted(p.name for p in Path("out").iterdir()) == names
    for name in names:
        if name.endswith(".tif"):
            assert Path("out", name).read_bytes() == Path("direct", name).read_bytes()
    sources = [line["source"] for line in manifest(Path("out"))]
    assert len(sources) == len(set(sources)) == 4


def test_a_dry_run_does_nothing(folder, capsys):
    assert cli.main(["batch", "in", "-o", "out", "--suffix", ".tif", "--dry-run"]) == 0
    assert "in/b.png -> out/b-restored.tif" in capsys.readouterr().out.splitlines()
    assert not Path("out").exists()


def test_names_that_would_be_the_same(folder):
    found = expand(["in/a.tif", "in/deeper/a.tif"], Path("out"))
    assert [str(i.target) for i in found] == ["out/a-restored.tif", "out/a-restored-2.tif"]


@pytest.mark.parametrize("name", ["missing.tif", "in/*.jpg"])
def test_what_names_nothing_is_refused(name, folder):
    with pytest.raises(InputError, match="no such file"):
        expand([name], Path("out"))


def test_what_a_batch_has_made_is_no_input(folder):
    assert cli.main(["batch", "in/a.tif", "-o", "in/out", *QUICK]) == 0
    assert "out" not in " ".join(str(i.source) for i in expand(["in"], Path("in/out")))


def test_settings_as_the_window_saves_them(folder):
    Path("s.json").write_text(json.dumps({"preset": "preview", "iterations": 2, "seed": 7}))
    assert cli.main(["batch", "in/a.tif", "-o", "out", "--settings", "s.json"]) == 0
    assert manifest(Path("out"))[0]["record"]["seed"] == 7


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate(version, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_plate(Path("p.zarr"), version)
    assert cli.main(["batch", "p.zarr", "-o", "out", *QUICK]) == 0
    fields = fields_of_plate(Path("out/p.zarr"))
    assert fields == ["A/1/0", "A/1/1", "A/2/0", "A/2/1"]
    for field in fields:
        before = zarr.open_array(f"p.zarr/{field}/0", mode="r")
        after = zarr.open_array(f"out/p.zarr/{field}/0", mode="r")
        assert after.shape == before.shape
        assert (after[:].std(axis=(2, 3)) < 0.5 * before[:].std(axis=(2, 3))).all()
    assert not list(Path("out").rglob(".*.part"))
    assert cli.main(["restore", "p.zarr", "-o", "o.zarr"]) == 2


def test_a_picture_that_fails_says_why(folder, monkeypatch):
    item = expand(["in/bad.tif"], Path("out"))[0]
    _, outcome = batch.restore_picture(item, cli.Parameters(), batch.StackOptions())
    assert isinstance(outcome, batch.Failed)
    assert "\n" not in outcome.why
    assert read_picture("in/a.tif").samples.shape == (24, 32)


def test_a_result_never_goes_over_an_input(folder):
    make_plate(Path("p.zarr"), "0.5", fields=1)
    (folder / "in" / "a-restored.tif").write_bytes(b"made elsewhere")
    for inputs, output in (
        (["in/a.tif", "in/a-restored.tif"], "in"),
        (["p.zarr"], "."),
        (["in/a.tif", "p.zarr"], "p.zarr/A"),
    ):
        with pytest.raises(InputError, match="would overwrite an input"):
            expand(inputs, Path(output))


def test_results_never_go_over_what_else_is_read_nor_where_images_are_searched(folder):
    out = folder / "out"
    items = expand([str(folder)], out)
    with pytest.raises(InputError, match="would overwrite an input"):
        expand([str(folder)], out, others=[items[0].target])
    with pytest.raises(InputError, match="would overwrite an input"):  # a folder that holds it
        expand([str(folder)], out, others=[items[0].target / "settings.json"])
    with pytest.raises(InputError, match="would overwrite an input"):  # a folder that is one
        expand([str(folder)], out, others=[out])
    with pytest.raises(InputError, match="is searched for images"):
        expand([str(folder)], folder)


@pytest.mark.parametrize("name", ["b-restored.png", "summary.html"])
def test_what_no_batch_made_is_not_replaced(folder, capsys, name):
    Path("out").mkdir()
    Path("out", name).write_text("precious")
    assert cli.main(["batch", "in/a.tif", "in/b.png", "-o", "out", *QUICK]) == 2
    assert f"{name}: it is there already" in capsys.readouterr().err
    assert [p.name for p in Path("out").iterdir()] == [name]
    assert Path("out", name).read_text() == "precious"


def test_a_plate_that_names_images_outside_of_it_is_refused(folder):
    make_plate(Path("p.zarr"), "0.5", fields=1)
    well = {"images": [{"path": "../../.."}], "version": "0.5"}
    zarr.open_group("p.zarr/A/1", mode="r+").attrs["ome"] = {"version": "0.5", "well": well}
    with pytest.raises(InputError, match="outside of it"):
        expand(["p.zarr"], Path("out"))


def test_plates_of_one_name_get_different_copies(folder):
    for parent in ("x", "y"):
        make_plate(Path(parent, "p.ome.zarr"), "0.5", fields=1)
    found = expand(["x/p.ome.zarr", "y/p.ome.zarr"], Path("out"))
    copies = [Path("out/p.ome.zarr"), Path("out/p-2.ome.zarr")]
    assert [i.target for i in found] == [c / f"A/{n}/0" for c in copies for n in (1, 2)]


def test_plates_and_damaged_stores_in_a_folder(folder):
    make_plate(Path("day/p.zarr"), "0.4", fields=1)
    Path("day/bad.zarr").mkdir()
    Path("day/bad.zarr/zarr.json").write_text("{")
    assert cli.main(["batch", "day", "-o", "out", *QUICK]) == 1
    said = {line["source"]: line["status"] for line in manifest(Path("out"))}
    assert said == {
        "day/bad.zarr": "failed",
        "day/p.zarr/A/1/0": "done",
        "day/p.zarr/A/2/0": "done",
    }
    (bad,) = (line for line in manifest(Path("out")) if line["status"] == "failed")
    assert "damaged" in bad["why"]


def test_another_psf_or_a_changed_mask_is_another_run(folder):
    item = expand(["in/a.tif"], Path("out"))[0]
    mask = Path("mask.tif")
    mask.write_bytes(b"1")

    def identity(psf):
        options = batch.StackOptions(psf=psf, mask=mask)
        return batch.Batch(Path("out"), [item], cli.Parameters(), options)._identity(item)

    psf = np.ones((41, 41)) / 41**2
    other = psf.copy()
    other[20, 20] *= 2  # in the middle, which the text of an array leaves out
    before = identity(psf)
    assert identity(psf.copy()) == before
    assert identity(other) != before
    mask.write_bytes(b"12")
    assert identity(psf) != before


def test_what_goes_wrong_with_one_image_does_not_stop_the_others(folder, monkeypatch):
    def broken(*_, **__):
        raise KeyError("x")

    monkeypatch.setattr(batch, "read_picture", broken)
    monkeypatch.setattr(batch, "restore_stack", broken)
    assert cli.main(["batch", "in", "-o", "out", *QUICK]) == 1
    assert len(manifest(Path("out"))) == 5
    assert all("KeyError" in line["why"] for line in manifest(Path("out")))


def test_workers_that_die_fail_what_is_left_of_the_pictures(folder):
    class Dying:
        workers = 1

        def run(self, function, calls):
            for arguments in calls[:1]:
                yield function(*arguments)
            if function is batch.restore_picture:
                raise RestorationError("the workers died")
            for arguments in calls[1:]:
                yield function(*arguments)

    items = expand(["in/a.tif", "in/b.png", "in/z.ome.tif"], Path("out"))
    quick = cli.Parameters(preset="preview", iterations=2, threads=1)
    run = batch.Batch(Path("out"), items, quick, batch.StackOptions())
    outcomes = {str(o.source): o for o in run.run(Dying())}
    assert isinstance(outcomes["in/a.tif"], batch.Done)
    assert outcomes["in/b.png"] == batch.Failed(Path("in/b.png"), "the workers died")
    assert isinstance(outcomes["in/z.ome.tif"], batch.Done)
    assert Path("out/summary.html").exists()
