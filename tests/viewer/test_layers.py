"""What is read from layers, and that a result lies where its input does."""

from __future__ import annotations

import json

import dask.array as da
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image, Layer, Shapes

from napari_dred import InputError
from napari_dred.io import enlarged
from napari_dred.viewer.layers import (
    provenance,
    read_plane,
    result_layer,
    shapes_region,
    visible_region,
)
from napari_dred.viewer.masks import read_mask
from napari_dred.volumes import Region

numbers = st.floats(-3, 3, allow_nan=False)


@st.composite
def transforms(draw, ndim):
    """Scale, translation, rotation, shear and an extra affine, all at once."""
    rotate = np.eye(ndim)
    angle = draw(numbers)
    c, s = np.cos(angle), np.sin(angle)
    rotate[-2:, -2:] = [[c, -s], [s, c]]
    if ndim > 2 and draw(st.booleans()):
        tilt = np.eye(ndim)
        tilt[np.ix_([0, 2], [0, 2])] = [[c, s], [-s, c]]
        rotate = rotate @ tilt
    affine = np.eye(ndim + 1)
    affine[:-1] += np.array([[0.1 * draw(numbers) for _ in range(ndim + 1)] for _ in range(ndim)])
    return {
        "scale": [draw(st.floats(0.2, 5)) for _ in range(ndim)],
        "translate": [10 * draw(numbers) for _ in range(ndim)],
        "rotate": rotate,
        "shear": [0.3 * draw(numbers) for _ in range(ndim * (ndim - 1) // 2)],
        "affine": affine,
    }


def lies_over(layer, data, state, axes, index, factor, region):
    """Compare every third pixel's place in the world with that of the pixel it came from."""
    new = Layer.create(data, state, "image")
    assert new.ndim == layer.ndim
    size = [n for axis, n in enumerate(data.shape[: layer.ndim]) if axis in axes]
    for row in range(0, size[0], 3):
        for column in range(0, size[1], 3):
            here = np.zeros(layer.ndim)
            here[list(axes)] = row, column
            there = np.array(index, float)
            # The centre of pixel r of f times as many lies at (r + 1/2)/f - 1/2.
            there[list(axes)] = (
                (row + 0.5) / factor - 0.5 + region.top,
                (column + 0.5) / factor - 0.5 + region.left,
            )
            np.testing.assert_allclose(
                new.data_to_world(here), layer.data_to_world(there), rtol=1e-9, atol=1e-7
            )
    return new


@settings(max_examples=25)
@given(st.data(), st.sampled_from((1, 2, 3, 4, 8)), st.booleans())
def test_a_result_lies_over_its_image(data, factor, part):
    layer = Image(np.zeros((12, 14)), **data.draw(transforms(2)))
    viewer = ViewerModel()
    viewer.add_layer(layer)
    plane = read_plane(layer, viewer)
    region = Region(3, 9, 2, 11) if part else Region(0, 12, 0, 14)
    made = np.zeros([n * factor for n in region.shape])
    values, state, kind = result_layer(
        plane, made, name="r", scale=factor, region=region if part else None
    )
    assert kind == "image"
    lies_over(layer, values, state, (0, 1), (0, 0), factor, region)


@settings(max_examples=25)
@given(st.data(), st.sampled_from((1, 2, 3)), st.permutations((0, 1, 2)))
@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")  # napari's, for tilted stacks
def test_a_result_lies_over_the_plane_of_a_stack(data, factor, order):
    stack = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)
    layer = Image(stack, **data.draw(transforms(3)))
    viewer = ViewerModel()
    viewer.add_layer(layer)
    viewer.dims.order = tuple(order)
    axes, across = tuple(sorted(order[-2:])), order[0]
    viewer.dims.set_current_step(across, data.draw(st.integers(0, viewer.dims.nsteps[across] - 1)))
    try:
        plane = read_plane(layer, viewer)
    except InputError:
        assume(False)  # a tilted stack's sliders reach beyond its planes
    np.testing.assert_array_equal(plane.image, stack.take(plane.index[across], across))
    assert plane.axes == axes
    made = plane.image.repeat(factor, axis=0).repeat(factor, axis=1)
    values, state, _ = result_layer(plane, made, name="r", scale=factor)
    assert values.shape[across] == 1
    new = lies_over(layer, values, state, axes, plane.index, factor, Region(0, 6, 0, 7))
    assert new.data.dtype == np.uint16


def test_the_plane_is_the_one_that_napari_shows():
    stack = np.random.default_rng(0).normal(size=(4, 5, 6, 7))
    viewer = ViewerModel()
    layer = viewer.add_image(stack, scale=(2, 3, 0.5, 0.5), translate=(1, -4, 7, 9))
    for step in ((0, 0), (3, 4), (2, 1)):
        viewer.dims.set_current_step((0, 1), step)
        plane = read_plane(layer, viewer)
        assert plane.index == (*step, 0, 0)
        np.testing.assert_array_equal(plane.image, stack[step])
    viewer.dims.order = (3, 1, 0, 2)
    viewer.dims.set_current_step((3, 1), (5, 2))
    np.testing.assert_array_equal(read_plane(layer, viewer).image, stack[:, 2, :, 5])


def test_a_layer_in_other_units_gives_the_plane_that_napari_shows():
    stack = np.arange(6 * 4 * 4).reshape(6, 4, 4)
    viewer = ViewerModel()
    viewer.add_image(stack, scale=(1, 1, 1), units=("um", "um", "um"))
    layer = viewer.add_image(stack, scale=(1000, 1000, 1000), units=("nm", "nm", "nm"))
    viewer.dims.set_current_step(0, 4)
    plane = read_plane(layer, viewer)
    assert plane.index[0] == 4
    np.testing.assert_array_equal(plane.image, layer._data_view)


def test_a_layer_with_fewer_axes_than_the_viewer_is_taken_whole():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((9, 8, 8)))
    flat = viewer.add_image(np.eye(8))
    viewer.dims.set_current_step(0, 7)
    np.testing.assert_array_equal(read_plane(flat, viewer).image, np.eye(8))
    short = viewer.add_image(np.zeros((3, 8, 8)))
    with pytest.raises(InputError, match="sliders"):
        read_plane(short, viewer)


