"""Missing pixels by their value, and the layer that is made of them."""

from __future__ import annotations

import threading

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dred.viewer.find_missing import (
    NOT_FINITE,
    SATURATED,
    ZERO,
    FindMissing,
    find_missing,
)
from napari_dred.viewer.masks import read_mask


def noisy(dtype, low=20, high=200, shape=(40, 50)):
    return np.random.default_rng(0).uniform(low, high, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_zeros(dtype):
    image = noisy(dtype)
    mask, said = find_missing(image, ZERO)
    assert not mask.any()
    assert said == "No pixel is zero."
    image[3, 4] = 0
    assert find_missing(image, ZERO)[1] == "1 pixel (0.1 %) is zero."
    image[10:12] = 0
    mask, said = find_missing(image, ZERO)
    assert said == "101 pixels (5.0 %) are zero."
    np.testing.assert_array_equal(mask, image == 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64])
def test_what_reaches_the_dtype_s_end_is_saturated(dtype):
    image = noisy(dtype)
    assert not find_missing(image, SATURATED)[0].any()
    image[5, 6:9] = top = np.iinfo(dtype).max
    mask, said = find_missing(image, SATURATED)
    np.testing.assert_array_equal(mask, image == top)
    assert said.startswith("3 pixels (0.1 %) are saturated (at ")


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_what_piles_up_at_the_image_s_own_end_is_saturated(dtype):
    image = np.minimum(noisy(dtype, 0, 6000), dtype(4095))
    mask, said = find_missing(image, SATURATED)
    np.testing.assert_array_equal(mask, image == 4095)
    assert said.endswith("are saturated (at 4,095).")
    assert not find_missing(noisy(dtype, 0, 6000), SATURATED)[0].any()


def test_nan_and_infinite():
    image = noisy(np.float32)
    image[1, 2], image[3, 4] = np.nan, -np.inf
    mask, said = find_missing(image, NOT_FINITE)
    assert sorted(zip(*mask.nonzero(), strict=True)) == [(1, 2), (3, 4)]
    assert said == "2 pixels (0.1 %) are NaN or infinite."
    assert not find_missing(image, SATURATED)[0].any()
    assert not find_missing(np.full((9, 9), np.nan), SATURATED)[0].any()
    assert not find_missing(noisy(np.uint8), NOT_FINITE)[0].any()


def test_a_colour_pixel_is_zero_if_all_channels_are_and_saturated_if_one_is():
    image = noisy(np.uint8, shape=(40, 50, 3))
    image[1, 2], image[3, 4, 0], image[5, 6, 1] = 0, 0, 255
    assert find_missing(image, ZERO)[0].nonzero() == (1, 2)
    assert find_missing(image, SATURATED)[0].nonzero() == (5, 6)


# The widget.


@pytest.fixture
def make(qtbot):
    """Give a function that makes the widget for the first layer of a viewer model."""

    def make():
        viewer, found = ViewerModel(), []
        widget = FindMissing(viewer, lambda: next(iter(viewer.layers), None), found.append)
        qtbot.addWidget(widget.native)
        return widget, viewer, found

    return make


def press(qtbot, widget, what=ZERO):
    widget.what.value = what
    widget.button.native.click()
    qtbot.waitUntil(lambda: widget.button.enabled, timeout=5000)


def test_one_layer_is_added_over_the_image_and_told(qtbot, make):
    widget, viewer, found = make()
    image = viewer.add_image(
        noisy(np.uint8),
        name="cells",
        scale=(2, 0.5),
        translate=(7, -3),
        rotate=30,
        units=("um", "um"),
    )
    image.data[5:8, 9] = 0
    press(qtbot, widget)
    assert [x.name for x in viewer.layers] == ["cells", "cells: zero"]
    assert found == [viewer.layers[1]]
    labels = found[0]
    for corner in ((0, 0), (39, 49)):
        assert np.allclose(labels.data_to_world(corner), image.data_to_world(corner))
    assert labels.units == image.units
    np.testing.assert_array_equal(read_mask(labels, image, viewer), image.data == 0)
    assert widget.status.value == "3 pixels (0.1 %) are zero."
    assert labels.editable


def test_where_there_is_none_no_layer_is_made(qtbot, make):
    widget, viewer, found = make()
    press(qtbot, widget)
    assert widget.status.value == "There is no image layer; open an image first."
    viewer.add_image(noisy(np.uint8))
    press(qtbot, widget, SATURATED)
    assert widget.status.value == "No pixel is saturated."
    assert len(viewer.layers) == 1
    viewer.dims.ndisplay = 3
    press(qtbot, widget)
    assert "3-D display" in widget.status.value
    assert found == []


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2)])
def test_of_a_stack_the_plane_shown_is_searched_and_marked(qtbot, make, order):
    widget, viewer, found = make()
    image = viewer.add_image(noisy(np.uint16, shape=(6, 7, 8)), scale=(3, 1, 1))
    image.data[4, 5, 6] = image.data[0, 0, 0] = 0
    viewer.dims.order = order
    viewer.dims.set_current_step(order[0], (4, 5)[order[0]])
    press(qtbot, widget)
    assert read_mask(found[0], image, viewer).sum() == 1
    assert found[0].data.nonzero() == (4, 5, 6)
    viewer.dims.set_current_step(order[0], 1)
    assert not read_mask(found[0], image, viewer).any()


def test_a_colour_image(qtbot, make):
    widget, viewer, found = make()
    image = viewer.add_image(noisy(np.uint8, shape=(20, 30, 4)), rgb=True)
    image.data[3, 4, :3] = 0
    press(qtbot, widget)
    assert found[0].data.shape == (20, 30)
    assert read_mask(found[0], image, viewer).nonzero() == (3, 4)


def lazy(block):
    """An (8, 8) array that a function makes when it is read."""
    meta = np.zeros(0, np.uint8)
    return da.map_blocks(block, dtype=np.uint8, chunks=((8,), (8,)), meta=meta)


def test_an_image_that_is_not_loaded_is_read_in_a_thread(qtbot, make):
    widget, viewer, found = make()
    readers = set()

    def block():
        readers.add(threading.current_thread())
        return np.zeros((8, 8), np.uint8)

    viewer.add_image(np.ones((8, 8), np.uint8))
    viewer.layers[0]._data = da.map_blocks(
        block, dtype=np.uint8, chunks=((8,), (8,)), meta=np.zeros(0, np.uint8)
    )
    press(qtbot, widget)
    assert found[0].data.all()
    assert threading.main_thread() not in readers


def test_a_file_that_cannot_be_read_is_said(qtbot, make, heard):
    widget, viewer, found = make()

    def block():
        raise OSError("the disk is gone")

    viewer.add_image(np.ones((8, 8), np.uint8))
    viewer.layers[0]._data = da.map_blocks(
        block, dtype=np.uint8, chunks=((8,), (8,)), meta=np.zeros(0, np.uint8)
    )
    press(qtbot, widget)
    assert widget.status.value == "The image could not be read: The disk is gone."
    assert found == []


def test_what_was_closed_or_lost_its_image_makes_no_layer(qtbot, make):
    widget, viewer, found = make()
    viewer.add_image(np.zeros((8, 8), np.uint8))
    widget.button.native.click()
    assert widget.status.value == "Looking…"
    widget.close_down()
    assert widget.button.enabled
    viewer.add_image(np.ones((8, 8)))
    widget.button.native.click()
    viewer.layers.pop(0)
    qtbot.waitUntil(lambda: widget.button.enabled, timeout=5000)
    assert widget.status.value == "The image is gone."
    assert found == []
