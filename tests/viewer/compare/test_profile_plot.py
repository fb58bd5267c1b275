"""The plot of a line profile follows the line and the layers, and ends with either."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt

from napari_dred.viewer.compare.form import NO_VIEW
from napari_dred.viewer.compare.views import SIDE_BY_SIDE
from napari_dred.viewer.compare.widget import CompareWidget

pytestmark = pytest.mark.window


@pytest.fixture
def panel(qtbot):
    viewer = ViewerModel()
    image = np.tile(np.arange(40.0), (30, 1))
    viewer.add_image(image, name="before", scale=(0.1, 0.1), units=("um", "um"))
    viewer.add_image(2 * image, name="after", scale=(0.1, 0.1), units=("um", "um"))
    panel = CompareWidget(viewer)
    panel.viewer = viewer
    qtbot.addWidget(panel.native)
    for name in ("inserted", "removed", "reordered", "renamed"):
        getattr(viewer.layers.events, name).connect(panel.reset_choices)
    return panel


def drawn(panel):
    """The curves, once what was to be drawn has been."""
    return panel.profile.plot.points(0)[1], panel.profile.plot.points(1)[1]


def length(panel):
    distance = panel.profile.plot.points(0)[0]
    return distance[-1] if len(distance) else 0


def begin(panel, qtbot):
    panel.form.profile_button.native.click()
    shapes = panel.profile.shapes
    shapes.add_lines(np.array([[5, 10], [5, 20]]))
    qtbot.waitUntil(lambda: len(drawn(panel)[0]) == 11)
    return shapes


def test_a_line_is_drawn_and_moved(qtbot, panel):
    assert panel.profile.isHidden()
    panel.form.profile_button.native.click()
    shapes = panel.viewer.layers.selection.active
    assert shapes.mode == "add_line"
    assert not panel.profile.isHidden()
    qtbot.waitUntil(lambda: "has no line" in panel.profile.plot.legend.text())
    begin(panel, qtbot)
    before, after = drawn(panel)
    np.testing.assert_allclose(before, np.arange(10, 21))
    np.testing.assert_allclose(after, 2 * before)
    assert panel.profile.plot.points(0)[0][-1] == pytest.approx(1)
    assert "µm" in panel.profile.plot.x_label
    assert "after" in panel.profile.plot.legend.text()
    shapes.data = [np.array([[5, 0], [5, 30]])]
    qtbot.waitUntil(lambda: len(drawn(panel)[0]) == 31)
    shapes.translate = (0.0, 0.5)
    qtbot.waitUntil(lambda: drawn(panel)[0][0] == pytest.approx(5))


def test_it_follows_the_layers(qtbot, panel):
    begin(panel, qtbot)
    before = panel.form.before.value
    before.data = before.data + 100
    qtbot.waitUntil(lambda: drawn(panel)[0][0] == 110)
    before.name = "renamed <b>"
    qtbot.waitUntil(lambda: "renamed &lt;b&gt;" in panel.profile.plot.legend.text())
    other = panel.viewer.add_image(before.data + 7, scale=before.scale, units=before.units)
    panel.form.after.value = other
    qtbot.waitUntil(lambda: drawn(panel)[1][0] == 117)
    panel.viewer.layers.remove(other)
    panel.form.after.value = before
    qtbot.waitUntil(lambda: "two different image layers" in panel.profile.plot.legend.text())
    assert len(drawn(panel)[0]) == 0


def test_the_selected_shapes_layer_is_taken(qtbot, panel):
    shapes = panel.viewer.add_shapes([[0.5, 1.0], [0.5, 2.0]], shape_type="line", edge_width=0.1)
    shapes.units = ("um", "um")
    panel.viewer.layers.selection.select_only(shapes)
    panel.form.profile_button.native.click()
    assert panel.profile.shapes is shapes
    assert shapes.mode == "pan_zoom"
    qtbot.waitUntil(lambda: len(drawn(panel)[0]) == 11)
    np.testing.assert_allclose(drawn(panel)[0], np.arange(10, 21))
    assert len(panel.viewer.layers) == 3


def test_it_ends_with_the_line_layer_and_with_the_panel(qtbot, panel):
    shapes = begin(panel, qtbot)
    panel.viewer.layers.remove(shapes)
    assert panel.profile.isHidden()
    shapes = begin(panel, qtbot)
    panel._on_parent_changed()
    assert panel.profile.isHidden()
    assert shapes in panel.viewer.layers
    shapes.data = [np.array([[5, 0], [5, 30]])]
    qtbot.wait(100)
    assert len(drawn(panel)[0]) == 11


def test_the_line_gets_no_pane_of_its_own(qtbot, panel):
    panel.form.view.value = SIDE_BY_SIDE
    panel.form.profile_button.native.click()
    assert panel.form.view.value == NO_VIEW
    assert panel.profile.shapes in panel.viewer.layers


def test_what_hinders_it_is_said(qtbot, heard):
    panel = CompareWidget(ViewerModel())
    qtbot.addWidget(panel.native)
    panel.form.profile_button.native.click()
    assert "two different image layers" in panel.form.status.value
    assert panel.profile.isHidden()
    assert len(heard) == 1


def test_it_takes_the_colours_of_the_theme(qtbot, panel):
    begin(panel, qtbot)
    dark = panel.profile.plot.legend.text()
    panel.viewer.theme = "light"
    assert panel.profile.plot.legend.text() != dark


def test_the_mouse_draws_the_line_in_the_window(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    image = np.tile(np.arange(100.0), (100, 1))
    viewer.add_image(image, name="before")
    viewer.add_image(-image, name="after", opacity=0.5)
    panel = CompareWidget(viewer)
    viewer.window.add_dock_widget(panel, name="Compare images")
    panel.form.profile_button.native.click()
    qtbot.wait(100)
    canvas = viewer.window._qt_viewer.canvas.native
    start = QPoint(canvas.width() // 2, canvas.height() // 2)
    left = Qt.MouseButton.LeftButton
    qtbot.mousePress(canvas, left, pos=start)
    for pixels in (20, 60):
        qtbot.mouseMove(canvas, start + QPoint(pixels, 0))
        qtbot.wait(20)
    # Already while the mouse is held.
    span = 60 / viewer.scene.camera.zoom
    qtbot.waitUntil(lambda: length(panel) == pytest.approx(span, abs=1))
    qtbot.mouseRelease(canvas, left, pos=start + QPoint(60, 0))
    before, after = drawn(panel)
    np.testing.assert_allclose(after, -before)
    assert panel.native.minimumSizeHint().width() <= 320
    viewer.window.remove_dock_widget(panel.native)
    assert panel.profile.isHidden()
    assert panel.profile.shapes is None
