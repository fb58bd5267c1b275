"""Any label of a mask, or one of them."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from qtpy.QtGui import QGuiApplication

from napari_dred import Parameters
from napari_dred.io import read_picture
from napari_dred.recipe import Settings
from napari_dred.viewer.masks import read_mask_and_labels

pytestmark = pytest.mark.window

LABELS = np.zeros((40, 48), np.uint8)
LABELS[:2, :5], LABELS[9:12, 9:12] = 3, 7


@pytest.fixture
def labelled(make_panel, picture):
    panel, viewer, solver = make_panel(steps=2)
    viewer.add_image(picture, name="photo")
    viewer.add_labels(LABELS.copy(), name="damage")
    return panel, viewer, solver


def shown(panel):
    return not panel.form.mask_label.native.isHidden()


def test_several_labels_are_told_from_one():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((2, 40, 48)))
    labels = viewer.add_labels(np.stack([LABELS, LABELS == 3]).astype(int))
    viewer.dims.set_current_step(0, 0)
    assert read_mask_and_labels(labels, image, viewer)[1]
    viewer.dims.set_current_step(0, 1)
    assert not read_mask_and_labels(labels, image, viewer)[1]


def test_one_label_can_be_chosen_where_there_are_several(qtbot, labelled):
    panel, viewer, _ = labelled
    assert shown(panel)
    assert panel.form.read().mask.sum() == 19
    panel.form.mask_label.value = 7
    assert panel.form.mask_line.value.startswith("9 pixels")
    np.testing.assert_array_equal(panel.form.read().mask, LABELS == 7)
    assert panel.form.inputs().read()[1].sum() == 9
    panel.form.mask.value = viewer.add_labels((LABELS > 0).astype(int))
    assert not shown(panel)
    assert panel.form.read().label is None
    panel.form.mask.value = viewer.add_shapes([[[1, 1], [1, 5], [5, 5], [5, 1]]])
    assert not shown(panel)
    panel.form.mask.value = None
    assert not shown(panel)


def test_the_label_follows_the_brush(qtbot, labelled):
    panel, viewer, _ = labelled
    viewer.layers["damage"].data = (LABELS > 0).astype(int)
    qtbot.waitUntil(lambda: not shown(panel))
    viewer.layers["damage"].paint((20, 20), 2)
    qtbot.waitUntil(lambda: shown(panel))


def test_a_result_tells_the_label_and_is_made_again_with_it(labelled, wait):
    panel, viewer, _ = labelled
    panel.form.mask_label.value = 7
    panel.restore_button.native.click()
    wait(panel)
    result = viewer.layers[-1]
    assert result.metadata["napari-dred"]["source"] == {"layer": "photo", "label": 7}
    panel.form.mask_label.value = 0
    panel.form.image.value = viewer.layers["photo"]
    viewer.layers.selection.active = result
    (menu,) = [w for w in panel if hasattr(w, "menu")]
    menu.run_again()
    assert panel.form.mask_label.value == 7
    wait(panel)
    np.testing.assert_array_equal(viewer.layers[-1].data, result.data)


def test_script_and_command_take_the_label_alone(labelled, tmp_path, monkeypatch, picture):
    monkeypatch.chdir(tmp_path)
    panel, _, _ = labelled
    panel.form.set_parameters(
        Parameters(iterations=2, width=8, depth=2, polish=0, sigma=5, device="cpu")
    )
    panel.form.keep_observed.value = True
    panel.form.mask_label.value = 7
    (menu,) = [w for w in panel if hasattr(w, "menu")]
    menu.copy_command()
    assert "first save label 7 of the layer 'damage' as 'mask-label7.tif'." in (
        QGuiApplication.clipboard().text()
    )
    menu.copy_python()
    script = QGuiApplication.clipboard().text()
    assert "mask = read_picture('mask.tif').samples == 7\n" in script
    tifffile.imwrite("image.tif", picture)
    tifffile.imwrite("mask.tif", LABELS)
    Path("script.py").write_text(script)
    runpy.run_path("script.py")
    changed = read_picture("image-restored.tif").samples != picture
    assert changed.any()
    assert not changed[LABELS != 7].any()


def test_a_label_that_was_loaded_waits_for_its_mask(make_panel, picture):
    panel, viewer, _ = make_panel()
    viewer.add_image(picture, name="photo")
    form = panel.form
    form.set_settings(Settings(Parameters(), label=7))
    form.mask.value = viewer.add_labels(LABELS.copy())
    assert form.read().label == 7
    assert form.read().mask.sum() == 9
    form.mask.value = None
    form.set_settings(Settings(Parameters(), label=3))
    form.mask.value = other = viewer.add_labels(LABELS.copy())
    assert form.read().label == 3
    form.set_settings(Settings(Parameters()))
    assert form.read().label is None
    form.mask_label.value = 7
    viewer.layers.remove(other)  # what comes next is another layer
    form.mask.value = viewer.add_labels(LABELS.copy())
    assert form.read().label is None


def test_holes_that_are_ticked_again_have_the_same_label(labelled):
    panel, _, _ = labelled
    form = panel.form
    form.mask_label.value = 7
    form.holes.value = False
    assert form.settings().label is None
    form.holes.value = True
    assert form.read().label == 7
    assert shown(panel)


@pytest.mark.parametrize(
    ("labels", "several"),
    [((), False), ((-2,), False), ((5,), False), ((-2, 5), True), ((1, 2), True)],
)
def test_labels_of_either_sign_are_counted(labels, several):
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 5)))
    plane = np.zeros((4, 5), int)
    for row, label in enumerate(labels):
        plane[row + 1, 1:3] = label
    mask, told = read_mask_and_labels(viewer.add_labels(plane), image, viewer)
    assert told == several
    np.testing.assert_array_equal(mask, plane != 0)


@pytest.mark.parametrize("declined", [False, True])
def test_loading_settings_does_not_say_whether_a_mask_is_wanted(make_panel, picture, declined):
    panel, viewer, _ = make_panel()
    viewer.add_image(picture)
    panel.form.holes.value = True
    if declined:
        panel.form.holes.value = False
    panel.form.set_parameters(Parameters(scale=2))
    labels = viewer.add_labels(LABELS.copy())
    assert panel.form.mask.value is (None if declined else labels)
