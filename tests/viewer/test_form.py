"""The form: what it says of the parameters and layers, and what follows from them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dred import Parameters
from napari_dred.viewer import mask_fields, samples
from napari_dred.viewer.advanced import RECTANGLE, VISIBLE, Advanced
from napari_dred.viewer.mask_fields import NO_MASK
from napari_dred.viewer.masks import read_mask_and_labels

pytestmark = pytest.mark.window


def test_defaults_choices_limits_and_help_are_those_of_the_parameters(make_panel):
    panel, _, _ = make_panel()
    standing = panel.form.parameters().to_dict()
    standing.pop("threads")
    default = Parameters().to_dict()
    default.pop("threads")
    assert standing == default
    fields = Parameters.__dataclass_fields__
    for name in ("scale", "preset"):
        widget = getattr(panel.form, name)
        assert widget.choices == fields[name].metadata["choices"]
    for name in ("scale", "preset", "blur_sigma", "iterations", "sigma", "device"):
        assert getattr(panel.form, name).tooltip == fields[name].metadata["help"]
    assert panel.form.blur_sigma.max == fields["blur_sigma"].metadata["le"]
    assert panel.form.iterations.max == fields["iterations"].metadata["le"]


def test_what_is_set_is_what_is_asked(make_panel, picture, wait):
    panel, viewer, solver = make_panel(steps=2)
    viewer.add_image(picture)
    panel.form.mask.value = viewer.add_labels(np.eye(40, 48, dtype=int))
    panel.form.keep_observed.value = True
    panel.form.blur_sigma.value = 1.5
    panel.form.estimate_sigma.value = False
    panel.form.sigma.value = 12.5
    panel.form.preset.value = "preview"
    panel.form.iterations.value = 7
    panel.form.device.value = "cpu"
    panel.restore_button.native.click()
    wait(panel)
    asked = solver.asked
    assert asked == Parameters(
        blur_sigma=1.5,
        sigma=12.5,
        preset="preview",
        iterations=7,
        device="cpu",
        keep_observed=True,
        threads=asked.threads,
    )
    panel.form.scale.value = 2  # no pixel of the larger image was observed as it is
    assert not panel.form.keep_observed.enabled
    assert not panel.form.parameters().keep_observed


def test_the_preview_button_asks_for_the_quick_preset(make_panel, picture, wait):
    panel, viewer, solver = make_panel(steps=2)
    viewer.add_image(picture)
    panel.form.set_parameters(Parameters(preset="paper", method="dred", iterations=70, sigma=5))
    panel.preview_button.native.click()
    wait(panel)
    assert solver.asked.replace(threads=None) == Parameters(preset="preview", sigma=5)
    assert panel.form.preset.value == "paper"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"sigma": 12.3456789, "noise": "gaussian", "blur_sigma": 1.2345},
        {"sigma": 0.0, "scale": 4, "device": "cuda:1", "preset": "paper", "iterations": 70},
        {"lam": 0.0125, "seed": 2**60, "uniform_width": False, "output_dtype": "float32"},
    ],
)
def test_what_is_put_into_the_form_comes_out_again(make_panel, given):
    panel, _, _ = make_panel()
    panel.form.set_parameters(Parameters(lam=3.0))  # all of it is replaced
    panel.form.set_parameters(Parameters(**given))
    assert panel.form.parameters().replace(threads=None) == Parameters(**given)


def test_with_nothing_to_fill_in_there_is_nothing_to_keep(make_panel, picture, wait):
    panel, viewer, solver = make_panel(steps=2)
    image = viewer.add_image(picture)
    labels = viewer.add_labels(np.zeros((40, 48), int))
    viewer.add_shapes([np.array([[9, 9], [9, 20], [15, 20], [15, 9]])])
    panel.form.mask.value = labels
    panel.form.keep_observed.value = True

    def asked():
        panel.restore_button.native.click()
        wait(panel)
        viewer.layers.pop()
        return solver.asked.keep_observed

    assert not asked()
    labels.data[0, 0] = 1
    assert asked()
    panel.form.region.value = RECTANGLE
    assert not asked()
    labels.data[10, 10] = 1
    assert asked()
    labels.data[:] = 0
    image.data = np.where(np.eye(40, 48), np.nan, picture)  # the NaN are filled in too
    assert asked()
    assert panel.form.keep_observed.value


def test_the_box_shows_and_keeps_the_level_of_an_image_of_any_range(make_panel, picture, wait):
    panel, viewer, solver = make_panel(steps=2)
    solver.sigma = 2.34567e-7
    viewer.add_image(picture / 255e5, name="faint")
    panel.restore_button.native.click()
    wait(panel)
    assert panel.form.sigma.value == pytest.approx(solver.sigma, rel=0.01)
    panel.form.estimate_sigma.value = False
    assert panel.form.parameters().sigma == solver.sigma  # to the last digit, unless edited
    panel.form.sigma.value = 2e-6
    assert panel.form.parameters().sigma == 2e-6
    panel.form.image.value = viewer.add_image(picture)
    assert panel.form.sigma.value == 2e-6  # what was typed does not vanish
    panel.form.sigma.value = 12.345
    assert panel.form.sigma.value == pytest.approx(12.34, abs=0.011)


def test_the_samples_damage_is_filled_in_and_forgotten(make_panel, picture):
    viewer = ViewerModel()
    own = viewer.add_image(picture)
    opened = {}
    for name in ("blurred", "low_resolution", "noisy_micrograph"):
        ((data, state, _),) = getattr(samples, name)()
        opened[name] = viewer.add_image(data, **state)
    viewer.layers.selection.active = opened["blurred"]
    panel, _, _ = make_panel(viewer)

    def asked():
        parameters = panel.form.parameters()
        return parameters.blur_sigma, parameters.scale, parameters.sigma

    assert asked() == (1.6, 1, 2)
    panel.form.image.value = opened["low_resolution"]
    assert asked() == (0, 2, 3)
    panel.form.image.value = opened["noisy_micrograph"]
    assert asked() == (0, 1, 25)
    panel.form.image.value = own
    assert asked() == (0, 1, None)
    panel.form.blur_sigma.value = 3  # of one's own images nothing is changed
    panel.form.image.value = viewer.add_image(picture)
    assert asked() == (3, 1, None)


def test_one_core_is_left_to_the_window(make_panel, monkeypatch):
    import os

    panel, _, _ = make_panel()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert panel.form.parameters().threads == 7
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert panel.form.parameters().threads == 1


def test_the_line_under_the_mask_follows_the_brush_and_the_slider(qtbot, make_panel):
    panel, viewer, _ = make_panel()
    viewer.add_image(np.zeros((3, 20, 50)))
    labels = viewer.add_labels(np.zeros((3, 20, 50), int))
    viewer.dims.set_current_step(0, 1)
    panel.form.mask.value = labels
    assert "empty" in panel.form.mask_line.value
    labels.brush_size = 1
    labels.paint((1, 10, 10), 5)
    qtbot.waitUntil(lambda: panel.form.mask_line.value == "1 pixel (0.1 %) will be replaced.")
    viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: "empty" in panel.form.mask_line.value)
    labels.data = np.ones((3, 20, 50), int)
    qtbot.waitUntil(lambda: "every pixel" in panel.form.mask_line.value)
    panel.form.mask.value = viewer.add_labels(np.zeros((9, 9), int))
    assert "9 x 9" in panel.form.mask_line.value
    panel.form.mask.value = None
    labels.data = np.zeros((3, 20, 50), int)
    qtbot.wait(200)
    assert panel.form.mask_line.value == NO_MASK
    panel.form.holes.value = False
    assert panel.form.mask_line.value == ""


def test_the_line_under_the_mask_follows_the_visible_part(qtbot, make_panel):
    panel, viewer, _ = make_panel()
    viewer.add_image(np.zeros((200, 200)))
    viewer.add_labels(np.tri(200, 200, 198, dtype=int))  # all but the corner
    viewer.canvas.size = (100, 100)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (99.5, 99.5), 1
    panel.form.region.value = VISIBLE
    assert panel.form.mask_line.value.startswith("10,000 pixels (100.0 %)")
    viewer.scene.camera.zoom = 10
    qtbot.waitUntil(lambda: panel.form.mask_line.value.startswith("100 pixels (100.0 %)"))


def test_the_mask_is_read_when_it_changes_and_not_when_the_view_does(
    qtbot, make_panel, monkeypatch
):
    reads = []

    def counting(*args):
        reads.append(args)
        return read_mask_and_labels(*args)

    monkeypatch.setattr(mask_fields, "read_mask_and_labels", counting)
    panel, viewer, _ = make_panel()
    viewer.add_image(np.zeros((3, 200, 200)))
    labels = viewer.add_labels(np.ones((3, 200, 200), int))
    viewer.canvas.size = (100, 100)
    panel.form.mask.value = labels
    qtbot.wait(200)  # what was still under way
    reads.clear()
    shown = []
    monkeypatch.setattr(Advanced, "region_of", lambda self, image: shown.append(image))
    viewer.scene.camera.zoom = 3
    qtbot.wait(200)
    assert shown == []  # nothing depends on the view
    panel.form.region.value = VISIBLE
    for zoom in (4, 5):
        viewer.scene.camera.zoom, before = zoom, len(shown)
        qtbot.waitUntil(lambda before=before: len(shown) > before)
    assert reads == []
    viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: len(reads) == 1)
    labels.paint((2, 10, 10), 0)
    qtbot.waitUntil(lambda: len(reads) == 2)


def test_no_mask_can_be_chosen_by_hand(make_panel, picture):
    panel, viewer, _ = make_panel()
    viewer.add_image(picture)
    viewer.add_labels(np.ones((40, 48), int))
    assert panel.form.mask_line.value
    panel.form.mask.native.setCurrentIndex(panel.form.mask.native.findText("none"))
    assert panel.form.mask.value is None
    assert panel.form.mask_line.value == NO_MASK
    assert not panel.form.keep_observed.enabled


def test_a_new_mask_of_the_right_size_is_chosen_by_itself(make_panel, picture):
    viewer = ViewerModel()
    viewer.add_image(picture)
    panel, _, _ = make_panel(viewer)
    assert panel.form.mask.value is None
    viewer.add_labels(np.zeros((9, 9), int))
    assert panel.form.mask.value is None
    fitting = viewer.add_labels(np.zeros((40, 48), int))
    assert panel.form.mask.value is fitting
    viewer.add_labels(np.zeros((40, 48), int))
    assert panel.form.mask.value is fitting
    again, _, _ = make_panel(viewer)
    assert again.form.mask.value is None  # of several, none is guessed


def test_the_selected_image_is_chosen_at_first(make_panel, picture):
    viewer = ViewerModel()
    viewer.add_image(picture)
    second = viewer.add_image(picture)
    assert make_panel(viewer)[0].form.image.value is second


def test_it_fits_in_320_pixels(make_panel, picture):
    panel, viewer, _ = make_panel()
    viewer.add_image(picture, name="a very long name " * 10)
    viewer.add_labels(np.ones((40, 48), int), name="another very long name " * 10)
    panel.status.value = panel.plan_line.value = "many words in one line " * 10
    assert panel.native.minimumSizeHint().width() <= 320


def test_opening_the_panel_imports_no_torch(tmp_path):
    code = (
        "import sys\n"
        "from napari.components import ViewerModel\n"
        "from qtpy.QtWidgets import QApplication\n"
        "app = QApplication([])\n"
        "from napari_dred.viewer.restore_widget import RestoreWidget\n"
        "viewer = ViewerModel()\n"
        "panel = RestoreWidget(viewer)\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
