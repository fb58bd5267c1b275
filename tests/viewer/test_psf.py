"""A measured PSF: chosen in the panel, used by the run, recorded, and asked for again."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog

from napari_dred import InputError, Parameters, cli
from napari_dred.core.records import PSFRecord
from napari_dred.core.restore import plan, solve
from napari_dred.io import read_picture, read_record
from napari_dred.recipe import Settings
from napari_dred.viewer.blur_fields import GAUSSIAN, MEASURED
from napari_dred.viewer.forecast import plan_run
from napari_dred.viewer.layers import HELPER_KEY
from napari_dred.viewer.psf import find_psf, psf_of, psf_reader

KERNEL = np.outer([1, 2, 1], [1, 3, 1]).astype(np.float32)
QUICK = Parameters(iterations=2, width=8, depth=2, polish=0, sigma=5, device="cpu", seed=3)


# Without a window.


def test_the_plane_of_a_stack_that_is_shown_is_read():
    viewer = ViewerModel()
    stack = np.arange(3)[:, None, None] * np.ones((3, 4, 5))
    layer = viewer.add_image(stack)
    viewer.dims.set_current_step(0, 2)
    assert (psf_reader(layer, viewer)() == 2).all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((5, 5, 3), np.uint8), "a colour image"),
        (np.zeros((5, 5), bool), "boolean samples"),
    ],
)
def test_what_can_be_no_psf(data, message):
    viewer = ViewerModel()
    layer = viewer.add_image(data, rgb=data.ndim == 3, name="p")
    with pytest.raises(InputError, match=message):
        psf_reader(layer, viewer)


def test_the_image_itself_is_no_psf():
    viewer = ViewerModel()
    image = viewer.add_image(np.ones((9, 9)), name="cells")
    with pytest.raises(InputError, match="the PSF is the image 'cells' itself"):
        psf_reader(image, viewer, image)


def test_a_psf_is_found_by_its_samples_whatever_its_dtype():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 3)))
    viewer.add_image(np.zeros((3, 3, 3), np.uint8), rgb=True)
    record = PSFRecord.of(KERNEL)
    with pytest.raises(InputError, match="a measured PSF of 3 x 3 pixels, which no layer shows"):
        find_psf(record, viewer, viewer.layers)
    assert psf_of({"psf": record.to_dict()}, viewer) is None
    layer = viewer.add_image(KERNEL.astype(np.uint16))
    assert find_psf(record, viewer, viewer.layers) is layer
    np.testing.assert_array_equal(psf_of({"psf": record.to_dict()}, viewer), KERNEL)
    assert psf_of({}, viewer) is None


def test_the_plan_knows_the_psf_and_its_record_is_checked():
    image = np.random.default_rng(0).normal(100, 5, (16, 16))
    made = plan(image, psf=KERNEL)
    assert made.psf == PSFRecord.of(KERNEL)
    assert PSFRecord.in_provenance({"psf": made.psf.to_dict()}) == made.psf
    assert PSFRecord.in_provenance({}) is None
    for damaged in (3, {}, {"shape": [1], "sha256": ""}, {"shape": "ab", "sha256": ""}):
        with pytest.raises(InputError, match="damaged"):
            PSFRecord.in_provenance({"psf": damaged})


# In the panel.

window = pytest.mark.window


@pytest.fixture
def blurred(make_panel, picture):
    """A panel with an image and a PSF that is chosen."""
    panel, viewer, solver = make_panel(steps=2, planner=plan_run)
    image = viewer.add_image(picture, name="photo")
    psf = viewer.add_image(KERNEL, name="bead")
    panel.form.image.value = image
    panel.form.blurred.value = True
    panel.form.blur_kind.value, panel.form.psf.value = MEASURED, psf
    return panel, viewer, solver


def shown(widget):
    return not widget.native.isHidden()


@window
def test_either_the_width_or_the_layer_is_asked_for(blurred):
    form = blurred[0].form
    assert (shown(form.blur_sigma), shown(form.psf)) == (False, True)
    assert form.parameters().blur_sigma == 0
    np.testing.assert_array_equal(form.read().psf, KERNEL)
    form.blur_kind.value = GAUSSIAN
    assert (shown(form.blur_sigma), shown(form.psf)) == (True, False)
    assert form.parameters().blur_sigma == 1
    assert form.read().psf is None


@window
def test_a_tick_that_is_taken_away_and_set_again_brings_the_psf_back(blurred):
    form = blurred[0].form
    form.blurred.value = False
    assert form.read().psf is None
    assert not shown(form.psf)
    form.blurred.value = True
    np.testing.assert_array_equal(form.read().psf, KERNEL)


@window
def test_a_psf_that_cannot_be_used_is_said_before_the_run(qtbot, blurred, heard):
    panel, _, solver = blurred
    psf = panel.form.psf.value

    def said(words):
        qtbot.waitUntil(lambda: words in panel.plan_line.value, timeout=20000)

    said("Deblurring")
    for data, words in (
        (KERNEL - 2, "negative samples, down to -1"),
        (KERNEL * 0, "0 everywhere"),
        (KERNEL * np.nan, "NaN"),
        (KERNEL, "Deblurring"),
    ):
        psf.data = data
        said(words)
    panel.form.psf.value = panel.form.image.value
    said("is the image 'photo' itself")
    panel.form.psf.value = None
    said("no layer is chosen")
    panel.restore_button.native.click()
    assert "no layer is chosen" in panel.status.value
    assert solver.records == 0


@window
def test_a_result_tells_of_its_psf_and_is_made_again_only_with_it(blurred, wait, heard):
    panel, viewer, _ = blurred
    panel._solve.keywords["solve"] = solve
    panel.form.set_parameters(QUICK, panel.form.psf.value)
    panel.restore_button.native.click()
    wait(panel, 30)
    result = viewer.layers[-1]
    made = result.metadata["napari-dred"]
    assert made["psf"] == PSFRecord.of(KERNEL).to_dict()
    assert made["source"]["psf"] == "bead"
    panel.form.set_parameters(Parameters())
    assert not panel.form.blurred.value
    viewer.layers.remove("bead")
    panel.form.image.value = viewer.layers["photo"]
    viewer.layers.selection.active = result
    again(panel)
    assert "which no layer shows" in panel.status.value
    assert panel.form.parameters().replace(threads=None) == Parameters()
    bead = viewer.add_image(KERNEL)
    viewer.layers.selection.active = result
    again(panel)
    assert panel.form.psf.value is bead
    wait(panel, 30)
    np.testing.assert_array_equal(viewer.layers[-1].data, result.data)


def menu_of(panel):
    (menu,) = [w for w in panel if hasattr(w, "menu")]
    return menu


def again(panel):
    (action,) = [a for a in menu_of(panel).menu.actions() if a.text().startswith("Run again")]
    action.trigger()


@window
def test_settings_command_and_script_ask_for_the_psf(
    blurred, heard, tmp_path, monkeypatch, picture
):
    monkeypatch.chdir(tmp_path)
    panel = blurred[0]
    panel.form.set_parameters(QUICK, panel.form.psf.value)
    menu = menu_of(panel)
    menu.copy_python()
    script = QGuiApplication.clipboard().text()
    assert "psf = read_psf('psf.tif')" in script
    assert "# First save the layer 'bead' as 'psf.tif'." in script
    menu.copy_command()
    command = QGuiApplication.clipboard().text()
    tifffile.imwrite("psf.tif", KERNEL)
    tifffile.imwrite("image.tif", picture)
    assert cli.main(shlex.split(command, comments=True)[1:]) == 0
    *_, result = solve(picture, psf=KERNEL, parameters=panel.form.parameters())
    np.testing.assert_array_equal(read_picture("image-restored.tif").samples, result.image)
    assert read_record("image-restored.tif")["psf"] == PSFRecord.of(KERNEL).to_dict()
    # The record alone is not enough for another run.
    more = ["restore", "image.tif", "-o", "o.tif", "--settings", "image-restored.tif"]
    assert cli.main(more) == 2
    assert not Path("o.tif").exists()
    assert cli.main([*more, "--psf", "psf.tif"]) == 0
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("s.json", ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("s.json", ""))
    menu.save()
    panel.form.set_parameters(Parameters())
    menu.load()
    assert panel.form.psf.value.name == "bead"
    assert panel.form.blurred.value


def test_the_residual_is_taken_with_the_psf_of_the_record():
    from scipy.ndimage import convolve

    from napari_dred.viewer.compare.signed import residual_work
    from napari_dred.viewer.layers import METADATA_KEY, read_plane

    viewer = ViewerModel()
    x = np.random.default_rng(0).uniform(0, 255, (24, 28))
    y = convolve(x, KERNEL / KERNEL.sum(), mode="reflect") + 3
    made = {"parameters": Parameters().to_dict(), "psf": PSFRecord.of(KERNEL).to_dict()}
    restored = viewer.add_image(x, metadata={METADATA_KEY: made})
    planes = [read_plane(layer, viewer) for layer in (viewer.add_image(y), restored)]
    with pytest.raises(InputError, match="open that PSF to compute the residual"):
        residual_work(*planes, None, psf_of(planes[1].history, viewer))
    viewer.add_image(KERNEL)
    work = residual_work(*planes, None, psf_of(planes[1].history, viewer))
    np.testing.assert_allclose(work().values, 3, atol=0.01)


@window
def test_neither_the_image_nor_a_helper_is_taken_for_the_psf(make_panel, picture):
    panel, viewer, _ = make_panel()
    panel.form.image.value = viewer.add_image(KERNEL, name="the image")
    viewer.add_image(KERNEL, name="a view", metadata={HELPER_KEY: True})
    settings = Settings(Parameters(), PSFRecord.of(KERNEL))
    with pytest.raises(InputError, match="no layer shows"):
        panel.form.set_settings(settings)
    psf = viewer.add_image(KERNEL)
    panel.form.set_settings(settings)
    assert panel.form.psf.value is psf


@window
def test_the_gaussian_in_place_of_a_loaded_psf_begins_with_some_width(make_panel, picture):
    panel, viewer, _ = make_panel()
    form = panel.form
    form.image.value, psf = viewer.add_image(picture), viewer.add_image(KERNEL)
    form.set_settings(Settings(Parameters(), PSFRecord.of(KERNEL)))
    assert (form.psf.value, form.parameters().blur_sigma) == (psf, 0)
    form.blur_kind.value = GAUSSIAN
    assert form.blurred.value
    assert form.parameters().blur_sigma == 1
    form.blur_sigma.value = 2.5
    form.blur_kind.value = MEASURED
    form.blur_kind.value = GAUSSIAN
    assert form.parameters().blur_sigma == 2.5
    form.blur_kind.value = MEASURED
    form.set_parameters(Parameters())
    assert not form.blurred.value
    assert form.parameters().blur_sigma == 0
