"""Runs that wait for the one under way, with live workers."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from napari_dred.viewer.restore_widget import RestoreWidget

pytestmark = pytest.mark.window


def press(button):
    button.native.click()


@pytest.fixture
def begun(qtbot, make_panel, picture):
    """Give a panel with two images, of which the first one's run is under way."""
    panel, viewer, solver = make_panel(steps=10_000)
    viewer.add_image(picture, name="first")
    second = viewer.add_image(picture[::-1], name="second")
    panel.form.image.value = viewer.layers["first"]
    press(panel.restore_button)
    qtbot.waitUntil(lambda: solver.records > 1)
    panel.form.image.value = second
    return panel, viewer, solver


@pytest.fixture
def idle(qtbot):
    """Give a function that waits until nothing runs and nothing waits."""

    def until(panel):
        qtbot.waitUntil(lambda: panel.worker is None and not len(panel.waiting), timeout=10_000)

    return until


@pytest.fixture
def next_one(qtbot):
    """Give a function that waits until another worker runs than the given one."""

    def until(panel, worker):
        qtbot.waitUntil(lambda: panel.worker not in (None, worker), timeout=10_000)

    return until


def test_a_second_press_waits_and_runs_when_the_first_is_over(begun, next_one, idle, heard):
    panel, viewer, solver = begun
    first = panel.worker
    press(panel.preview_button)
    assert panel.worker is first
    assert panel.waiting.line.value == "1 run waits: second."
    assert panel.waiting.row.native.isVisibleTo(panel.native)
    solver.steps = 3
    press(panel.stop_button)
    next_one(panel, first)
    assert not first.is_running  # never two at a time
    assert not panel.waiting.row.native.isVisibleTo(panel.native)
    idle(panel)
    assert [x.name for x in viewer.layers if "restored" in x.name] == [
        "first restored",
        "second restored",
    ]
    result = viewer.layers["second restored"]
    np.testing.assert_array_equal(result.data, viewer.layers["second"].data)
    assert result.metadata["napari-dred"]["parameters"]["preset"] == "preview"
    assert heard == []


def test_the_buttons_say_what_they_do(begun, idle):
    panel, _, _ = begun
    assert panel.restore_button.text == "Queue restore"
    assert panel.preview_button.text == "Queue preview"
    assert "runs before it" in panel.restore_button.tooltip
    press(panel.cancel_button)
    assert panel.restore_button.text == "Restore"
    assert panel.preview_button.text == "Preview"
    assert "runs before it" not in panel.restore_button.tooltip


def test_what_waits_is_what_was_pressed(begun, picture, next_one, idle):
    panel, viewer, solver = begun
    form, first, second = panel.form, panel.worker, viewer.layers["second"]
    form.mask.value = mask = viewer.add_labels(np.eye(40, 48, dtype=int))
    form.iterations.value = 11
    press(panel.restore_button)
    # None of this is for the run that waits.
    form.iterations.value = 12
    form.mask.value = None
    mask.data[:] = 1
    viewer.layers.remove(mask)
    form.image.value = viewer.layers["first"]
    second.data = np.zeros_like(picture)
    second.name = "renamed"
    solver.steps = 3
    press(panel.stop_button)
    next_one(panel, first)
    idle(panel)
    result = viewer.layers["second restored"]
    np.testing.assert_array_equal(result.data, np.where(np.eye(40, 48), 7, picture[::-1]))
    assert solver.asked.iterations == 11


@pytest.mark.parametrize("how", ["cancel", "stop", "fails"])
def test_however_the_first_run_ends_the_next_one_begins(begun, next_one, idle, heard, how):
    panel, viewer, solver = begun
    first = panel.worker
    press(panel.restore_button)
    solver.steps = 3
    if how == "fails":
        first.errored.emit(MemoryError("no memory"))
        first.quit()
    else:
        press(panel.cancel_button if how == "cancel" else panel.stop_button)
    next_one(panel, first)
    idle(panel)
    assert viewer.layers[-1].name == "second restored"
    assert ("first restored" in viewer.layers) == (how == "stop")
    assert panel.restore_button.text == "Restore"


