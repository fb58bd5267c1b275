"""The menu "Settings": what is copied does the same run, and settings come back into the form."""

from __future__ import annotations

import json
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from PIL import Image
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_dred import Parameters, cli
from napari_dred.core.restore import solve
from napari_dred.io import read_picture
from napari_dred.recipe import read_settings
from napari_dred.viewer import repeat
from napari_dred.viewer.advanced import RECTANGLE
from napari_dred.viewer.masks import read_mask

pytestmark = pytest.mark.window

QUICK = Parameters(iterations=2, width=8, depth=2, polish=0, blend=0, sigma=5.1234567, device="cpu")


@pytest.fixture
def folder(tmp_path, monkeypatch, npe2pm):
    """A folder with files, and napari's own readers for them."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(60, 180, (40, 48, 3), dtype=np.uint8)).save("in.png")
    mask = np.zeros((40, 48), np.uint8)
    mask[10:14, 8:30] = 255
    Image.fromarray(mask).save("mask.png")
    tifffile.imwrite(
        "stack.tif", rng.integers(0, 999, (4, 20, 22), dtype=np.uint16), photometric="minisblack"
    )
    with npe2pm.tmp_plugin(package="napari"):
        yield tmp_path


def press(panel, text):
    """Choose an entry of the menu."""
    (menu,) = [w for w in panel if hasattr(w, "menu")]
    (action,) = [a for a in menu.menu.actions() if a.text() == text]
    action.trigger()


def copied(panel, text):
    QGuiApplication.clipboard().setText("")
    press(panel, text)
    return QGuiApplication.clipboard().text()


def opened(viewer, name, **options):
    (layer,) = viewer.open(name, plugin="napari", **options)
    return layer


def idle(qtbot, panel):
    qtbot.waitUntil(lambda: panel.worker is None, timeout=20000)


@pytest.mark.parametrize("where", ["whole", "region"])
def test_panel_command_and_script_give_the_same_pixels(qtbot, make_panel, folder, where):
    viewer = ViewerModel()
    panel, _, _ = make_panel(viewer, solver=solve)
    opened(viewer, "in.png")
    panel.form.mask.value = opened(viewer, "mask.png", layer_type="labels")
    if where == "region":
        viewer.add_shapes([np.array([[5, 5], [5, 25], [20, 25], [20, 5]])])
        panel.form.region.value = RECTANGLE
    panel.form.set_parameters(QUICK)
    command, script = copied(panel, "Copy as command"), copied(panel, "Copy as Python")
    assert "#" not in command + script  # every file is there
    assert f"--threads {panel.form.parameters().threads}" in command
    assert "--sigma 5.1234567" in command
    panel.restore_button.native.click()
    idle(qtbot, panel)
    result = viewer.layers[-1]
    assert result.name.endswith("restored")
    assert (result.data != viewer.layers[0].data).any()
    Path("script.py").write_text(script)
    for run, name in (
        (lambda: runpy.run_path("script.py"), "in-restored.tif"),
        (lambda: cli.main([*shlex.split(command)[1:], "--force"]), "in-restored.tif"),
    ):
        run()
        np.testing.assert_array_equal(read_picture(name).samples, result.data)
        Path(name).unlink()


def test_what_is_in_no_file_is_to_be_saved_first(make_panel, folder):
    panel, viewer, _ = make_panel()
    image = viewer.add_image(np.eye(20), name="my cells")
    panel.form.image.value = image
    assert "# First save the layer 'my cells' as 'image.tif'." in copied(panel, "Copy as Python")
    assert "what to save" in panel.status.value
    # A mask that was painted on is no longer the one in its file.
    panel.form.image.value = opened(viewer, "in.png")
    panel.form.mask.value = labels = opened(viewer, "mask.png", layer_type="labels")
    assert "#" not in copied(panel, "Copy as command")
    labels.data[0, 0] = 1
    assert "First save the layer 'mask' as 'mask.tif'." in copied(panel, "Copy as command")


def test_the_plane_of_a_stack_is_said(make_panel, folder):
    panel, viewer, _ = make_panel()
    panel.form.image.value = opened(viewer, "stack.tif")
    viewer.dims.set_current_step(0, 2)
    script = copied(panel, "Copy as Python")
    assert "stack.tif')[2]\n" in script
    assert "# First" not in script
    assert "first save [2] of the stack" in copied(panel, "Copy as command")


def test_settings_are_saved_and_loaded(make_panel, folder, monkeypatch, heard):
    panel, _, _ = make_panel()
    panel.form.set_parameters(QUICK.replace(scale=2, blur_sigma=1.23456, lam=0.2))
    wanted = panel.form.parameters()
    assert wanted.replace(threads=None) == QUICK.replace(scale=2, blur_sigma=1.23456, lam=0.2)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("s.json", ""))
    press(panel, "Save settings…")
    assert read_settings("s.json").parameters == wanted.replace(threads=None)
    assert "preset" not in json.loads(Path("s.json").read_text())
    panel.form.set_parameters(Parameters())
    for name in ("s.json", "in.png", ""):
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, n=name: (n, ""))
        press(panel, "Load settings…")
        assert panel.form.parameters() == wanted
    (said,) = heard
    assert said.message.startswith("In.png: this picture has no record of a run;")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("no/s.json", ""))
    press(panel, "Save settings…")
    assert heard[-1].message == "No/s.json: No such file or directory."


def test_run_again(qtbot, make_panel, folder, heard):
    panel, viewer, solver = make_panel(steps=2)
    first = viewer.add_image(np.eye(20), name="first")
    press(panel, "Run again with these settings")
    assert "no restored layer selected" in heard[0].message
    panel.form.set_parameters(QUICK.replace(lam=0.2))
    panel.restore_button.native.click()
    idle(qtbot, panel)
    done = viewer.layers[-1]
    panel.form.set_parameters(Parameters())
    panel.form.image.value = first
    viewer.layers.selection.active = done
    press(panel, "Run again with these settings")
    idle(qtbot, panel)
    assert len(viewer.layers) == 3
    assert (solver.asked.lam, solver.asked.sigma) == (0.2, QUICK.sigma)
    done.metadata["napari-dred"] = {"parameters": {"lam": "much"}}
    viewer.layers.selection.active = done
    press(panel, "Run again with these settings")
    assert "lam is 'much'" in heard[-1].message


def test_another_preset_leaves_what_was_loaded(make_panel):
    panel, _, _ = make_panel()
    panel.form.set_parameters(Parameters(lam=0.2))
    panel.form.preset.value = "preview"
    assert panel.form.parameters().lam is None


def test_a_mask_that_no_file_can_hold_as_it_is_has_to_be_made_first():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((40, 48)))
    labels = viewer.add_labels(np.arange(40 * 48).reshape(40, 48) % 3, name="cells")
    shapes = viewer.add_shapes([[[1, 2], [1, 4], [3, 4]]], shape_type="polygon", name="drawn")

    def source(layer, label=None):
        mask = read_mask(layer, image, viewer, label)
        return repeat._mask_source(layer, image, viewer, mask, label)

    assert source(labels).unsaved == "cells"
    assert (source(labels, label=2).unsaved, source(labels, label=2).label) == ("cells", 2)
    assert source(shapes).unsaved == "drawn (converted to labels)"


@pytest.mark.parametrize("record", [[1], 3, {"parameters": [1]}, {"parameters": {"lam": "x"}}])
def test_a_damaged_record_is_said_in_words(make_panel, heard, record):
    panel, viewer, _ = make_panel()
    viewer.add_image(np.zeros((20, 20)), name="odd", metadata={"napari-dred": record})
    press(panel, "Run again with these settings")
    (said,) = heard
    assert "the layer 'odd'" in str(said.message).lower()
    assert said.message == panel.status.value
    assert panel.worker is None


@pytest.mark.parametrize("label", [-2, 2**40])
def test_a_label_that_the_panel_cannot_take_is_said_and_nothing_changes(make_panel, heard, label):
    panel, viewer, _ = make_panel()
    record = {"parameters": {"scale": 2}, "source": {"label": label}}
    viewer.add_image(np.zeros((20, 20)), name="odd", metadata={"napari-dred": record})
    press(panel, "Run again with these settings")
    assert f"Label is {label}" in panel.status.value
    assert panel.form.scale.value == 1
    assert panel.worker is None


def test_pixels_that_are_no_numbers_can_be_all_that_is_missing(make_panel, picture, wait):
    panel, viewer, solver = make_panel(steps=2)
    odd = picture.astype(np.float32)
    odd[3, 4] = np.nan
    viewer.add_image(odd, name="odd")
    kept = Parameters(keep_observed=True)
    panel.form.set_parameters(kept)
    assert panel.form.holes.value
    assert panel.form.settings().parameters == kept
    assert "--keep-observed" in copied(panel, "Copy as command")
    panel.restore_button.native.click()
    wait(panel)
    assert solver.asked.keep_observed
    panel.form.holes.value = False
    assert not panel.form.parameters().keep_observed
