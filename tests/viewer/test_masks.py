"""Which pixels of an image a Labels or a Shapes layer marks."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image, Labels, Shapes
from skimage.draw import disk

from napari_dred import InputError
from napari_dred.viewer.masks import (
    check_mask,
    mask_reader,
    mask_statement,
    place_of_mask,
    read_mask,
)
from napari_dred.volumes import Region

# Labels.


def test_a_mask_of_a_stack_is_that_of_the_plane_shown():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((3, 4, 5)))
    painted = np.zeros((3, 4, 5), int)
    painted[1, 2, 3] = 9
    labels = viewer.add_labels(painted)
    viewer.dims.set_current_step(0, 1)
    assert read_mask(labels, layer, viewer).nonzero() == (2, 3)
    viewer.dims.set_current_step(0, 2)
    assert not read_mask(labels, layer, viewer).any()


def test_whether_a_mask_fits_is_told_without_reading_it():
    def block():
        raise AssertionError("it was read")

    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3, 4, 5)))
    labels = Labels(np.zeros((3, 4, 5), int))
    labels._data = da.map_blocks(block, dtype=int, chunks=((3,), (4,), (5,)), meta=np.zeros(0, int))
    assert place_of_mask(labels, image, viewer)[1:] == (slice(None), slice(None))
    with pytest.raises(InputError, match="size"):
        check_mask(labels, Image(np.zeros((9, 9))), viewer)


def test_a_flat_mask_holds_for_all_planes_and_a_colour_image_has_a_flat_mask():
    viewer = ViewerModel()
    stack = viewer.add_image(np.zeros((3, 4, 5)))
    photo = viewer.add_image(np.zeros((4, 5, 3), np.uint8), rgb=True)
    labels = viewer.add_labels(np.eye(4, 5, dtype=int))
    slab = viewer.add_labels(np.eye(4, 5, dtype=int)[None])
    viewer.dims.set_current_step(0, 2)
    for image in (stack, photo):
        np.testing.assert_array_equal(read_mask(labels, image, viewer), np.eye(4, 5, dtype=bool))
    np.testing.assert_array_equal(read_mask(slab, stack, viewer), np.eye(4, 5, dtype=bool))


def test_a_flat_image_takes_the_plane_of_the_mask_that_is_shown():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 5)))
    labels = viewer.add_labels(np.arange(3)[:, None, None] * np.ones((1, 4, 5), int))
    viewer.dims.set_current_step(0, 0)
    assert not read_mask(labels, image, viewer).any()
    viewer.dims.set_current_step(0, 2)
    assert read_mask(labels, image, viewer).all()


def test_a_mask_of_another_size_is_refused_with_both_sizes():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3, 4, 5)))
    viewer.dims.set_current_step(0, 2)
    with pytest.raises(InputError, match=r"5 x 4 pixels.*4 x 5"):
        read_mask(Labels(np.zeros((5, 4), int)), image, viewer)
    with pytest.raises(InputError, match=r"2 planes on axis 0.*plane 2"):
        read_mask(viewer.add_labels(np.zeros((2, 4, 5), int)), image, viewer)
    viewer.dims.order = (2, 0, 1)
    viewer.dims.set_current_step(2, 2)
    with pytest.raises(InputError, match="size"):
        read_mask(Labels(np.zeros((4, 5), int)), image, viewer)


def test_what_the_mask_does_is_said():
    mask = np.zeros((100, 100), bool)
    assert "empty" in mask_statement(mask)
    assert "every pixel" in mask_statement(~mask)
    mask[0, 0] = True
    assert mask_statement(mask) == "1 pixel (less than 0.1 %) will be replaced."
    mask[:12, :100] = True
    assert mask_statement(mask) == "1,200 pixels (12.0 %) will be replaced."
    assert mask_statement(mask, Region(10, 20, 0, 100)).startswith("200 pixels (20.0 %)")
    assert mask_statement(~mask).endswith(
        "88.0 % of the pixels as missing. If it marks those that are known instead, invert it."
    )
    assert "empty in the region" in mask_statement(mask, Region(50, 60, 0, 100))


def test_one_label_can_be_chosen():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 5)))
    painted = np.zeros((4, 5), int)
    painted[1, 1], painted[2, 3] = 1, 7
    labels = viewer.add_labels(painted)
    assert read_mask(labels, image, viewer).sum() == 2
    assert read_mask(labels, image, viewer, label=7).nonzero() == (2, 3)
    assert not read_mask(labels, image, viewer, label=3).any()
    with pytest.raises(InputError, match="label 0"):
        read_mask(labels, image, viewer, label=0)


def test_a_mask_is_read_when_that_is_asked_for():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3, 4, 5)))
    labels = viewer.add_labels(np.arange(3)[:, None, None] * np.ones((1, 4, 5), int))
    viewer.dims.set_current_step(0, 2)
    read = mask_reader(labels, image, viewer)
    viewer.dims.set_current_step(0, 0)
    assert read().all()


# Shapes.


def rectangle(top, left, bottom, right):
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]], float)


TRIANGLE = np.array([[3.2, 4.1], [15.7, 9.3], [6.4, 20.8]])
STAR = np.array([[2, 15], [18, 20], [4, 25], [16, 14.5], [16.5, 27]])  # it crosses itself


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (rectangle(3.5, 2.5, 8.2, 11.7), "rectangle"),
        (rectangle(-9, -9, 90, 90), "rectangle"),
        (rectangle(50, 50, 60, 60), "rectangle"),
        (TRIANGLE, "polygon"),
        (STAR, "polygon"),
        (rectangle(2.3, 3.4, 14.8, 22.9), "ellipse"),
    ],
)
def test_a_shape_marks_what_napari_makes_labels_of(data, kind):
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((20, 30)))
    shapes = viewer.add_shapes([data], shape_type=kind)
    expected = shapes.to_labels(labels_shape=(20, 30)) > 0
    wrong = read_mask(shapes, image, viewer) != expected
    # Of an ellipse napari leaves one corner out.
    assert wrong.sum() <= (3 if kind == "ellipse" else 0)


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.floats(0.3, 3), st.floats(0.3, 3)),
    st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
    st.floats(-170, 170),
    st.floats(-0.8, 0.8),
    st.booleans(),
)
def test_shapes_are_found_through_both_layers_transforms(scale, translate, angle, shear, rgb):
    rotation = np.deg2rad(angle)
    turn = [[np.cos(rotation), -np.sin(rotation)], [np.sin(rotation), np.cos(rotation)]]
    affine = np.array([[1.1, 0.2, 3], [-0.1, 0.9, -4], [0, 0, 1]])
    image = Image(
        np.zeros((20, 30, 3) if rgb else (20, 30)),
        rgb=rgb,
        scale=scale[::-1],
        translate=translate,
        rotate=turn,
        affine=affine,
    )
    shapes = Shapes(ndim=2, scale=scale, translate=translate[::-1], shear=[shear], rotate=turn)
    viewer = ViewerModel()
    viewer.add_layer(image)
    viewer.add_layer(shapes)

    def drawn(*corners):
        return np.array([shapes.world_to_data(image.data_to_world(c)) for c in corners])

    shapes.add(drawn(*TRIANGLE), shape_type="polygon")
    box = rectangle(6.3, 9.4, 18.8, 28.9)
    shapes.add(drawn(*box), shape_type="ellipse")
    plain = Shapes([TRIANGLE, box], shape_type=["polygon", "ellipse"])
    expected = plain.to_labels(labels_shape=(20, 30)) > 0
    assert (read_mask(shapes, image, viewer) != expected).sum() <= 3


def test_shapes_in_other_units_are_found():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((40, 50)), scale=(0.5, 0.5), units=("um", "um"))
    shapes = viewer.add_shapes(
        [rectangle(4800, 2300, 10200, 15200)], units=("nm", "nm"), shape_type="rectangle"
    )
    expected = np.zeros((40, 50), bool)
    expected[10:21, 5:31] = True
    np.testing.assert_array_equal(read_mask(shapes, image, viewer), expected)


def test_a_line_is_as_wide_as_it_is_drawn_and_a_thin_one_has_no_gaps():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((40, 50)))
    shapes = viewer.add_shapes([[[10, 5], [10, 30]]], shape_type="line", edge_width=5)
    expected = np.zeros((40, 50), bool)
    expected[8:13, 5:31] = True
    wrong = read_mask(shapes, image, viewer) != expected
    assert wrong[:, 6:30].sum() <= 25  # a border that runs through pixels' centres
    shapes.data = []
    shapes.add([[5, 5], [25, 40], [35, 7]], shape_type="path", edge_width=0.01)
    thin = read_mask(shapes, image, viewer)
    assert thin[5:35].any(axis=1).all()
    assert thin.sum() < 110
    assert thin[25, 39:42].any()


def test_a_thick_path_is_round_at_its_turns():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((40, 50)))
    shapes = viewer.add_shapes([[[20, 5], [20, 25], [3, 25]]], shape_type="path", edge_width=9.5)
    mask = read_mask(shapes, image, viewer)
    assert mask[disk((20, 25), 4.2)].all()
    assert not mask[24, 29]


def test_of_shapes_in_a_stack_those_on_the_plane_shown_count():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((5, 20, 30)), scale=(2, 1, 1))
    here, elsewhere = rectangle(2, 3, 5, 8), rectangle(9, 9, 12, 14)
    shapes = viewer.add_shapes(
        [np.insert(here, 0, 4, axis=1), np.insert(elsewhere, 0, 2, axis=1)],
        shape_type="rectangle",
    )
    expected = np.zeros((20, 30), bool)
    expected[2:6, 3:9] = True
    viewer.dims.set_point(0, 4)  # plane 2 of the image, 4 of the shapes
    np.testing.assert_array_equal(read_mask(shapes, image, viewer), expected)
    viewer.dims.set_point(0, 8)
    assert not read_mask(shapes, image, viewer).any()


def test_flat_shapes_hold_for_all_planes_and_stacked_ones_for_a_flat_image():
    viewer = ViewerModel()
    stack = viewer.add_image(np.zeros((5, 20, 30)))
    flat = viewer.add_image(np.zeros((20, 30)))
    shapes = viewer.add_shapes([rectangle(2, 3, 5, 8)], shape_type="rectangle")
    deep = viewer.add_shapes([np.insert(rectangle(2, 3, 5, 8), 0, 3, axis=1)])
    viewer.dims.set_current_step(0, 3)
    for layer, image in ((shapes, stack), (deep, flat), (deep, stack)):
        mask = read_mask(layer, image, viewer)
        assert mask.sum() == 24
        assert mask[2:6, 3:9].all()
    viewer.dims.set_current_step(0, 1)
    assert read_mask(shapes, stack, viewer).any()
    assert not read_mask(deep, flat, viewer).any()


def test_shapes_on_another_view_of_a_stack():
    viewer = ViewerModel()
    stack = viewer.add_image(np.zeros((15, 20, 30)))
    flat = viewer.add_shapes([rectangle(2, 3, 5, 8)], shape_type="rectangle")
    side = viewer.add_shapes(
        [np.insert(rectangle(2, 3, 5, 8), 1, 6, axis=1)], shape_type="rectangle"
    )
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_current_step(1, 6)
    assert read_mask(side, stack, viewer)[2:6, 3:9].all()
    assert read_mask(side, stack, viewer).shape == (15, 30)
    for refuse in (check_mask, read_mask):
        with pytest.raises(InputError, match="2 axes"):
            refuse(flat, stack, viewer)


def test_no_shape_marks_nothing():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((20, 30)))
    shapes = viewer.add_shapes()
    check_mask(shapes, image, viewer)
    assert not read_mask(shapes, image, viewer).any()