def test_the_one_that_waits_can_be_taken_off(qtbot, begun, idle, heard):
    panel, viewer, _ = begun
    first = panel.worker
    press(panel.restore_button)
    press(panel.preview_button)
    assert panel.waiting.line.value == "2 runs wait, the last for second."
    press(panel.waiting.button)
    press(panel.waiting.button)
    press(panel.waiting.button)  # there is none
    assert not panel.waiting.row.native.isVisibleTo(panel.native)
    assert panel.worker is first
    press(panel.cancel_button)
    qtbot.waitUntil(lambda: not first.is_running)
    qtbot.wait(100)
    assert panel.worker is None
    assert [x.name for x in viewer.layers] == ["first", "second"]
    assert heard == []


def test_one_whose_image_is_gone_is_said_and_left_out(begun, picture, next_one, idle, heard):
    panel, viewer, solver = begun
    first = panel.worker
    press(panel.restore_button)
    third = viewer.add_image(picture.T, name="third")
    panel.form.image.value = third
    press(panel.restore_button)
    viewer.layers.remove("second")
    solver.steps = 3
    press(panel.cancel_button)
    next_one(panel, first)
    assert [str(said.message) for said in heard] == [
        "The run that waited for 'second' is left out: the image is gone."
    ]
    idle(panel)
    assert [x.name for x in viewer.layers] == ["first", "third", "third restored"]


def test_the_very_same_run_is_not_queued(begun, heard):
    panel, viewer, _ = begun
    panel.form.image.value = viewer.layers["first"]
    press(panel.restore_button)  # a double click, say
    assert "very run" in str(heard.pop().message)
    assert len(panel.waiting) == 0
    panel.form.iterations.value = 11
    press(panel.restore_button)
    press(panel.restore_button)
    assert "very run" in str(heard.pop().message)
    assert len(panel.waiting) == 1
    viewer.layers["first"].data[0, 0] += 1
    press(panel.restore_button)
    assert len(panel.waiting) == 2
    assert heard == []


def test_a_mistake_is_said_at_once_and_nothing_waits(begun, heard):
    panel, viewer, _ = begun
    viewer.dims.ndisplay = 3
    press(panel.restore_button)
    assert "3-D display" in str(heard[0].message)
    assert len(panel.waiting) == 0
    assert panel.worker is not None


def test_a_press_while_a_cancelled_one_ends_waits_behind_the_others(begun, next_one, idle, picture):
    panel, viewer, solver = begun
    first = panel.worker
    press(panel.restore_button)
    press(panel.cancel_button)  # its thread has not ended yet
    panel.form.image.value = viewer.layers["first"]
    press(panel.restore_button)
    assert len(panel.waiting) == 2
    solver.steps = 3
    next_one(panel, first)
    idle(panel)
    assert [x.name for x in viewer.layers if "restored" in x.name] == [
        "second restored",
        "first restored",
    ]


@pytest.mark.parametrize("closed", ["panel", "viewer"])
@pytest.mark.parametrize("cancelled", [False, True])
def test_what_is_closed_drops_all(
    qtbot, make_napari_viewer, fake_solver, picture, closed, cancelled, heard
):
    viewer = make_napari_viewer()
    viewer.add_image(picture, name="photo")
    solver = fake_solver(steps=10_000)
    panel = RestoreWidget(viewer, solve=lambda i, m, r, **kw: solver(i, m, **kw))
    dock = viewer.window.add_dock_widget(panel, name="Restore image")
    press(panel.restore_button)
    qtbot.waitUntil(lambda: solver.records > 1)
    press(panel.preview_button)
    worker, asked = panel.worker, solver.asked
    assert len(panel.waiting) == 1
    if cancelled:
        press(panel.cancel_button)
    if closed == "panel":
        dock.destroyOnClose()
    else:
        viewer.close()
    qtbot.waitUntil(lambda: not worker.is_running, timeout=5000)
    ticks = []
    QTimer.singleShot(100, lambda: ticks.append(1))
    qtbot.waitUntil(lambda: bool(ticks))
    assert solver.asked is asked  # nothing else began
    assert panel.worker is None
    assert solver.closed == 1
    assert heard == []