def test_colour_is_no_axis_and_alpha_comes_back():
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (6, 8, 4), dtype=np.uint8)
    viewer = ViewerModel()
    layer = viewer.add_image(pixels, rgb=True)
    plane = read_plane(layer, viewer)
    np.testing.assert_array_equal(plane.image, pixels[..., :3])
    values, state, _ = result_layer(plane, plane.image, name="r")
    np.testing.assert_array_equal(values, pixels)
    assert Layer.create(values, state, "image").rgb
    twice, state, _ = result_layer(
        plane, np.zeros((4, 6, 3), np.uint8), name="r", scale=2, region=Region(1, 3, 2, 5)
    )
    assert twice.dtype == np.uint8
    np.testing.assert_array_equal(twice[..., 3], enlarged(pixels[1:3, 2:5, 3], 2))
    # As large as the whole plane, and still a part of it.
    half = result_layer(
        plane, np.zeros((6, 8, 3), np.uint8), name="r", scale=2, region=Region(2, 5, 3, 7)
    )[0]
    np.testing.assert_array_equal(half[..., 3], enlarged(pixels[2:5, 3:7, 3], 2))


def test_a_stack_of_colour_images_gives_one_colour_image():
    stack = np.random.default_rng(2).integers(0, 255, (3, 6, 7, 3), dtype=np.uint8)
    viewer = ViewerModel()
    layer = viewer.add_image(stack, rgb=True)
    viewer.dims.set_current_step(0, 2)
    plane = read_plane(layer, viewer)
    np.testing.assert_array_equal(plane.image, stack[2])
    values, state, _ = result_layer(plane, plane.image, name="r")
    new = viewer.add_layer(Layer.create(values, state, "image"))
    assert values.shape == (1, 6, 7, 3)
    assert new.rgb
    assert viewer.dims.nsteps[0] == 3


def test_a_pyramid_is_read_at_full_resolution():
    fine = np.random.default_rng(3).normal(size=(64, 48))
    viewer = ViewerModel()
    layer = viewer.add_image([fine, fine[::2, ::2], fine[::4, ::4]], multiscale=True)
    plane = read_plane(layer, viewer)
    np.testing.assert_array_equal(plane.image, fine)
    values, state, _ = result_layer(plane, fine, name="r")
    assert not Layer.create(values, state, "image").multiscale


