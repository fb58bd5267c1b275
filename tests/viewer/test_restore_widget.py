"""The panel, driven by its own buttons, with a solver that only behaves like one."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils import progress

from napari_dred import InputError, Parameters, Plan, RestorationError
from napari_dred.viewer import mask_fields, run, samples
from napari_dred.viewer.advanced import RECTANGLE, VISIBLE, Advanced
from napari_dred.viewer.mask_fields import NO_MASK
from napari_dred.viewer.masks import read_mask
from napari_dred.viewer.preview import Preview
from napari_dred.viewer.restore_widget import RestoreWidget

pytestmark = pytest.mark.window


def running(qtbot, panel):
    """Press Restore and wait for the first preview; give the worker."""
    panel.restore_button.native.click()
    qtbot.waitUntil(lambda: any("in progress" in x.name for x in panel._viewer.layers))
    return panel.worker


def ended(qtbot, worker, seconds=2):
    qtbot.waitUntil(lambda: not worker.is_running, timeout=1000 * seconds)


def text_of(heard):
    return [str(notification.message) for notification in heard]


# A run from beginning to end.


def test_a_run_shows_its_progress_and_ends_with_one_new_layer(
    qtbot, make_panel, picture, wait, heard
):
    panel, viewer, solver = make_panel(steps=40, seconds=0.03)
    image = viewer.add_image(picture, name="photo", scale=(2, 2), contrast_limits=(20, 180))
    labels = viewer.add_labels(np.eye(40, 48, dtype=int), name="damage")
    panel.form.image.value, panel.form.mask.value = image, labels
    running(qtbot, panel)
    preview = viewer.layers[-1]
    assert preview.name == "photo (in progress)"
    assert viewer.layers.selection.active is labels  # whoever paints goes on painting
    limits = []
    preview.events.contrast_limits.connect(lambda: limits.append(preview.contrast_limits))
    qtbot.waitUntil(lambda: "left" in panel.status.value, timeout=5000)
    assert "of 40" in panel.status.value
    assert "it/s" in panel.status.value
    assert panel.bar.value > 0
    assert panel.bar.max == 40
    assert "256 MiB" in panel.plan_line.value
    assert "12 s" in panel.plan_line.value
    assert "A note." in panel.plan_line.value
    assert panel.form.sigma.value == 3.25  # the estimate
    assert len(viewer.layers) == 3  # one preview, updated in place
    wait(panel)
    assert limits == []
    result = viewer.layers[-1]
    assert [x.name for x in viewer.layers] == ["photo", "damage", "photo restored"]
    expected = picture.copy()
    expected[np.eye(40, 48, dtype=bool)] = 7
    np.testing.assert_array_equal(result.data, expected)
    assert result.data.dtype == np.uint8
    assert tuple(result.scale) == (2, 2)
    assert result.contrast_limits == [20, 180]
    made = json.loads(json.dumps(result.metadata["napari-dred"]))
    assert made["parameters"]["threads"] >= 1
    assert made["source"] == {"layer": "photo"}
    assert panel.status.value.startswith("Done after 40 iterations in")
    assert not panel.cancel_button.enabled
    assert len(progress._all_instances) == 0
    assert solver.closed == 1
    assert heard == []
    np.testing.assert_array_equal(image.data, picture)


def test_7_the_activity_dialog_counts_iterations_not_yields(qtbot, make_panel, picture, wait):
    panel, viewer, _ = make_panel(steps=400, seconds=0.004)
    viewer.add_image(picture)
    running(qtbot, panel)
    (bar,) = progress._all_instances
    qtbot.waitUntil(lambda: bar.n > 50, timeout=5000)
    assert bar.total == 400
    panel.cancel_button.native.click()
    assert len(progress._all_instances) == 0


def test_stop_and_keep(qtbot, make_panel, picture, wait):
    panel, viewer, _ = make_panel(steps=10000)
    viewer.add_image(picture, name="photo")
    running(qtbot, panel)
    panel.stop_button.native.click()
    wait(panel, 2)
    assert [x.name for x in viewer.layers] == ["photo", "photo restored"]
    assert panel.status.value.startswith("Stopped after")
    assert viewer.layers[-1].metadata["napari-dred"]["stop_reason"] == "stopped"


def test_a_run_that_was_stopped_cannot_be_paused(qtbot, make_panel, picture, wait):
    panel, viewer, solver = make_panel(seconds=600, quick=1)
    viewer.add_image(picture, name="photo")
    panel.restore_button.native.click()
    qtbot.waitUntil(lambda: solver.records == 2)
    panel.stop_button.native.click()
    panel.pause_button.native.click()
    assert not panel.pause_button.enabled
    assert not panel.stop_button.enabled
    assert panel.cancel_button.enabled
    assert panel.status.value == "Stopping…"
    assert panel.pause_button.text == "Pause"
    wait(panel, 2)
    assert panel.status.value.startswith("Stopped after")
    panel.restore_button.native.click()
    assert panel.pause_button.enabled
    assert panel.stop_button.enabled


def test_stop_before_the_first_iteration_is_said_and_no_alarm(
    make_panel, picture, wait, qtbot, heard
):
    panel, viewer, solver = make_panel(seconds=600)
    viewer.add_image(picture, name="photo")
    panel.restore_button.native.click()
    qtbot.waitUntil(lambda: solver.records == 1)
    panel.stop_button.native.click()
    wait(panel, 2)
    assert panel.status.value == "Stopped before the first iteration: there is no image yet."
    assert heard == []
    assert [x.name for x in viewer.layers] == ["photo"]
    assert not panel.stop_button.enabled


def test_cancel_leaves_nothing_and_the_thread_ends(qtbot, make_panel, picture):
    panel, viewer, solver = make_panel(steps=10000)
    viewer.add_image(picture, name="photo")
    worker = running(qtbot, panel)
    panel.cancel_button.native.click()
    assert panel.worker is None
    assert panel.status.value == "Cancelled."
    assert [x.name for x in viewer.layers] == ["photo"]
    ended(qtbot, worker)
    qtbot.waitUntil(lambda: solver.closed == 1)


def test_cancel_during_a_long_first_step_is_heard_at_once(qtbot, make_panel, picture):
    panel, viewer, solver = make_panel(seconds=600)
    viewer.add_image(picture)
    panel.restore_button.native.click()
    qtbot.waitUntil(lambda: solver.records == 1)
    worker = panel.worker
    panel.cancel_button.native.click()
    ended(qtbot, worker, 2)
    # and the panel is ready for the next run
    solver.seconds = 0.0
    panel.restore_button.native.click()
    qtbot.waitUntil(lambda: panel.worker is None, timeout=5000)
    assert viewer.layers[-1].name.endswith("restored")


def test_pause_and_resume(qtbot, make_panel, picture, wait):
    panel, viewer, solver = make_panel(steps=60, seconds=0.02)
    viewer.add_image(picture)
    running(qtbot, panel)
    panel.pause_button.native.click()
    assert panel.pause_button.text == "Resume"
    qtbot.wait(150)
    held = solver.records
    qtbot.wait(200)
    assert solver.records == held
    assert panel.status.value.startswith("Paused.")
    panel.pause_button.native.click()
    assert panel.pause_button.text == "Pause"
    wait(panel)
    assert panel.status.value.startswith("Done")


def test_a_second_press_is_refused_in_words(qtbot, make_panel, picture, heard):
    panel, viewer, solver = make_panel(steps=10000)
    viewer.add_image(picture)
    worker = running(qtbot, panel)
    panel.restore_button.native.click()
    assert panel.worker is worker
    assert "under way" in text_of(heard)[0]
    assert solver.closed == 0


# Errors.


@pytest.mark.parametrize("error", [RuntimeError("CUDA error"), RestorationError("It broke")])
def test_a_failed_run_is_one_sentence_and_the_next_run_works(
    qtbot, make_panel, picture, wait, heard, error
):
    panel, viewer, solver = make_panel(error=error)
    viewer.add_image(picture, name="photo")
    panel.restore_button.native.click()
    wait(panel, 30)  # torch is imported for the words
    (said,) = heard
    assert str(said.severity) == "error"
    assert said.actions == ()  # no traceback
    assert said.message == panel.status.value
    assert said.message.endswith(".")
    assert [x.name for x in viewer.layers] == ["photo"]
    assert len(progress._all_instances) == 0
    qtbot.waitUntil(lambda: solver.closed == 1)
    solver.error = None
    panel.restore_button.native.click()
    wait(panel)
    assert viewer.layers[-1].name == "photo restored"


def test_a_fault_of_the_program_is_shown_with_its_traceback(make_panel, picture, wait, heard):
    panel, viewer, _ = make_panel(error=KeyError("oops"))
    viewer.add_image(picture)
    panel.restore_button.native.click()
    wait(panel)
    assert "Internal error" in panel.status.value
    assert heard[0].exception.__traceback__ is not None


@pytest.mark.parametrize("where", ["before it is added", "after"])
def test_a_result_that_cannot_be_laid_over_its_input_is_not_lost(
    make_panel, picture, wait, heard, monkeypatch, where
):
    panel, viewer, _ = make_panel(steps=3)
    viewer.add_image(picture, name="photo")

    def fail(*args, **kwargs):
        raise ZeroDivisionError("bad transform")

    if where == "after":
        viewer.layers.events.inserted.connect(fail)
    else:
        monkeypatch.setattr(run, "result_layer", fail)
    monkeypatch.setattr(Preview, "show", lambda *_: None)
    panel.restore_button.native.click()
    wait(panel)
    assert [x.name for x in viewer.layers] == ["photo", "photo restored"]
    np.testing.assert_array_equal(viewer.layers[-1].data, picture)
    assert viewer.layers[-1].metadata["napari-dred"]["iterations"] == 3
    assert panel.status.value.startswith("Done after 3 iterations")
    assert "may not lie where its input does" in text_of(heard)[0]


def test_a_result_that_cannot_be_shown_at_all_is_said_with_a_traceback(
    make_panel, picture, wait, heard, monkeypatch
):
    panel, viewer, _ = make_panel(steps=3)
    viewer.add_image(picture, name="photo")

    def fail(*args, **kwargs):
        raise ZeroDivisionError("no layer")

    monkeypatch.setattr(Preview, "show", lambda *_: None)
    monkeypatch.setattr(RestoreWidget, "_show_result", fail)
    panel.restore_button.native.click()
    wait(panel)
    assert panel.status.value == "Internal error: no layer"
    assert heard[0].exception.__traceback__ is not None
    assert not panel.cancel_button.enabled


def test_a_users_mistake_is_one_sentence(make_panel, picture, wait, heard):
    panel, viewer, solver = make_panel()
    panel.restore_button.native.click()
    assert text_of(heard) == ["There is no image layer; open an image first."]
    viewer.add_image(np.zeros((4, 40, 48)))
    viewer.dims.ndisplay = 3
    panel.restore_button.native.click()
    assert "3-D display" in text_of(heard)[-1]
    viewer.dims.ndisplay = 2
    panel.form.region.value = RECTANGLE
    panel.restore_button.native.click()
    assert "no Shapes layer" in text_of(heard)[-1]
    assert solver.records == 0
    assert all(str(said.severity) == "warning" for said in heard)
    assert panel.worker is None
    solver.error = InputError("nothing is observed")
    panel.form.region.value = VISIBLE
    panel.restore_button.native.click()
    wait(panel)
    assert text_of(heard)[-1] == panel.status.value == "Nothing is observed."


# Layers that change while it runs.


def test_an_input_that_is_deleted_or_renamed_does_not_matter(qtbot, make_panel, picture, wait):
    panel, viewer, _ = make_panel(steps=40, seconds=0.02)
    image = viewer.add_image(picture, name="photo", scale=(3, 3))
    labels = viewer.add_labels(np.eye(40, 48, dtype=int))
    panel.form.mask.value = labels
    running(qtbot, panel)
    image.name = "renamed"
    labels.name = "renamed too"
    assert panel.form.image.value is image
    assert panel.form.mask.value is labels
    viewer.layers.remove(image)
    viewer.layers.remove(labels)
    wait(panel)
    (result,) = viewer.layers
    assert result.name == "photo restored"
    assert tuple(result.scale) == (3, 3)
    assert panel.form.mask.value is None


def test_input_values_that_change_during_a_run_do_not_matter(qtbot, make_panel, picture, wait):
    panel, viewer, _ = make_panel(steps=30, seconds=0.02)
    image = viewer.add_image(picture.copy())
    running(qtbot, panel)
    image.data[:] = 0
    wait(panel)
    np.testing.assert_array_equal(viewer.layers[-1].data, picture)


def test_a_preview_that_is_deleted_stays_away(qtbot, make_panel, picture, wait):
    panel, viewer, _ = make_panel(steps=40, seconds=0.03)
    viewer.add_image(picture, name="photo")
    running(qtbot, panel)
    viewer.layers.pop()
    qtbot.wait(700)
    assert len(viewer.layers) == 1
    wait(panel)
    assert [x.name for x in viewer.layers] == ["photo", "photo restored"]


def test_a_renamed_layer_stays_chosen(make_panel, picture):
    panel, viewer, _ = make_panel()
    first, second = viewer.add_image(picture), viewer.add_image(picture)
    panel.form.image.value = second
    second.name = "another"
    assert panel.form.image.value is second
    assert panel.form.image.current_choice == "another"
    viewer.layers.reverse()
    assert panel.form.image.value is second
    viewer.layers.remove(second)
    assert panel.form.image.value is first


def test_the_preview_cannot_be_chosen(qtbot, make_panel, picture):
    panel, viewer, _ = make_panel(steps=10000)
    image = viewer.add_image(picture)
    running(qtbot, panel)
    assert panel.form.image.choices == (image,)


# What is restored.


def test_a_region_is_pasted_back(qtbot, make_panel, picture, wait):
    panel, viewer, _ = make_panel(steps=10, seconds=0.05)
    viewer.add_image(picture, name="photo")
    labels = viewer.add_labels(np.ones((40, 48), int))
    viewer.add_shapes([np.array([[9, 9], [9, 20], [15, 20], [15, 9]])], name="box")
    panel.form.mask.value = labels
    panel.form.region.value = RECTANGLE
    assert panel.form.mask_line.value.startswith("84 pixels (100.0 %)")
    panel.restore_button.native.click()
    qtbot.waitUntil(lambda: any("in progress" in x.name for x in viewer.layers))
    preview = viewer.layers[-1]
    assert preview.data.shape == (7, 12)
    assert tuple(preview.translate) == (9, 9)
    wait(panel)
    result = viewer.layers["photo restored"]
    expected = picture.copy()
    expected[9:16, 9:21] = 7
    np.testing.assert_array_equal(result.data, expected)
    assert result.metadata["napari-dred"]["source"]["region"]["bottom"] == 16


def test_an_enlarged_region_is_placed_to_the_half_pixel(make_panel, picture, wait):
    panel, viewer, _ = make_panel(steps=3)
    viewer.add_image(picture, name="photo", scale=(0.5, 0.5))
    viewer.add_shapes([np.array([[9, 9], [9, 20], [15, 20], [15, 9]])], scale=(0.5, 0.5))
    panel.form.region.value, panel.form.scale.value = RECTANGLE, 2
    panel.restore_button.native.click()
    wait(panel)
    result = viewer.layers["photo restored"]
    np.testing.assert_array_equal(result.data[::2, ::2], picture[9:16, 9:21])
    np.testing.assert_allclose(result.scale, (0.25, 0.25))
    np.testing.assert_allclose(result.translate, (4.5 - 0.125, 4.5 - 0.125))


def test_the_plane_of_a_stack_that_is_shown(make_panel, wait):
    panel, viewer, _ = make_panel(steps=3)
    stack = np.random.default_rng(1).integers(0, 999, (5, 20, 22), dtype=np.uint16)
    viewer.add_image(stack, name="stack", scale=(4, 1, 1))
    viewer.dims.set_current_step(0, 3)
    panel.restore_button.native.click()
    wait(panel)
    result = viewer.layers[-1]
    np.testing.assert_array_equal(result.data, stack[3:4])
    assert result.data.dtype == np.uint16
    assert tuple(result.translate) == (12, 0, 0)
    assert viewer.dims.nsteps[0] == 5


# The form.


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
    qtbot.waitUntil(
        lambda: panel.form.mask_line.value == "1,000 pixels (100.0 %) will be replaced."
    )
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
    viewer.add_labels(np.ones((200, 200), int))
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
        return read_mask(*args)

    monkeypatch.setattr(mask_fields, "read_mask", counting)
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


# In napari's own window.


def test_5_closing_the_panel_ends_the_run(qtbot, make_napari_viewer, fake_solver, picture):
    viewer = make_napari_viewer()
    viewer.add_image(picture, name="photo")
    solver = fake_solver(seconds=600)
    panel = RestoreWidget(viewer, solve=lambda i, m, r, **kw: solver(i, m, **kw))
    dock = viewer.window.add_dock_widget(panel, name="Restore image")
    panel.restore_button.native.click()
    qtbot.waitUntil(lambda: solver.records == 1)
    worker = panel.worker
    dock.destroyOnClose()
    ended(qtbot, worker, 2)
    assert panel.worker is None
    assert len(progress._all_instances) == 0
    qtbot.waitUntil(lambda: solver.closed == 1)
    assert [x.name for x in viewer.layers] == ["photo"]


@pytest.mark.parametrize("moment", ["in a long step", "paused", "with a preview"])
def test_5b_closing_the_viewer_ends_the_run(
    qtbot, make_napari_viewer, fake_solver, picture, moment
):
    from napari.qt.threading import WorkerBase

    viewer = make_napari_viewer()
    viewer.add_image(picture)
    solver = fake_solver(steps=10000) if moment == "with a preview" else fake_solver(seconds=600)
    panel = RestoreWidget(viewer, solve=lambda i, m, r, **kw: solver(i, m, **kw))
    viewer.window.add_dock_widget(panel, name="Restore image")
    if moment == "with a preview":
        running(qtbot, panel)
    else:
        panel.restore_button.native.click()
        qtbot.waitUntil(lambda: solver.records == 1)
    if moment == "paused":
        panel.pause_button.native.click()
    worker = panel.worker
    viewer.close()
    WorkerBase.await_workers(2000)  # what napari does at its end; raises after two seconds
    ended(qtbot, worker, 2)
    qtbot.waitUntil(lambda: panel.worker is None)
    assert solver.closed == 1
    assert len(progress._all_instances) == 0


def test_1_napari_does_not_stay_busy_after_a_runtime_error(
    qtbot, make_napari_viewer, fake_solver, picture, heard, wait
):
    viewer = make_napari_viewer()
    viewer.add_image(picture)
    solver = fake_solver(error=RuntimeError("out of memory"))
    panel = RestoreWidget(viewer, solve=lambda i, m, r, **kw: solver(i, m, **kw))
    viewer.window.add_dock_widget(panel, name="Restore image")
    panel.restore_button.native.click()
    tasks = viewer.window._task_status_manager
    assert tasks.is_busy()
    assert "Restore image" in " ".join(tasks.get_status())
    wait(panel)
    qtbot.waitUntil(lambda: not tasks.is_busy())
    assert len(progress._all_instances) == 0


def test_a_docked_panel_follows_the_layer_list(make_napari_viewer, picture):
    viewer = make_napari_viewer()
    panel = RestoreWidget(viewer)
    viewer.window.add_dock_widget(panel, name="Restore image")
    first = viewer.add_image(picture, name="first")
    second = viewer.add_image(picture, name="second")
    assert panel.form.image.choices == (first, second)
    panel.form.image.value = second
    second.name = "renamed"
    assert panel.form.image.value is second
    viewer.layers.remove(second)
    assert panel.form.image.value is first


def test_a_real_restoration_in_the_window(qtbot, make_napari_viewer, wait, heard):
    rng = np.random.default_rng(2)
    image = np.clip(rng.normal(120, 15, (40, 44)), 0, 255).astype(np.uint8)
    hidden = np.zeros((40, 44), int)
    hidden[10:14, 10:30] = 1
    image[hidden > 0] = 0
    viewer = make_napari_viewer()
    viewer.add_image(image, name="photo", scale=(0.1, 0.1), units=("um", "um"))
    labels = viewer.add_labels(hidden, scale=(0.1, 0.1), units=("um", "um"))
    panel = RestoreWidget(viewer)
    viewer.window.add_dock_widget(panel, name="Restore image")
    panel.form.image.value, panel.form.mask.value = viewer.layers["photo"], labels
    panel.form.preset.value = "preview"
    panel.form.iterations.value = 4
    panel.form.keep_observed.value = True
    panel.restore_button.native.click()
    wait(panel, 50)
    assert heard == []
    result = viewer.layers["photo restored"]
    assert result.data.dtype == np.uint8
    assert (result.data[hidden > 0] > 60).all()
    np.testing.assert_array_equal(result.data[hidden == 0], image[hidden == 0])
    assert result.units == viewer.layers["photo"].units
    made = json.loads(json.dumps(result.metadata["napari-dred"]))
    assert made["task"] == "inpaint"
    assert made["missing_pixels"] == 80


def test_the_buttons_act_in_the_middle_of_a_real_step(qtbot, make_napari_viewer, wait, heard):
    """Each is to act within two seconds; five leave room for a loaded machine."""
    rng = np.random.default_rng(3)
    viewer = make_napari_viewer()
    image = rng.integers(0, 256, (384, 384), dtype=np.uint8)
    viewer.add_image(image, name="photo")
    panel = RestoreWidget(viewer)
    dock = viewer.window.add_dock_widget(panel, name="Restore image")
    panel.form.device.value = "cpu"

    def resting():
        before = time.process_time()
        time.sleep(0.5)
        return time.process_time() - before < 0.03

    def begun():
        panel.restore_button.native.click()
        qtbot.waitUntil(lambda: panel.plan_line.value != "", timeout=40_000)
        return panel.worker

    begun()
    qtbot.waitUntil(lambda: panel.bar.value > 0, timeout=40_000)
    panel.pause_button.native.click()
    qtbot.waitUntil(resting, timeout=5000)
    panel.pause_button.native.click()
    qtbot.waitUntil(lambda: not resting(), timeout=5000)
    panel.stop_button.native.click()
    wait(panel, 5)
    assert panel.status.value.startswith("Stopped after")
    assert not np.array_equal(viewer.layers["photo restored"].data, image)

    worker = begun()
    panel.cancel_button.native.click()
    ended(qtbot, worker, 5)
    worker = begun()
    dock.destroyOnClose()
    ended(qtbot, worker, 5)
    assert heard == []


# What is said before a run.


class FakePlanner:
    """Gives a plan for what it was asked; counts."""

    def __init__(self):
        self.asked = []

    def __call__(self, image, mask, region, parameters, psf):
        self.asked.append((image, mask, region, parameters))
        lost = 0 if mask is None else int(mask.sum())
        return Plan(
            task="inpaint" if lost else "denoise",
            shape=image.shape,
            parameters=parameters,
            sigma=4.5,
            sigma_estimated=parameters.sigma is None,
            missing=lost,
            masked=lost,
            device="cpu",
            memory=2**28,
            seconds=12.0,
        )


def forecast_done(qtbot, panel):
    qtbot.waitUntil(lambda: not panel.forecast.busy, timeout=5000)
    return panel.plan_line.value


def test_what_a_run_will_do_is_said_and_follows_the_form(qtbot, make_panel, picture):
    planner = FakePlanner()
    panel, viewer, _ = make_panel(planner=planner)
    panel.form.preset.value = "preview"
    assert forecast_done(qtbot, panel) == "There is no image layer; open an image first."
    viewer.add_image(picture)
    said = forecast_done(qtbot, panel)
    assert said.startswith("Denoising · 40 × 48 pixels · Gaussian noise, σ 4.5 · 256 MiB")
    assert panel.form.sigma.value == 4.5
    shapes = viewer.add_shapes([[[1, 2], [1, 4], [3, 4], [3, 2]]], shape_type="rectangle")
    panel.form.mask.value = shapes
    assert forecast_done(qtbot, panel).endswith("9 pixels (0.5 %) will be replaced.")
    count = len(planner.asked)
    shapes.add([[10, 10], [10, 14], [14, 14], [14, 10]], shape_type="rectangle")
    assert panel.forecast.busy
    assert forecast_done(qtbot, panel).endswith("34 pixels (1.8 %) will be replaced.")
    assert len(planner.asked) == count + 1
    panel.form.iterations.value = 77
    forecast_done(qtbot, panel)
    assert planner.asked[-1][3].iterations == 77


def test_a_run_has_the_line_for_itself(qtbot, make_panel, picture, wait):
    planner = FakePlanner()
    panel, viewer, _ = make_panel(planner=planner)
    viewer.add_image(picture)
    panel.form.preset.value = "preview"
    panel.restore_button.native.click()
    panel.form.preset.value = "paper"
    assert not panel.forecast.busy
    wait(panel)
    assert planner.asked == []
    forecast_done(qtbot, panel)
    assert planner.asked[-1][3].preset == "paper"


def test_found_pixels_become_the_mask(qtbot, make_panel, picture):
    panel, viewer, _ = make_panel(planner=FakePlanner())
    image = viewer.add_image(picture)
    viewer.add_labels(np.ones((40, 48), int))
    image.data[3:5, 7:9] = 0
    panel.form.find.button.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=5000)
    assert panel.form.mask.value is viewer.layers[-1]
    assert forecast_done(qtbot, panel).endswith("will be replaced.")
    np.testing.assert_array_equal(panel.form.read().mask, image.data == 0)


def test_a_closed_panel_works_nothing_out(qtbot, make_napari_viewer, picture, fake_solver):
    planner = FakePlanner()
    viewer = make_napari_viewer()
    panel = RestoreWidget(viewer, planner=planner)
    dock = viewer.window.add_dock_widget(panel)
    viewer.add_image(picture)
    panel.form.preset.value = "preview"
    assert panel.forecast.busy
    viewer.window.remove_dock_widget(dock)
    assert not panel.forecast.busy
    viewer.add_labels(np.ones((40, 48), int))
    assert not panel.forecast.busy
    assert planner.asked == []
    panel.native.deleteLater()
