"""The panel in napari's own window: closed, docked, and at a real restoration."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from napari.utils import progress
from qtpy.QtCore import Qt

from napari_dred.viewer.restore_widget import RestoreWidget

pytestmark = pytest.mark.window


def running(qtbot, panel):
    """Press Restore and wait for the first preview; give the worker."""
    panel.restore_button.native.click()
    qtbot.waitUntil(lambda: any("in progress" in x.name for x in panel._viewer.layers))
    return panel.worker


def ended(qtbot, worker, seconds=2):
    qtbot.waitUntil(lambda: not worker.is_running, timeout=1000 * seconds)


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


def test_the_tab_key_goes_from_top_to_bottom(make_napari_viewer, picture):
    viewer = make_napari_viewer()
    viewer.add_image(picture)
    panel = RestoreWidget(viewer)
    viewer.window.add_dock_widget(panel, name="Restore image")
    root = panel.native
    stops, widget = [], root.nextInFocusChain()
    while widget is not root:
        shown = root.isAncestorOf(widget) and widget.isVisibleTo(root)
        if shown and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            stops.append(widget)
        widget = widget.nextInFocusChain()
    wanted = [panel.form.image, panel.form.holes, panel.form.noise, panel.form.advanced]
    wanted += [panel.preview_button, panel.restore_button, panel.pause_button, panel.cancel_button]
    places = [stops.index(w.native) for w in wanted]
    assert places == sorted(places)
    assert places[0] == 0  # not the area around the fields