def test_of_lazy_data_only_the_plane_is_computed():
    computed = []

    def block(block_info=None):
        computed.append(block_info[None]["chunk-location"][0])
        return np.full((1, 4, 5), computed[-1], np.uint8)

    stack = da.map_blocks(block, dtype=np.uint8, chunks=((1,) * 9, (4,), (5,)))
    viewer = ViewerModel()
    layer = viewer.add_image(stack, contrast_limits=(0, 9))
    labels = viewer.add_labels(stack)
    viewer.dims.set_current_step(0, 6)
    computed.clear()
    assert (read_plane(layer, viewer).image == 6).all()
    assert read_mask(labels, layer, viewer).all()
    assert set(computed) <= {6}


def test_the_plane_is_a_copy():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((4, 4)))
    plane = read_plane(layer, viewer)
    plane.image[:] = 5
    assert not layer.data.any()


def test_the_3d_display_is_refused_in_words():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((4, 5, 6)))
    viewer.dims.ndisplay = 3
    with pytest.raises(InputError, match="3-D display"):
        read_plane(layer, viewer)


@pytest.mark.parametrize(("dtype", "word"), [(np.complex64, "complex"), (bool, "boolean")])
def test_samples_that_are_no_numbers_are_refused_in_words(dtype, word):
    viewer = ViewerModel()
    layer = viewer.add_image(np.ones((4, 4)))
    layer._data = np.ones((4, 4), dtype)  # napari 0.9 itself cannot draw complex samples
    with pytest.raises(InputError, match=word):
        read_plane(layer, viewer)


def test_the_result_looks_like_its_input():
    viewer = ViewerModel()
    layer = viewer.add_image(
        np.zeros((5, 6), np.uint16),
        units=("um", "um"),
        axis_labels=("y", "x"),
        colormap="magma",
        contrast_limits=(12, 345),
        gamma=0.7,
        interpolation2d="cubic",
        metadata={"private": object()},
    )
    plane = read_plane(layer, viewer)
    values, state, _ = result_layer(plane, np.zeros((5, 6), np.uint16), name="r", metadata={})
    new = viewer.add_layer(Layer.create(values, state, "image"))
    assert new.units == layer.units
    assert new.axis_labels == ("y", "x")
    assert new.colormap.name == "magma"
    assert new.contrast_limits == [12, 345]
    assert (new.gamma, new.interpolation2d) == (0.7, "cubic")
    assert new.data.dtype == np.uint16
    assert new.metadata == {"napari-dred": {}}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_a_gray_result_keeps_its_own_dtype_and_values(dtype):
    viewer = ViewerModel()
    plane = read_plane(viewer.add_image(np.zeros((4, 4), dtype)), viewer)
    image = np.linspace(-3, 300, 16, dtype=np.float32).reshape(4, 4)
    values, _, _ = result_layer(plane, image, name="r")
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, image)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_colour_of_floats_keeps_its_values_between_the_planes_limits(dtype, channels):
    viewer = ViewerModel()
    top = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    samples = np.full((6, 7, channels), top, dtype)
    plane = read_plane(viewer.add_image(samples, rgb=True), viewer)
    half = np.full((6, 7, 3), top / 2, np.float32)
    values, state, _ = result_layer(plane, half, name="r")
    layer = Layer.create(values, state, "image")
    assert layer.rgb
    assert values.shape == (6, 7, channels)
    assert values.dtype == np.float32
    assert layer.contrast_limits == [0, top]
    np.testing.assert_array_equal(values[..., :3], half)
    np.testing.assert_array_equal(values[..., 3:], 1)


def test_the_metadata_say_of_what_and_how():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((3, 4, 5)), name="cells")
    viewer.dims.set_current_step(0, 2)
    layer.metadata["napari-dred"] = {"task": "denoise"}
    made = provenance(read_plane(layer, viewer), Region(0, 2, 1, 3), {"seed": 0})
    assert json.loads(json.dumps(made)) == {
        "seed": 0,
        "source": {
            "layer": "cells",
            "axes": [1, 2],
            "plane": [2, None, None],
            "region": {"top": 0, "bottom": 2, "left": 1, "right": 3},
            "made_by": {"task": "denoise"},
        },
    }


# Regions.


def rectangle(top, left, bottom, right):
    return np.array([[top, left], [top, right], [bottom, right], [bottom, left]], float)


