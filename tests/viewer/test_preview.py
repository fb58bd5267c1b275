"""The preview layer: one, in its place, as the user has set it."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_dred.viewer.preview import Preview
from napari_dred.volumes import Region


@pytest.fixture
def viewer():
    return ViewerModel()


def test_its_data_are_replaced_and_all_else_stays(viewer, make_run, picture):
    image = viewer.add_image(picture, contrast_limits=(20, 180), colormap="green")
    preview = Preview(viewer, make_run(viewer, image))
    preview.show(picture, "first")
    layer = preview.layer
    assert layer.contrast_limits == [20, 180]
    assert layer.colormap.name == "green"
    layer.contrast_limits, layer.gamma, layer.opacity = (50, 60), 0.5, 0.3
    changed = []
    layer.events.contrast_limits.connect(lambda: changed.append(1))
    preview.show(255 - picture, "second")
    assert viewer.layers == [image, layer]
    np.testing.assert_array_equal(layer.data, 255 - picture)
    assert changed == []
    assert (layer.contrast_limits, layer.gamma, layer.opacity) == ([50, 60], 0.5, 0.3)


def test_whoever_works_on_another_layer_stays_on_it(viewer, make_run, picture):
    image = viewer.add_image(picture)
    labels = viewer.add_labels(np.zeros((40, 48), int))
    preview = Preview(viewer, make_run(viewer, image))
    preview.show(picture, "p")
    assert viewer.layers.selection.active is labels
    preview.add_below(Image(picture))
    assert viewer.layers.selection.active is labels


def test_hidden_it_stays_hidden_until_it_is_asked_for(viewer, make_run, picture):
    image = viewer.add_image(picture)
    preview = Preview(viewer, make_run(viewer, image))
    preview.show(picture, "p")
    layer = preview.layer
    layer.visible = False
    preview.show(255 - picture, "p")
    assert not layer.visible
    preview.bring(picture, "p")
    assert preview.layer is layer
    assert layer.visible


def test_deleted_it_stays_away_until_it_is_asked_for(viewer, make_run, picture):
    image = viewer.add_image(picture)
    preview = Preview(viewer, make_run(viewer, image))
    preview.show(picture, "p")
    viewer.layers.remove(preview.layer)
    preview.show(picture, "p")
    assert viewer.layers == [image]
    preview.bring(picture, "again")
    assert [x.name for x in viewer.layers][1:] == ["again"]
    preview.remove()
    preview.remove()
    assert viewer.layers == [image]


def test_what_is_kept_lies_below_it_and_on_top_without_it(viewer, make_run, picture):
    image = viewer.add_image(picture)
    preview = Preview(viewer, make_run(viewer, image))
    preview.show(picture, "preview")
    preview.add_below(Image(picture, name="first"))
    assert [x.name for x in viewer.layers][1:] == ["first", "preview"]
    preview.remove()
    preview.add_below(Image(picture, name="second"))
    assert [x.name for x in viewer.layers][1:] == ["first", "second"]


def test_it_becomes_the_result(viewer, make_run, picture):
    image = viewer.add_image(picture, scale=(2, 2))
    above = viewer.add_image(picture)
    run = make_run(viewer, image, region=Region(1, 4, 2, 6))
    preview = Preview(viewer, run)
    preview.show(picture[1:4, 2:6], "preview")
    layer = preview.layer
    viewer.layers.move(2, 1)
    layer.gamma, layer.visible = 0.5, False
    assert tuple(layer.translate) == (2, 4)
    assert preview.become(run.layer_data(255 - picture, "result", {"iterations": 3}))
    assert viewer.layers == [image, layer, above]
    np.testing.assert_array_equal(layer.data, 255 - picture)
    assert (tuple(layer.scale), tuple(layer.translate)) == ((2, 2), (0, 0))
    assert (layer.name, layer.gamma, layer.visible) == ("result", 0.5, True)
    assert layer.metadata["napari-dred"]["iterations"] == 3
    assert viewer.layers.selection.active is layer
    preview.remove()  # it is no longer the preview's
    assert layer in viewer.layers


@pytest.mark.parametrize("how", ["deleted", "never shown", "of another dtype"])
def test_it_becomes_no_result_where_it_cannot(viewer, make_run, picture, how):
    run = make_run(viewer, viewer.add_image(picture))
    preview = Preview(viewer, run)
    data, *rest = run.layer_data(picture, "result", {})
    if how != "never shown":
        preview.show(picture, "preview")
    if how == "deleted":
        viewer.layers.remove(preview.layer)
    else:
        data = data.astype(np.float32)
    before = [(x, x.name) for x in viewer.layers]
    assert not preview.become((data, *rest))
    assert [(x, x.name) for x in viewer.layers] == before


def test_in_a_stack_it_shows_where_its_plane_does(viewer, make_run):
    stack = np.zeros((5, 6, 7), np.uint16)
    image = viewer.add_image(stack, scale=(4, 1, 1))
    viewer.dims.set_current_step(0, 3)
    preview = Preview(viewer, make_run(viewer, image, region=Region(1, 4, 2, 6)))
    preview.show(np.ones((3, 4), np.uint16), "p")
    assert preview.layer.data.shape == (1, 3, 4)
    assert tuple(preview.layer.translate) == (12, 1, 2)
    assert viewer.dims.nsteps == (5, 6, 7)


def test_colour_keeps_its_transparency(viewer, make_run):
    rgba = np.random.default_rng(0).integers(0, 256, (6, 7, 4), dtype=np.uint8)
    preview = Preview(viewer, make_run(viewer, viewer.add_image(rgba, rgb=True)))
    for value in (5, 6):
        preview.show(np.full((6, 7, 3), value, np.uint8), "p")
        assert (preview.layer.data[..., :3] == value).all()
        np.testing.assert_array_equal(preview.layer.data[..., 3], rgba[..., 3])
