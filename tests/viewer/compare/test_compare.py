"""The panel "Compare images": its views leave nothing behind, and its figures are right."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt
from qtpy.QtGui import QGuiApplication

from napari_dred import Parameters, metrics
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
    assert panel.table.figures[1][0] == "FRC resolution (µm)"
    panel.save(tmp_path / "figures.csv")
    text = (tmp_path / "figures.csv").read_text("utf-8-sig")
    assert text.startswith("Figure,Before,After\nFRC resolution (px),")
    assert heard == []


def test_with_a_reference_psnr_and_ssim_and_the_table_is_copied(qtbot, heard):
    viewer, rng = ViewerModel(), np.random.default_rng(0)
    truth = rng.integers(50, 200, (40, 48), dtype=np.uint8)
    near, far = (np.clip(truth + rng.normal(0, s, truth.shape), 0, 255) for s in (2, 20))
    for name, image in (("truth", truth), ("far", far), ("near", near)):
        viewer.add_image(image.astype(np.uint8), name=name)
    panel = docked(viewer, qtbot)
    panel.form.reference.value = viewer.layers["truth"]
    assert not panel.form.copy_button.enabled
    panel.form.measure_button.native.click()
    qtbot.waitUntil(lambda: panel.table.rowCount() == 3, timeout=8000)
    images = [viewer.layers[name].data for name in ("far", "near")]
    assert panel.table.figures == [
        ("PSNR (dB)", *(f"{metrics.psnr(x, truth):.2f}" for x in images)),
        ("PSNR-Y (dB)", *(f"{metrics.psnr_y(x, truth):.2f}" for x in images)),
        ("SSIM", *(f"{metrics.ssim(x, truth):.4f}" for x in images)),
    ]
    assert panel.form.status.value.startswith("No residual: nothing is known of how the image")
    panel.form.copy_button.native.click()
    text = QGuiApplication.clipboard().text()
    rows = [tuple(line.split("\t")) for line in text.splitlines()]
    assert rows == [("Figure", "Before", "After"), *panel.table.figures]
    panel.form.after.value = viewer.layers["truth"]  # the figures were those of another pair
    assert panel.table.rowCount() == 0
    assert not panel.form.copy_button.enabled
    assert heard == []


def test_whole_numbers_of_16_bits(qtbot):
    viewer = ViewerModel()
    high = np.full((32, 32), 60000, np.uint16)
    low = np.full((32, 32), 10, np.uint16)
    for image in (high, high, low):
        viewer.add_image(image)
    panel = docked(viewer, qtbot)
    panel.form.reference.value = viewer.layers[0]
    panel.form.measure_button.native.click()
    qtbot.waitUntil(lambda: panel.table.rowCount() == 2, timeout=8000)
    name, before, after = panel.table.figures[0]
    assert (name, before) == ("PSNR (dB)", "equal")
    assert float(after) == pytest.approx(20 * np.log10(65535 / 59990), abs=0.01)
    panel.form.difference_button.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 4)
    np.testing.assert_array_equal(viewer.layers[-1].data, np.full((32, 32), -59990))


def test_a_difference_of_colours_does_not_cancel(qtbot):
    viewer = ViewerModel()
    image = np.full((8, 9, 3), 100, np.uint8)
    other = image.copy()
    other[0, 0] = 105, 95, 100
    other[0, 1] = 90, 90, 90
    viewer.add_image(image, rgb=True)
    viewer.add_image(other, rgb=True)
    panel = docked(viewer, qtbot)
    panel.form.difference_button.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3)
    found = viewer.layers[-1].data
    np.testing.assert_allclose(found[0, :3], [np.sqrt(50 / 3), -10, 0], rtol=1e-6)
    assert "three channels" in panel.form.difference_button.tooltip


def test_the_residual_of_a_region_lies_on_it(qtbot):
    viewer, rng = ViewerModel(), np.random.default_rng(0)
    photo = rng.normal(100, 5, (40, 50)).astype(np.float32)
    restored = photo.copy()
    restored[10:30, 20:45] = 100
    region = {"top": 10, "bottom": 30, "left": 20, "right": 45}
    made = {"parameters": Parameters().to_dict(), "task": "denoise", "source": {"region": region}}
    place = {"scale": (0.5, 0.5), "translate": (3, 4)}
    viewer.add_image(photo, **place)
    viewer.add_image(restored, metadata={"napari-dred": made}, **place)
    panel = docked(viewer, qtbot)
    panel.form.residual_button.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=8000)
    layer = viewer.layers[-1]
    np.testing.assert_allclose(layer.data, photo[10:30, 20:45] - 100, atol=1e-4)
    np.testing.assert_allclose(
        layer.data_to_world((0, 0)), viewer.layers[0].data_to_world((10, 20))
    )


def test_pixels_that_were_filled_in_are_told_until_their_mask_is_chosen(qtbot):
    viewer, rng = ViewerModel(), np.random.default_rng(0)
    photo = rng.normal(100, 5, (40, 50)).astype(np.float32)
    photo[0, :3] = np.nan  # known without a mask
    mask = np.zeros((40, 50), np.uint8)
    mask[20:22, 20:30] = 1
    made = {"parameters": Parameters().to_dict(), "task": "inpaint", "missing_pixels": 23}
    viewer.add_image(photo)
    viewer.add_image(np.full_like(photo, 100), metadata={"napari-dred": made})
    labels = viewer.add_labels(mask)
    panel = docked(viewer, qtbot)
    panel.form.residual_button.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 4, timeout=8000)
    assert "filled in 20 pixels" in panel.form.status.value
    panel.form.measure_button.native.click()
    qtbot.waitUntil(lambda: panel.table.rowCount() > 0, timeout=8000)
    assert "filled in 20 pixels" in panel.form.status.value
    panel.form.mask.value = labels
    panel.form.residual_button.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 5, timeout=8000)
    assert "filled in" not in panel.form.status.value
    np.testing.assert_array_equal(np.isnan(viewer.layers[-1].data), mask + np.isnan(photo) > 0)


def test_the_same_contrast_for_both_lasts_as_long_as_it_is_checked(qtbot, heard):
    viewer = ViewerModel()
    before = viewer.add_image(np.zeros((8, 8)), contrast_limits=(0, 10))
    after = viewer.add_image(np.zeros((8, 8)), contrast_limits=(5, 50))
    panel = docked(viewer, qtbot)
    panel.form.same_contrast.value = True
    assert after.contrast_limits == [0, 10]
    after.contrast_limits = (2, 8)
    assert before.contrast_limits == [2, 8]
    panel.form.same_contrast.value = False
    assert (before.contrast_limits, after.contrast_limits) == ([0, 10], [5, 50])
    panel.form.after.value = before
    panel.form.same_contrast.value = True
    assert not panel.form.same_contrast.value
    assert len(heard) == 1


def test_stepping_through_a_stack_during_a_swipe(qtbot):
    viewer, rng = ViewerModel(), np.random.default_rng(0)
    stack = rng.integers(0, 256, (3, 40, 48), dtype=np.uint8)
    viewer.add_image(stack)
    after = viewer.add_image(255 - stack)
    viewer.dims.set_current_step(0, 0)
    panel = docked(viewer, qtbot)
    panel.form.view.value = SWIPE
    for z in (0, 2, 1):
        viewer.dims.set_current_step(0, z)
        right = panel._comparison.view.right
        np.testing.assert_array_equal(right.data[0], after.data[z, :, 24:])
        np.testing.assert_allclose(right.data_to_world((0, 0, 0)), (z, 0, 24))
    panel.form.view.value = NO_VIEW
    assert list(viewer.layers) == [viewer.layers[0], after]


@pytest.mark.parametrize("kind", [SIDE_BY_SIDE, SWIPE, BLINK])
def test_going_to_3d_during_a_view(qtbot, heard, kind):
    viewer = ViewerModel()
    for _ in range(2):
        viewer.add_image(np.zeros((3, 40, 48), np.uint8))
    panel = docked(viewer, qtbot)
    panel.form.view.value = kind
    viewer.dims.ndisplay = 3
    if kind == SWIPE:  # which shows planes
        assert panel.form.view.value == NO_VIEW
        assert "3-D display" in panel.form.status.value
        assert len(heard) == 1
    else:
        assert panel.form.view.value == kind
        assert heard == []
        panel.form.view.value = NO_VIEW
    assert [x.visible for x in viewer.layers] == [True, True]
    assert not viewer.canvas.grid.enabled


@pytest.mark.parametrize("kind", [SIDE_BY_SIDE, SWIPE, BLINK])
def test_another_layer_is_chosen_during_a_view(qtbot, pair, kind):
    panel = docked(pair, qtbot)
    before, after, other = pair.layers
    panel.form.before.value, panel.form.after.value = before, after
    was = state(pair)
    panel.form.view.value = kind
    panel.form.after.value = other
    assert panel.form.view.value == kind
    assert panel._comparison.layers[:2] == [before, other]
    if kind == SWIPE:
        assert panel._comparison.view.right.name.startswith("other")
    assert not after.visible
    panel.form.view.value = NO_VIEW
    assert state(pair) == was


def test_layers_that_come_after_the_panel_are_proposed(qtbot):
    viewer = ViewerModel()
    panel = docked(viewer, qtbot)
    before = viewer.add_image(np.zeros((8, 8)))
    after = viewer.add_image(np.zeros((8, 8)))
    assert (panel.form.before.value, panel.form.after.value) == (before, after)
    viewer.add_image(np.zeros((8, 8)))  # two that were chosen stay
    assert (panel.form.before.value, panel.form.after.value) == (before, after)


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


@pytest.mark.parametrize(
    "damage",
    [
        {"missing_pixels": "many"},
        {"missing_pixels": [3]},
        {"missing_pixels": float("inf")},
        {"source": [1]},
        {"source": {"region": {"top": float("inf"), "bottom": 1, "left": 0, "right": 1}}},
        {"psf": {"shape": [float("inf"), 3], "sha256": ""}},
        {"psf": ["no"]},
        {"parameters": [1]},
        {"parameters": {"scale": "large"}},
    ],
)
def test_a_damaged_record_is_said_in_words(qtbot, damage):
    viewer = ViewerModel()
    viewer.add_image(np.zeros((20, 20)), name="before")
    record = {"parameters": {}, "missing_pixels": 0, **damage}
    viewer.add_image(np.zeros((20, 20)), name="after", metadata={"napari-dred": record})
    panel = CompareWidget(viewer)
    qtbot.addWidget(panel.native)
    panel.form.residual_button.native.click()
    qtbot.waitUntil(lambda: panel.form.status.value not in ("", "Computing…"))
    assert panel.form.status.value.endswith(".")
    assert "Internal error" not in panel.form.status.value
    assert len(viewer.layers) == 2
