"""The panel, driven by its own buttons, with a solver that only behaves like one."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils import progress

from napari_dred import InputError, RestorationError, Result, Step
from napari_dred.viewer import run
from napari_dred.viewer.advanced import RECTANGLE, VISIBLE
from napari_dred.viewer.clock import ending
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
    assert "about" not in panel.plan_line.value  # the status knows better
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
    qtbot.waitUntil(lambda: len(progress._all_instances) == 1)
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


def test_an_end_by_the_held_out_error_is_said_in_words(make_run, picture):
    viewer = ViewerModel()
    plan = make_run(viewer, viewer.add_image(picture)).plan
    result = Result(
        image=picture,
        plan=plan,
        steps=(Step(160, 300, 0.1, 0.1),),
        stop_reason="held-out error",
        seconds=5.0,
        notes=(*plan.notes, "Another note."),
        version="0",
        kept=110,
    )
    assert ending(result) == (
        "Done after 160 iterations in 5.0 s. The run ended early, with the image of iteration 110: "
        "since then the error on held-out samples had been rising. Another note."
    )
    settled = dataclasses.replace(result, stop_reason="settled", notes=plan.notes, kept=None)
    assert ending(settled).endswith("ended early, as its image no longer got any sharper.")
    ended = dataclasses.replace(result, stop_reason="iterations", notes=plan.notes)
    assert ending(ended) == "Done after 160 iterations in 5.0 s."
