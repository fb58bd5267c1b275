"""The panel "Compare images": its views leave nothing behind, and its figures are right."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt

from napari_dred import Parameters
from napari_dred.viewer.compare.form import NO_VIEW
from napari_dred.viewer.compare.views import BLINK, SIDE_BY_SIDE, SWIPE
from napari_dred.viewer.compare.widget import CompareWidget

pytestmark = pytest.mark.window


def state(viewer):
    grid, camera = viewer.canvas.grid, viewer.scene.camera
    return (
        [(x, x.visible, x.name_overlay.visible, x.name_overlay.position) for x in viewer.layers],
        (grid.enabled, grid.stride, grid.shape),
        (camera.center, camera.zoom),
        set(viewer.layers.selection),
    )


def docked(viewer, qtbot):
    panel = CompareWidget(viewer)
    qtbot.addWidget(panel.native)
    for name in ("inserted", "removed", "reordered", "renamed"):
        getattr(viewer.layers.events, name).connect(panel.reset_choices)
    return panel


@pytest.fixture(params=["gray", "rgb", "stack", "enlarged"])
def pair(request):
    viewer, rng = ViewerModel(), np.random.default_rng(0)
    shape = {"rgb": (40, 48, 3), "stack": (3, 40, 48)}.get(request.param, (40, 48))
    image = rng.integers(0, 256, shape, dtype=np.uint8)
    options = {"rotate": 20} if request.param == "gray" else {}
    viewer.add_image(image, name="before", **options)
    if request.param == "enlarged":
        image = image.repeat(2, 0).repeat(2, 1)
        options = {"scale": (0.5, 0.5), "translate": (-0.25, -0.25)}
    viewer.add_image(255 - image, name="after", **options)
    viewer.add_image(image, name="other", visible=True, **options)
    return viewer


@pytest.mark.parametrize("kind", [SIDE_BY_SIDE, SWIPE, BLINK])
def test_leaving_a_view_restores_everything(qtbot, pair, kind):
    panel = docked(pair, qtbot)
    panel.form.before.value, panel.form.after.value = pair.layers[:2]
    was = state(pair)
    panel.form.view.value = kind
    assert state(pair) != was
    panel.form.view.value = NO_VIEW
    assert state(pair) == was


def test_the_layer_before_is_in_the_first_pane(qtbot, pair):
    panel = docked(pair, qtbot)
    for before, after in (pair.layers[:2], pair.layers[1::-1]):
        panel.form.before.value, panel.form.after.value = before, after
        panel.form.view.value = SIDE_BY_SIDE
        grid, layers = pair.canvas.grid, list(pair.layers)
        assert grid.position(layers.index(before), layers) == (0, 0)
        assert grid.position(layers.index(after), layers) == (0, 1)
        panel.form.view.value = NO_VIEW


def test_swipe_shows_the_columns_right_of_the_divider(qtbot, pair):
    panel = docked(pair, qtbot)
    before, after = panel.form.before.value, panel.form.after.value = pair.layers[:2]
    panel.form.view.value = SWIPE
    panel.form.position.value = 25
    right = panel._comparison.view.right
    axis = -2 if after.rgb else -1
    width = after.data.shape[axis]
    assert right.data.shape[axis] == width - width // 4
    last = tuple(n - 1 for n in after.data.shape[: after.ndim])
    here = tuple(n - 1 for n in right.data.shape[: right.ndim])
    if after.ndim == 2:
        np.testing.assert_allclose(right.data_to_world(here), after.data_to_world(last))
        np.testing.assert_array_equal(right.data[here], after.data[last])
    assert before.visible
    assert not after.visible


@pytest.mark.parametrize("kind", [SIDE_BY_SIDE, SWIPE, BLINK])
def test_a_layer_that_is_deleted_ends_the_view(qtbot, pair, kind):
    panel = docked(pair, qtbot)
    panel.form.before.value, panel.form.after.value = pair.layers[:2]
    panel.form.view.value = kind
    pair.layers.remove(panel.form.after.value)
    assert panel.form.view.value == NO_VIEW
    assert [x.name for x in pair.layers] == ["before", "other"]
    assert not pair.canvas.grid.enabled


@pytest.mark.parametrize("index", [0, 1])
def test_a_layer_of_the_swipe_that_is_deleted_ends_it(qtbot, pair, index):
    panel = docked(pair, qtbot)
    panel.form.before.value, panel.form.after.value = pair.layers[:2]
    was = state(pair)
    panel.form.view.value = SWIPE
    pair.layers.remove(panel._comparison.view.layers[index])
    assert panel.form.view.value == NO_VIEW
    assert state(pair) == was


def test_blink_shows_one_at_a_time(qtbot, pair):
    panel = docked(pair, qtbot)
    panel.form.before.value, panel.form.after.value = pair.layers[:2]
    panel.form.rate.value = 5
    panel.form.view.value = BLINK
    assert pair.layers[0].visible
    qtbot.waitUntil(lambda: pair.layers[1].visible, timeout=3000)
    assert not pair.layers[0].visible
    panel.form.view.value = NO_VIEW


def test_difference_residual_and_figures(qtbot, tmp_path, heard):
    viewer, rng = ViewerModel(), np.random.default_rng(0)
    x = np.outer(np.arange(64), np.ones(64)).astype(np.float32)
    y = x + rng.normal(0, 2, x.shape).astype(np.float32)
    made = {"napari-dred": {"parameters": Parameters().to_dict(), "task": "denoise"}}
    viewer.add_image(y, name="photo", scale=(0.1, 0.1), units=("um", "um"))
    viewer.add_image(x, name="restored", scale=(0.1, 0.1), units=("um", "um"), metadata=made)
    panel = docked(viewer, qtbot)
    panel.form.difference_button.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    np.testing.assert_allclose(viewer.layers[-1].data, x - y, atol=1e-4)
    low, high = viewer.layers[-1].contrast_limits
    assert low == -high
    panel.form.residual_button.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 4, timeout=8000)
    np.testing.assert_allclose(viewer.layers[-1].data, y - x, atol=1e-4)
    panel.form.measure_button.native.click()
    qtbot.waitUntil(lambda: panel.table.rowCount() == 5)
    assert panel.table.figures[1][0] == "FRC resolution (micrometer)"
    panel.save(tmp_path / "figures.csv")
    text = (tmp_path / "figures.csv").read_text("utf-8-sig")
    assert text.startswith("Figure,Before,After\nFRC resolution (px),")
    assert heard == []


def test_what_cannot_be_compared_is_said(qtbot, heard):
    viewer = ViewerModel()
    panel = docked(viewer, qtbot)
    panel.form.view.value = SWIPE
    assert panel.form.view.value == NO_VIEW
    assert "two different image layers" in panel.form.status.value
    viewer.add_image(np.zeros((8, 8)), name="a")
    viewer.add_image(np.zeros((8, 9)), name="b")
    panel.form.before.value, panel.form.after.value = viewer.layers
    panel.form.difference_button.native.click()
    assert "(8, 8)" in panel.form.status.value
    assert "(8, 9)" in panel.form.status.value
    panel.form.residual_button.native.click()
    assert "nothing is known of how the image was made" in panel.form.status.value.lower()
    assert len(heard) == 3


def test_the_mouse_drags_the_divider_in_the_window(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    image = np.random.default_rng(0).integers(0, 256, (100, 100), dtype=np.uint8)
    viewer.add_image(image, name="before")
    viewer.add_image(255 - image, name="after")
    panel = CompareWidget(viewer)
    viewer.window.add_dock_widget(panel, name="Compare images")
    was = [x.visible for x in viewer.layers]
    panel.form.view.value = SWIPE
    qtbot.wait(100)
    canvas = viewer.window._qt_viewer.canvas.native
    middle = QPoint(canvas.width() // 2, canvas.height() // 2)
    centre = viewer.scene.camera.center
    zoom = viewer.scene.camera.zoom
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
    for pixels in (10, 40, 80):
        qtbot.mouseMove(canvas, middle + QPoint(pixels, 0))
        qtbot.wait(30)
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=middle + QPoint(80, 0))
    assert panel.native.minimumSizeHint().width() <= 320
    assert panel.form.position.value == pytest.approx(50 + 80 / zoom, abs=2)
    assert viewer.scene.camera.center == centre
    viewer.window.remove_dock_widget(panel.native)
    assert [x.visible for x in viewer.layers] == was
