"""The layers of a run: changed while it runs, and laid where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dred.viewer.advanced import RECTANGLE

pytestmark = pytest.mark.window


def running(qtbot, panel):
    """Press Restore and wait for the first preview; give the worker."""
    panel.restore_button.native.click()
    qtbot.waitUntil(lambda: any("in progress" in x.name for x in panel._viewer.layers))
    return panel.worker


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
    labels = viewer.add_labels(np.tri(40, 48, 46, dtype=int))  # all but the corner
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


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_a_result_of_floats_stays_one(qtbot, make_panel, wait, dtype, channels):
    panel, viewer, _ = make_panel(steps=20, seconds=0.03)
    top = np.iinfo(dtype).max
    samples = np.random.default_rng(0).integers(0, top, (40, 48, channels), dtype)
    image = viewer.add_image(np.squeeze(samples), name="photo", rgb=channels > 1)
    labels = viewer.add_labels(np.eye(40, 48, dtype=int))
    panel.form.image.value, panel.form.mask.value = image, labels
    panel.form.keep_observed.value = True
    panel.form.output_dtype.value = "float32"
    running(qtbot, panel)
    preview = viewer.layers[-1]
    assert preview.data.dtype == np.float32
    panel.course.slider.setValue(0)
    panel.course.keep_button.native.click()
    wait(panel)
    kept, result = viewer.layers[-2:]
    assert result is preview  # it has become the result
    hole = np.eye(40, 48, dtype=bool)
    for layer in (kept, result):
        assert layer.metadata["napari-dred"]["parameters"]["output_dtype"] == "float32"
        assert layer.data.dtype == np.float32
        colours, given = layer.data[..., :3], image.data[..., :3]
        if channels == 1:
            colours, given = layer.data, image.data
        np.testing.assert_allclose(colours[~hole], given[~hole], rtol=1e-6)
