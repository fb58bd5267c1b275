"""The boxes "What is wrong with it?" of the panel."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dred import Parameters

pytestmark = pytest.mark.window

BOXES = ("holes", "noisy", "blurred", "small")


def ticked(form):
    return {name for name in BOXES if getattr(form, name).value}


def told(form):
    p = form.parameters()
    return p.scale, p.blur_sigma, p.noise, p.sigma


def shown(form):
    fields = ("mask", "find", "noise", "blur_sigma", "scale")
    return {name for name in fields if not getattr(form, name).native.isHidden()}


def test_at_first_there_is_noise_to_be_estimated(make_panel, picture):
    panel, viewer, _ = make_panel()
    viewer.add_image(picture)
    assert ticked(panel.form) == {"noisy"}
    assert told(panel.form) == (1, 0, "auto", None)
    assert shown(panel.form) == {"noise"}


def test_a_tick_shows_its_fields_and_begins_with_something(make_panel, picture):
    panel, viewer, _ = make_panel()
    viewer.add_image(picture)
    for name in BOXES:
        getattr(panel.form, name).value = True
    assert shown(panel.form) == {"mask", "find", "noise", "blur_sigma", "scale"}
    assert told(panel.form) == (2, 1, "auto", None)
    assert panel.form.mask.value is None
    assert "paint over the damage" in panel.form.mask_line.value


def test_without_a_tick_nothing_is_told(make_panel, picture):
    panel, viewer, _ = make_panel()
    viewer.add_image(picture)
    viewer.add_labels(np.ones((40, 48), int))
    panel.form.set_parameters(Parameters(scale=4, blur_sigma=3, noise="poisson"))
    assert ticked(panel.form) == set(BOXES)
    for name in BOXES:
        getattr(panel.form, name).value = False
    assert told(panel.form) == (1, 0, "gaussian", 0)
    assert panel.form.mask.value is None
    assert shown(panel.form) == set()


def test_noise_that_is_ticked_again_is_estimated_again(make_panel):
    panel, _, _ = make_panel()
    panel.form.noisy.value = False
    panel.form.noisy.value = True
    assert told(panel.form) == (1, 0, "auto", None)


@pytest.mark.parametrize(
    ("given", "boxes"),
    [
        ({}, {"noisy"}),
        ({"scale": 2}, {"noisy", "small"}),
        ({"blur_sigma": 0.5, "sigma": 0, "noise": "gaussian"}, {"blurred"}),
        ({"sigma": 12.0}, {"noisy"}),
        ({"sigma": 0, "noise": "impulse"}, {"noisy"}),
    ],
)
def test_parameters_tick_what_they_tell_of(make_panel, given, boxes):
    panel, _, _ = make_panel()
    panel.form.set_parameters(Parameters(scale=8, blur_sigma=2))
    panel.form.set_parameters(Parameters(**given))
    assert ticked(panel.form) == boxes
    assert panel.form.parameters().replace(threads=None) == Parameters(**given)


def test_what_was_typed_comes_back_with_the_tick(make_panel):
    panel, _, _ = make_panel()
    form = panel.form
    given = Parameters(scale=4, blur_sigma=2.35, sigma=12.5, noise="gaussian")
    form.set_parameters(given)
    for name in ("noisy", "blurred", "small"):
        getattr(form, name).value = False
        getattr(form, name).value = True
    assert form.parameters().replace(threads=None) == given


def test_who_wants_no_holes_gets_no_mask_unasked(make_panel, picture):
    panel, viewer, _ = make_panel()
    viewer.add_image(picture)
    panel.form.holes.value = True
    panel.form.holes.value = False
    viewer.add_labels(np.ones((40, 48), int))
    assert panel.form.mask.value is None
    assert not panel.form.holes.value


def test_holes_without_a_mask_are_refused_in_words(make_panel, picture, heard):
    panel, viewer, solver = make_panel()
    viewer.add_image(picture)
    panel.form.holes.value = True
    panel.restore_button.native.click()
    assert "untick Holes" in panel.status.value
    assert solver.asked is None
    viewer.layers[0].data = np.where(picture > 250, np.nan, picture.astype(float))
    assert panel.form.read().mask is None


def test_a_small_blur_is_shown(make_panel):
    panel, _, _ = make_panel()
    panel.form.set_parameters(Parameters(blur_sigma=0.001))
    assert panel.form.blurred.value
    panel.form.blurred.value = False
    assert panel.form.parameters().blur_sigma == 0


def test_an_estimate_does_not_replace_what_was_typed(make_panel, picture, wait):
    panel, viewer, _ = make_panel(steps=2)
    viewer.add_image(picture)
    panel.restore_button.native.click()
    panel.form.estimate_sigma.value, panel.form.sigma.value = False, 25
    wait(panel)
    assert panel.form.parameters().sigma == 25


def test_a_mask_for_the_image_ticks_holes(make_panel, picture):
    panel, viewer, _ = make_panel()
    viewer.add_image(picture)
    labels = viewer.add_labels(np.ones((40, 48), int))
    assert panel.form.holes.value
    panel.form.holes.value = False
    panel.form.holes.value = True
    assert panel.form.mask.value is labels


def test_what_is_advanced_is_folded_away(make_panel, picture):
    panel, viewer, _ = make_panel()
    viewer.add_image(picture)
    form = panel.form
    fields = (form.preset, form.iterations, form.device, form.region, form.output_dtype)
    assert all(field.native.isHidden() for field in fields)
    form.advanced.native.click()
    assert not any(field.native.isHidden() for field in fields)
    assert form.boundary.native.isHidden()
    form.blurred.value = True
    assert not form.boundary.native.isHidden()
    form.advanced.native.click()
    assert all(field.native.isHidden() for field in (*fields, form.boundary))
