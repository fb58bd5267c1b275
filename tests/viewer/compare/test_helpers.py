"""The layers that a swipe adds: nobody's input, and gone with the others."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dred.viewer.compare.widget import CompareWidget

pytestmark = pytest.mark.window


@pytest.fixture
def swiped(qtbot):
    viewer = ViewerModel()
    for name in ("a", "b"):
        viewer.add_image(np.random.default_rng(0).random((20, 30)), name=name)
    compare = CompareWidget(viewer)
    qtbot.addWidget(compare.native)
    viewer.layers.events.inserted.connect(compare.reset_choices)
    viewer.layers.events.removed.connect(compare.reset_choices)
    compare.form.view.value = "swipe"
    assert len(viewer.layers) == 4
    return viewer, compare


def test_they_are_not_offered(swiped, make_panel):
    viewer, compare = swiped
    panel, _, _ = make_panel(viewer)
    for choices in (compare.form.before.choices, panel.form.image.choices):
        assert [layer.name for layer in choices] == ["a", "b"]
    assert [layer for layer in panel.form.mask.choices if layer is not None] == []


def test_all_layers_can_be_removed_at_once(swiped, qtbot):
    viewer, compare = swiped
    viewer.layers.select_all()
    viewer.layers.remove_selected()
    qtbot.waitUntil(lambda: compare.form.view.value != "swipe")
    assert len(viewer.layers) == 0
