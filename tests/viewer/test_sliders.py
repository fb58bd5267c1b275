"""Where the sliders stand, of layers that lie anyhow in the world."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_dred.viewer.sliders import at_plane, position, shown_plane

sizes = st.floats(0.1, 10)


@given(
    index=st.tuples(st.integers(0, 2), st.integers(0, 4)),
    scale=st.tuples(sizes, sizes, sizes, sizes),
    translate=st.tuples(*[st.floats(-50, 50)] * 4),
    order=st.permutations(range(4)),
)
@settings(max_examples=20)  # a viewer each
def test_at_a_plane_the_sliders_stand_on_it(index, scale, translate, order):
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((3, 5, 3, 5)), scale=scale, translate=translate)
    viewer.add_points([[-5] * 5], size=1)  # the viewer has one axis more
    viewer.dims.order = (0, *(axis + 1 for axis in order))
    before = viewer.dims.point
    axes, _ = shown_plane(image, viewer)
    others = [axis for axis in range(4) if axis not in axes]
    full = [0] * 4
    for axis, i in zip(others, index, strict=True):
        full[axis] = min(i, image.data.shape[axis] - 1)
    heard = []
    viewer.dims.events.connect(heard.append)
    there = at_plane(image, viewer, full)
    assert heard == []  # a run asks in its own thread
    assert list(position(image, there, others)) == [full[axis] for axis in others]
    assert shown_plane(image, there)[0] == axes
    assert viewer.dims.point == before
