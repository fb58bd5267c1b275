"""What a run that was cut off leaves, and when another one goes on with it."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tifffile

from napari_dred.core import devices
from napari_dred.core.errors import InputError
from napari_dred.core.estimate import estimate_memory
from napari_dred.core.parameters import Parameters
from napari_dred.core.presets import fill_in
from napari_dred.io import ome_zarr
from napari_dred.io.axes import Selection
from napari_dred.io.stack import open_stack
from napari_dred.volumes import planning, stacks
from napari_dred.volumes.planning import StackOptions, replace_folder, state_of
from napari_dred.volumes.stacks import restore_stack


class Killed(BaseException):
    """The end of a process, which nothing catches."""


def killed(*_, **__):
    raise Killed


def cut_off(source, target, parameters, steps=1, **told):
    """Begin a run, and leave it after so many planes."""
    running = restore_stack(source, target, parameters, StackOptions(**told))
    for step in running:
        if step.done == steps:
            break
    running.close()
    return target.with_name(f".{target.name}.part")


@pytest.fixture
def counted(monkeypatch):
    """The planes that are restored from here on."""
    done = []
    real = stacks.restore_part

    def part(*arguments):
        done.append(arguments[2])
        return real(*arguments)

    monkeypatch.setattr(stacks, "restore_part", part)
    return done


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_killed_within_the_pyramid(version, run, tmp_path, monkeypatch, counted):
    source, target = tmp_path / "in.tif", tmp_path / "out.ome.zarr"
    image = np.random.default_rng(0).normal(1000, 20, (300, 64)).astype(np.uint16)
    tifffile.imwrite(source, image)
    with monkeypatch.context() as patched:
        patched.setattr(ome_zarr, "_means", killed)
        with pytest.raises(Killed):
            run(source, target, version=version)
    before = len(counted)
    run(source, target, version=version, resume=True)
    assert len(counted) == before
    assert ome_zarr.open_level(target, "1").shape == (150, 32)
    assert not list(tmp_path.glob(".*"))


def test_killed_once_the_image_is_in_its_place(ome, run, tmp_path, monkeypatch):
    target, some = tmp_path / "out.ome.zarr", Selection.from_text("T=0,C=0")
    with monkeypatch.context() as patched:
        patched.setattr(planning.shutil, "rmtree", killed)
        with pytest.raises(Killed):
            run(ome, target, selection=some)
    assert target.exists()
    run(ome, target, selection=some, resume=True, replace=True)
    assert not list(tmp_path.glob(".*"))


def test_another_number_of_threads_goes_on(ome, run, quick, tmp_path, counted):
    target, some = tmp_path / "out.ome.tif", Selection.from_text("T=0,C=0")
    cut_off(ome, target, quick, 2, selection=some)
    counted.clear()
    run(ome, target, quick.replace(threads=2), selection=some, resume=True)
    assert len(counted) == 2  # of three; the second was not put down yet


def test_an_error_leaves_what_is_done(ome, run, quick, tmp_path, monkeypatch):
    def refused(*_):
        raise InputError("the file cannot be read any more")

    target, some = tmp_path / "out.ome.tif", Selection.from_text("T=0,C=0")
    work = cut_off(ome, target, quick, 2, selection=some)
    with monkeypatch.context() as patched:
        patched.setattr(stacks, "check_mask", refused)
        with pytest.raises(InputError):
            run(ome, target, selection=some, resume=True)
        assert list(work.glob("done/*"))
        with pytest.raises(InputError):
            run(ome, tmp_path / "other.ome.tif", selection=some)
    assert not (tmp_path / ".other.ome.tif.part").exists()


def test_axes_that_make_other_channels_than_the_file_names(noisy, run, tmp_path):
    metadata = {"axes": "ZYX", "Channel": {"Name": "DAPI"}}
    tifffile.imwrite(tmp_path / "in.ome.tif", noisy[0, 0], metadata=metadata)
    run(tmp_path / "in.ome.tif", tmp_path / "out.ome.zarr", axes="CYX")
    with open_stack(tmp_path / "out.ome.zarr") as made:
        assert made.axes == "CYX"
        assert made.metadata.channels == ()


def test_a_changed_file_in_a_folder_is_another_state(tmp_path):
    (tmp_path / "c").mkdir()
    for name in "ab":
        (tmp_path / "c" / name).write_bytes(b"1")
        os.utime(tmp_path / "c" / name, ns=(10**18, 10**18))
    before = state_of(tmp_path)
    assert state_of(tmp_path) == before
    os.utime(tmp_path / "c" / "a", ns=(10**17, 10**17))  # older: the newest is still the same
    assert state_of(tmp_path) != before


def test_a_link_is_replaced_and_what_it_names_stays(tmp_path):
    for name in ("made", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "target").symlink_to(tmp_path / "elsewhere")
    replace_folder(tmp_path / "made", tmp_path / "target")
    assert not (tmp_path / "target").is_symlink()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["elsewhere", "target"]


@pytest.mark.parametrize("task", ["denoise", "inpaint", "deblur"])
def test_a_tile_has_room_for_whatever_a_preset_runs(tmp_path, monkeypatch, task):
    free = 3 * 2**30
    monkeypatch.setattr(devices, "free_memory", lambda device: free)
    source, target = tmp_path / "in.tif", tmp_path / "out.tif"
    tifffile.imwrite(source, np.zeros((2, 9, 9), np.uint8), metadata={"axes": "ZYX"})
    sides = []
    for preset in ("preview", "fast"):
        p = Parameters(preset=preset)
        with open_stack(source) as stack:
            made = planning.StackPlan(stack, source, target, "TIFF", p, StackOptions(), stack.dtype)
        sides.append(made._longest(1))
        assert estimate_memory(1, (sides[-1],) * 2, fill_in(p, task, 25.0)) <= free
    assert sides[1] < sides[0]