def test_a_rectangle_takes_the_pixels_whose_centres_it_holds():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((20, 30)))
    shapes = viewer.add_shapes([rectangle(1.5, 2.2, 6, 7.9)], shape_type="rectangle")
    assert shapes_region(shapes, layer, viewer) == Region(2, 7, 3, 8)
    shapes.data = [rectangle(-50, -50, 50, 50)]
    assert shapes_region(shapes, layer, viewer) == Region(0, 20, 0, 30)


def test_the_selected_rectangle_counts_or_else_all():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((20, 30)))
    shapes = viewer.add_shapes([rectangle(1, 1, 3, 3), rectangle(5, 6, 8, 9)])
    shapes.selected_data = set()
    assert shapes_region(shapes, layer, viewer) == Region(1, 9, 1, 10)
    shapes.selected_data = {1}
    assert shapes_region(shapes, layer, viewer) == Region(5, 9, 6, 10)


@settings(max_examples=20)
@given(st.data())
def test_a_rectangle_is_found_through_both_layers_transforms(data):
    layer = Image(np.zeros((40, 50)), scale=(0.5, 2), translate=(3, -8))
    shapes = Shapes(ndim=2, **data.draw(transforms(2)))
    viewer = ViewerModel()
    viewer.add_layer(layer)
    viewer.add_layer(shapes)
    # Corners that enclose rows 10 to 20 and columns 5 to 30 of the image, in shapes' coordinates.
    corners = [(9.6, 4.6), (9.6, 30.4), (20.4, 30.4), (20.4, 4.6)]
    shapes.add([np.array([shapes.world_to_data(layer.data_to_world(c)) for c in corners])])
    assert shapes_region(shapes, layer, viewer) == Region(10, 21, 5, 31)


def test_a_rectangle_in_other_units_is_found():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((40, 50)), scale=(0.5, 0.5), units=("um", "um"))
    shapes = viewer.add_shapes(
        [rectangle(4800, 2300, 10200, 15200)], units=("nm", "nm"), shape_type="rectangle"
    )
    assert shapes_region(shapes, layer, viewer) == Region(10, 21, 5, 31)


def test_no_rectangle_and_one_beside_the_image_are_refused_in_words():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((20, 30)))
    with pytest.raises(InputError, match="draw a rectangle"):
        shapes_region(viewer.add_shapes(), layer, viewer)
    with pytest.raises(InputError, match="no pixel"):
        shapes_region(viewer.add_shapes([rectangle(50, 50, 60, 60)]), layer, viewer)


@pytest.mark.window
def test_the_visible_part_is_what_the_canvas_shows(make_napari_viewer, qapp):
    viewer = make_napari_viewer()
    layer = viewer.add_image(np.zeros((300, 400)), scale=(2, 0.5), translate=(9, -30))
    viewer.scene.camera.zoom = 4
    viewer.scene.camera.center = (300, 60)
    viewer.window._qt_viewer.canvas.on_draw(None)
    qapp.processEvents()
    region = visible_region(layer, viewer)
    corners = layer.corner_pixels  # napari's own, whole pixels at the border included
    assert region.top - corners[0, 0] in (0, 1)
    assert region.left - corners[0, 1] in (0, 1)
    assert abs(region.bottom - 1 - corners[1, 0]) <= 1
    assert abs(region.right - 1 - corners[1, 1]) <= 1
    assert region.shape < layer.data.shape
    viewer.scene.camera.center = (9000, 9000)
    with pytest.raises(InputError, match="visible part"):
        visible_region(layer, viewer)


def test_three_planes_are_a_stack_and_colour_is_not():
    values = np.random.default_rng(0).integers(0, 255, (3, 40, 44), dtype=np.uint8)
    viewer = ViewerModel()
    stack = viewer.add_image(values)
    viewer.dims.set_current_step(0, 1)
    plane = read_plane(stack, viewer)
    np.testing.assert_array_equal(plane.image, values[1])
    assert result_layer(plane, plane.image, name="r")[0].shape == (1, 40, 44)
    colour = viewer.add_image(np.moveaxis(values, 0, -1), rgb=True)
    assert read_plane(colour, viewer).image.shape == (40, 44, 3)
    split = viewer.add_image(values, channel_axis=0)
    for layer, channel in zip(split, values, strict=True):
        np.testing.assert_array_equal(read_plane(layer, viewer).image, channel)
