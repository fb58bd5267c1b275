"""A line profile meets the same places in both layers, whatever their transforms."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from skimage.color import rgb2gray

from napari_dred.core.errors import InputError
from napari_dred.viewer.compare.profile import length_of, line_of, values_along
from napari_dred.viewer.layers import read_plane, result_layer

LINE = [[5.0, 3.0], [21.0, 15.0]]  # 20 pixels long, in those of the image


def ramp(height, width, factor=1):
    """Samples that are linear in the place, on the grid of an image `factor` times as large."""
    rows, columns = np.indices((factor * height, factor * width))
    shift = (1 - factor) / (2 * factor)
    return 3 * (rows / factor + shift) + 2 * (columns / factor + shift)


EXPECTED = [3 * row + 2 * column for row, column in LINE]


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": (0.1, 0.1), "units": ("um", "um"), "translate": (4, -3)},
        {"rotate": 30, "scale": (2, 2), "shear": [0.2]},
        {"affine": [[0, 1, 5], [1, 0, 0], [0, 0, 1]]},
    ],
)
def test_both_layers_are_met_at_the_same_places(options, factor):
    viewer = ViewerModel()
    before = viewer.add_image(ramp(30, 40), **options)
    plane = read_plane(before, viewer)
    data, state, _ = result_layer(plane, ramp(30, 40, factor), name="after", scale=factor)
    after = viewer.add_image(data, **state)
    # Drawn in another unit and in a layer with no transform of its own.
    place = {"units": ("mm", "mm")} if "units" in options else {}
    world = np.array([before.data_to_world(end) for end in LINE])
    shapes = viewer.add_shapes(world / (1000 if place else 1), shape_type="line", **place)
    line = line_of(shapes, viewer)
    for layer, steps in ((before, 20), (after, 20 * factor)):
        found = values_along(line, layer, read_plane(layer, viewer), viewer)
        assert len(found) >= steps
        np.testing.assert_allclose(found, np.linspace(*EXPECTED, len(found)), atol=1e-4)
    length, unit = length_of(line, before, plane, viewer)
    assert length == pytest.approx(np.linalg.norm(world[1] - world[0]), rel=1e-5)
    assert unit == ("µm" if "units" in options else "px")


def test_the_plane_is_the_one_that_is_shown():
    viewer = ViewerModel()
    stack = np.stack([ramp(30, 40) + 1000 * z for z in range(3)])
    layer = viewer.add_image(stack)
    shapes = viewer.add_shapes([[[0, *end] for end in LINE]], shape_type="line")
    for z in (0, 2):
        viewer.dims.set_current_step(0, z)
        line = line_of(shapes, viewer)
        found = values_along(line, layer, read_plane(layer, viewer), viewer)
        np.testing.assert_allclose(found[[0, -1]], np.array(EXPECTED) + 1000 * z, rtol=1e-6)
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_current_step(1, 7)
    shapes.data = [[[0, 7, 4], [2, 7, 4]]]
    line = line_of(shapes, viewer)
    found = values_along(line, layer, read_plane(layer, viewer), viewer)
    np.testing.assert_allclose(found, 29 + 1000 * np.arange(3))


def test_of_colour_the_luma_and_beside_the_image_nothing():
    viewer = ViewerModel()
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    layer = viewer.add_image(image, rgb=True)
    plane = read_plane(layer, viewer)
    found = values_along(np.array([[4.0, -5.0], [4.0, 39.0]]), layer, plane, viewer)
    assert np.isnan(found[:5]).all()
    np.testing.assert_allclose(found[5:], rgb2gray(image[4].astype(float)))
    for beside in ([[40.0, 0.0], [50.0, 9.0]], [[-9.0, 9.0], [9.0, -14.0]]):
        with pytest.raises(InputError, match="lies beside the layer"):
            values_along(np.array(beside), layer, plane, viewer)


def test_the_selected_line_is_taken_and_else_the_first():
    viewer = ViewerModel()
    shapes = viewer.add_shapes([[0, 0], [5, 5]], shape_type="rectangle")
    with pytest.raises(InputError, match="has no line"):
        line_of(shapes, viewer)
    shapes.add_lines([[[1, 1], [2, 2]], [[3, 3], [4, 4]]])
    shapes.selected_data = set()
    np.testing.assert_array_equal(line_of(shapes, viewer), [[1, 1], [2, 2]])
    shapes.selected_data = {2}
    np.testing.assert_array_equal(line_of(shapes, viewer), [[3, 3], [4, 4]])


def test_rows_and_columns_of_different_units_are_counted_in_pixels():
    viewer = ViewerModel()
    layer = viewer.add_image(ramp(30, 40), scale=(0.5, 2), units=("um", "s"))
    line = np.array(LINE) * (0.5, 2)
    assert length_of(line, layer, read_plane(layer, viewer), viewer) == (pytest.approx(20), "px")
