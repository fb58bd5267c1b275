"""The samples open as layers that fit together."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_dred import Parameters
from napari_dred.viewer import samples
from napari_dred.viewer.layers import read_plane
from napari_dred.viewer.masks import mask_statement, read_mask

NAMES = ("damaged_scan", "noisy_micrograph", "blurred", "low_resolution")


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_opens_and_can_be_restored(name):
    viewer = ViewerModel()
    for layer in getattr(samples, name)():
        viewer.add_layer(Layer.create(*layer))
    image = viewer.layers[0]
    assert read_plane(image, viewer).image.dtype == np.uint8
    # What is known of the damage is what the parameters call it.
    Parameters(**image.metadata[samples.SAMPLE_KEY])


def test_the_damaged_scan_comes_with_its_mask():
    viewer = ViewerModel()
    for layer in samples.damaged_scan():
        viewer.add_layer(Layer.create(*layer))
    image, labels = viewer.layers
    assert (image._type_string, labels._type_string) == ("image", "labels")
    assert 0.01 < read_mask(labels, image, viewer).mean() < 0.3
    # Whatever label is painted is missing, and is seen alike.
    np.testing.assert_array_equal(labels.get_color(1), labels.get_color(7))
    assert labels.get_color(1)[3] == 1
    assert "will be replaced" in mask_statement(read_mask(labels, image, viewer))


@pytest.mark.parametrize("told", [["scale"], 3, {"size": 2}, {"scale": "large"}])
def test_damaged_metadata_of_a_sample_are_said_in_words(make_panel, heard, told):
    panel, viewer, _ = make_panel()
    viewer.add_image(np.zeros((20, 20)), name="odd", metadata={samples.SAMPLE_KEY: told})
    (said,) = heard
    assert str(said.message).startswith("The layer 'odd' tells of a sample what is wrong: ")
    assert panel.form.parameters().scale == 1


@pytest.mark.window
def test_the_mask_of_a_sample_is_for_no_other_image(make_panel):
    panel, viewer, _ = make_panel()
    form = panel.form
    for layer in samples.damaged_scan():
        viewer.add_layer(Layer.create(*layer))
    scan, mask = viewer.layers
    assert (form.image.value, form.mask.value, form.holes.value) == (scan, mask, True)
    own = viewer.add_image(scan.data.copy(), name="own")
    form.image.value = own
    assert (form.mask.value, form.holes.value) == (None, False)
    form.holes.value = True
    assert form.mask.value is None
    form.image.value = scan
    assert (form.mask.value, form.holes.value) == (mask, True)
    form.holes.value = False
    form.image.value = own
    form.holes.value = True
    assert form.mask.value is None
    form.mask.value = mask  # who chooses it by hand wants it
    assert (form.read().mask == (mask.data != 0)).all()
