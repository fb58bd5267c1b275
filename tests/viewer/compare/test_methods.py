"""The panel "Compare methods": runs of one queue, a row each, however each of them ends."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from qtpy.QtCore import QThreadPool
from qtpy.QtGui import QGuiApplication

from napari_dred import RestorationError
from napari_dred.core.methods import EXPLANATIONS
from napari_dred.viewer.compare.methods_widget import MethodsWidget
from napari_dred.viewer.compare.trials import HEAD
from napari_dred.viewer.restore_widget import RestoreWidget

pytestmark = pytest.mark.window


@pytest.fixture
def make(qtbot, make_panel, picture):
    """Give a function that makes the panel beside one that restores, with an image."""

    def panels(**options):
        restore, viewer, solver = make_panel(**options)
        image = viewer.add_image(picture, name="photo")
        restore.form.image.value = image
        panel = MethodsWidget(viewer, lambda: restore)
        qtbot.addWidget(panel.native)
        for name in ("inserted", "removed", "reordered", "renamed"):
            getattr(viewer.layers.events, name).connect(panel.reset_choices)
        return panel, restore, viewer, solver

    return panels


@pytest.fixture
def over(qtbot):
    """Give a function that waits until every method has its row."""

    def until(panel):
        qtbot.waitUntil(lambda: bool(panel.trials) and not panel.busy, timeout=20_000)
        qtbot.waitUntil(
            lambda: all(len(t.row()) == len(HEAD) for t in panel.trials if t.layer), timeout=20_000
        )

    return until


@pytest.fixture
def two_threads():
    """One for a run and one for what is worked out beside it, on a single processor too."""
    pool = QThreadPool.globalInstance()
    count = pool.maxThreadCount()
    pool.setMaxThreadCount(max(2, count))
    yield
    pool.setMaxThreadCount(count)


def tick(panel, *methods):
    for name, box in panel.form.ticks.items():
        box.value = name in methods


def press(button):
    button.native.click()


def test_what_a_method_is_is_said_when_it_is_ticked(make):
    panel, *_ = make()
    panel.form.ticks["dip"].native.click()
    assert panel.form.about.value == f"dip: {EXPLANATIONS['dip']}"
    assert panel.form.ticked == ["dred", "hqs", "dip"]
    assert panel.form.limit.value >= 200  # which a network needs


def test_methods_run_one_after_the_other_and_have_a_layer_and_a_row_each(make, over, heard):
    panel, _, viewer, _ = make(steps=3)
    tick(panel, "dip", "hqs")
    panel.form.limit.value = 5
    press(panel.form.start_button)
    assert panel.busy
    assert not panel.form.start_button.enabled
    over(panel)
    assert [x.name for x in viewer.layers] == ["photo", "photo (hqs)", "photo (dip)"]
    asked = [x.metadata["napari-dred"]["parameters"]["method"] for x in viewer.layers[1:]]
    assert asked == ["hqs", "dip"]
    assert [t.request.parameters.iterations for t in panel.trials] == [5, 5]
    rows = panel.table.figures
    assert [row[0] for row in rows] == ["hqs", "dip"]
    assert [row[2:4] for row in rows] == [("3", "12"), ("3", "3000")]
    assert rows[0][4] == "0.00"  # the solver gives the image back
    assert "Cut short by the limit" in panel.form.status.value
    assert panel.table.isColumnHidden(HEAD.index("SSIM"))
    assert heard == []


def test_all_methods_read_the_image_as_it_was_when_compare_was_pressed(make, over):
    panel, _, viewer, _ = make(steps=3)
    before = viewer.layers["photo"].data.copy()
    tick(panel, "dip", "hqs")
    press(panel.form.start_button)
    viewer.layers["photo"].data = np.zeros_like(before)
    over(panel)
    for layer in viewer.layers[1:]:
        np.testing.assert_array_equal(layer.data, before)


def test_a_method_that_fails_says_why_and_the_others_go_on(make, over, heard):
    panel, restore, _, solver = make(steps=5)
    run = restore._solve

    def solve(*arrays, parameters, **options):
        solver.error = RestorationError("no, not so" * 20) if parameters.method == "dip" else None
        return run(*arrays, parameters=parameters, **options)

    restore._solve = solve
    tick(panel, "hqs", "dip", "pip")
    press(panel.form.start_button)
    over(panel)
    rows = {row[0]: row for row in panel.table.figures}
    assert rows["dip"][1].startswith("No, not so")
    assert panel.table.columnSpan(1, 1) == len(HEAD) - 1
    assert panel.table.columnWidth(1) < 80  # the reason makes no column wide
    assert len(rows["hqs"]) == len(rows["pip"]) == len(HEAD)
    assert "2 results. 1 method without" in panel.form.status.value


def test_cancel_ends_the_run_and_empties_the_queue(qtbot, make):
    panel, restore, viewer, solver = make(steps=10_000)
    tick(panel, "hqs", "dip", "pip")
    press(panel.form.start_button)
    qtbot.waitUntil(lambda: solver.records > 1, timeout=20_000)
    worker = restore.worker
    assert len(restore.waiting) == 2
    press(panel.form.cancel_button)
    assert len(restore.waiting) == 0
    qtbot.waitUntil(lambda: not worker.is_running)
    qtbot.wait(50)
    assert restore.worker is None
    assert [row[1] for row in panel.table.figures] == ["Cancelled."] * 3
    assert [x.name for x in viewer.layers] == ["photo"]
    assert panel.form.start_button.enabled


def test_closing_the_panel_restore_image_ends_the_comparison(qtbot, make):
    panel, restore, viewer, solver = make(steps=10_000)
    tick(panel, "hqs", "dip")
    press(panel.form.start_button)
    qtbot.waitUntil(lambda: solver.records > 1, timeout=20_000)
    worker = restore.worker
    restore._on_parent_changed()
    qtbot.waitUntil(lambda: not worker.is_running)
    assert not panel.busy
    assert all(len(row) == 2 for row in panel.table.figures)
    assert [x.name for x in viewer.layers] == ["photo"]


def test_a_run_of_the_user_is_not_touched_by_cancel(qtbot, make, two_threads):
    panel, restore, _, solver = make(steps=10_000)
    press(restore.restore_button)
    qtbot.waitUntil(lambda: solver.records > 1)
    worker = restore.worker
    tick(panel, "hqs", "dip")
    press(panel.form.start_button)
    qtbot.waitUntil(lambda: len(restore.waiting) == 2, timeout=20_000)
    press(panel.form.cancel_button)
    assert len(restore.waiting) == 0
    assert restore.worker is worker


@pytest.mark.parametrize("how", ["cancel", "remove"])
def test_what_ends_in_the_panel_restore_image_has_its_row(qtbot, make, over, how):
    panel, restore, _, solver = make(steps=10_000)
    tick(panel, "hqs", "dip")
    press(panel.form.start_button)
    qtbot.waitUntil(lambda: solver.records > 1, timeout=20_000)
    solver.steps = 3
    if how == "remove":
        press(restore.waiting.button)
        press(restore.stop_button)
    else:
        press(restore.cancel_button)
    over(panel)
    told = [row[1] for row in panel.table.figures if len(row) == 2]
    assert told == ["Taken off the queue." if how == "remove" else "Cancelled."]


def test_nothing_ticked_or_no_image_is_said(make, heard):
    panel, _, viewer, _ = make()
    tick(panel)
    press(panel.form.start_button)
    assert panel.form.status.value.startswith("No method is ticked")
    tick(panel, "hqs")
    viewer.layers.clear()
    press(panel.form.start_button)
    assert panel.form.status.value.startswith("There is no image layer")
    assert not panel.busy


def test_a_reference_adds_its_columns_whenever_it_is_chosen(qtbot, make, over, picture):
    panel, _, viewer, _ = make(steps=3)
    tick(panel, "hqs")
    press(panel.form.start_button)
    over(panel)
    truth = viewer.add_image(picture, name="truth")
    panel.form.reference.value = truth
    qtbot.waitUntil(lambda: panel.table.figures[0][-2:] == ("equal", "1.0000"))
    assert not panel.table.isColumnHidden(HEAD.index("SSIM"))
    panel.form.reference.value = viewer.add_image(picture[1:], name="smaller")
    qtbot.waitUntil(lambda: panel.table.figures[0][-2:] == ("–", "–"))
    assert "same size" in panel.form.status.value


def test_the_table_is_copied_and_saved(make, over, tmp_path):
    panel, *_ = make(steps=3)
    tick(panel, "hqs")
    press(panel.form.start_button)
    over(panel)
    press(panel.form.copy_button)
    assert QGuiApplication.clipboard().text().startswith("Method\tTime (s)\t")
    panel.trials[0]._measured = panel.trials[0]._result = None
    panel.trials[0].on_failure("No, so it is.")  # with a comma
    panel.save(tmp_path / "table.csv")
    lines = list(csv.reader((tmp_path / "table.csv").read_text("utf-8-sig").splitlines()))
    assert lines == [list(HEAD), ["hqs", "No, so it is."]]


def test_all_are_shown_side_by_side_and_the_viewer_comes_back(make, over):
    panel, _, viewer, _ = make(steps=3)
    viewer.add_labels(np.zeros((40, 48), int))
    tick(panel, "hqs", "dip")
    press(panel.form.start_button)
    assert not panel.form.spread.enabled
    over(panel)
    assert panel.form.spread.enabled
    panel.form.spread.value = True
    grid = viewer.canvas.grid
    assert grid.enabled
    assert [x.name for x in viewer.layers if x.visible] == ["photo", "photo (hqs)", "photo (dip)"]
    viewer.layers.remove("photo (dip)")
    assert not panel.form.spread.value
    assert not grid.enabled


def test_two_methods_compared_in_napari(qtbot, make_napari_viewer, over):
    viewer = make_napari_viewer()
    clean = np.kron(np.random.default_rng(1).integers(60, 190, (8, 8)), np.ones((6, 6)))
    noisy = clean + np.random.default_rng(0).normal(0, 12, clean.shape)
    viewer.add_image(noisy.clip(0, 255).astype(np.uint8), name="photo")
    viewer.add_image(clean.astype(np.uint8), name="clean")
    restore, panel = RestoreWidget(viewer), MethodsWidget(viewer)
    viewer.window.add_dock_widget(restore, name="Restore image")
    dock = viewer.window.add_dock_widget(panel, name="Compare methods")
    restore.form.image.value = viewer.layers["photo"]
    panel.form.reference.value = viewer.layers["clean"]
    tick(panel, "hqs", "deep-decoder")
    panel.form.limit.value = 4
    press(panel.form.start_button)
    over(panel)
    first, second = panel.table.figures
    assert (first[2:4], second[2:4]) == (("4", "24"), ("4", "1900"))
    for row in (first, second):
        assert all(float(row[HEAD.index(name)]) > 0 for name in ("Residual (σ)", "SSIM"))
    assert float(first[6]) > float(second[6])  # four iterations are too few for a network
    assert {"photo (hqs)", "photo (deep-decoder)"} <= {x.name for x in viewer.layers}
    panel.form.spread.value = True
    dock.destroyOnClose()
    assert not viewer.canvas.grid.enabled
