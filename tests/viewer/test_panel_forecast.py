"""What the panel says before a run, and when."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dred import InputError, Plan
from napari_dred.viewer.advanced import RECTANGLE
from napari_dred.viewer.forecast import plan_run
from napari_dred.viewer.restore_widget import RestoreWidget

pytestmark = pytest.mark.window


class FakePlanner:
    """Gives a plan for what it was asked; counts."""

    def __init__(self):
        self.asked = []

    def __call__(self, image, mask, region, parameters, psf, control):
        self.asked.append((image, mask, region, parameters))
        lost = 0 if mask is None else int(mask.sum())
        return Plan(
            task="inpaint" if lost else "denoise",
            shape=image.shape,
            parameters=parameters,
            sigma=4.5,
            sigma_estimated=parameters.sigma is None,
            missing=lost,
            masked=lost,
            device="cpu",
            memory=2**28,
            seconds=12.0,
        )


def forecast_done(qtbot, panel):
    qtbot.waitUntil(lambda: not panel.forecast.busy, timeout=5000)
    return panel.plan_line.value


def test_what_a_run_will_do_is_said_and_follows_the_form(qtbot, make_panel, picture):
    planner = FakePlanner()
    panel, viewer, _ = make_panel(planner=planner)
    panel.form.preset.value = "preview"
    assert forecast_done(qtbot, panel) == "There is no image layer; open an image first."
    viewer.add_image(picture)
    said = forecast_done(qtbot, panel)
    assert said.startswith("Denoising · 40 × 48 pixels · Gaussian noise, σ 4.5 · 256 MiB")
    assert panel.form.sigma.value == 4.5
    shapes = viewer.add_shapes([[[1, 2], [1, 4], [3, 4], [3, 2]]], shape_type="rectangle")
    panel.form.mask.value = shapes
    assert forecast_done(qtbot, panel).endswith("9 pixels (0.5 %) will be replaced.")
    count = len(planner.asked)
    shapes.add([[10, 10], [10, 14], [14, 14], [14, 10]], shape_type="rectangle")
    assert panel.forecast.busy
    assert forecast_done(qtbot, panel).endswith("34 pixels (1.8 %) will be replaced.")
    assert len(planner.asked) == count + 1
    panel.form.iterations.value = 77
    forecast_done(qtbot, panel)
    assert planner.asked[-1][3].iterations == 77


def test_a_run_has_the_line_for_itself(qtbot, make_panel, picture, wait):
    planner = FakePlanner()
    panel, viewer, _ = make_panel(planner=planner)
    viewer.add_image(picture)
    panel.form.preset.value = "preview"
    panel.restore_button.native.click()
    panel.form.preset.value = "paper"
    assert not panel.forecast.busy
    wait(panel)
    assert planner.asked == []
    forecast_done(qtbot, panel)
    assert planner.asked[-1][3].preset == "paper"


def test_found_pixels_become_the_mask(qtbot, make_panel, picture):
    panel, viewer, _ = make_panel(planner=FakePlanner())
    image = viewer.add_image(picture)
    viewer.add_labels(np.ones((40, 48), int))
    image.data[3:5, 7:9] = 0
    panel.form.find.button.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=5000)
    assert panel.form.mask.value is viewer.layers[-1]
    assert forecast_done(qtbot, panel).endswith("will be replaced.")
    np.testing.assert_array_equal(panel.form.read().mask, image.data == 0)


def test_a_closed_panel_works_nothing_out(qtbot, make_napari_viewer, picture, fake_solver):
    planner = FakePlanner()
    viewer = make_napari_viewer()
    panel = RestoreWidget(viewer, planner=planner)
    dock = viewer.window.add_dock_widget(panel)
    viewer.add_image(picture)
    panel.form.preset.value = "preview"
    assert panel.forecast.busy
    viewer.window.remove_dock_widget(dock)
    assert not panel.forecast.busy
    viewer.add_labels(np.ones((40, 48), int))
    assert not panel.forecast.busy
    assert planner.asked == []
    panel.native.deleteLater()


def test_the_forecast_follows_the_images_samples(qtbot, make_panel, picture):
    planner = FakePlanner()
    panel, viewer, _ = make_panel(planner=planner)
    first, second = viewer.add_image(picture), viewer.add_image(picture)
    panel.form.image.value = first
    forecast_done(qtbot, panel)
    count = len(planner.asked)
    first.data = picture // 2
    forecast_done(qtbot, panel)
    np.testing.assert_array_equal(planner.asked[-1][0], picture // 2)
    first.data[0] = 9
    first.refresh()
    forecast_done(qtbot, panel)
    assert (planner.asked[-1][0][0] == 9).all()
    assert len(planner.asked) == count + 2
    panel.form.image.value = second
    forecast_done(qtbot, panel)
    first.data = picture
    assert not panel.forecast.busy


def test_a_complaint_goes_when_the_form_is_another(qtbot, make_panel, picture, heard):
    panel, viewer, _ = make_panel()
    panel.restore_button.native.click()
    assert panel.status.value == "There is no image layer; open an image first."
    viewer.add_image(picture)
    assert panel.status.value == ""
    panel.status.value = "Done."
    panel.form.preset.value = "paper"
    assert panel.status.value == "Done."


def test_a_complaint_of_a_run_goes_with_its_image(make_panel, picture, heard, wait):
    panel, viewer, solver = make_panel(error=InputError("the image is too small"))
    viewer.add_image(picture)
    panel.restore_button.native.click()
    wait(panel)
    assert panel.status.value == "The image is too small."
    panel.form.preset.value = "paper"
    assert panel.status.value == ""
    solver.error = None
    panel.restore_button.native.click()
    wait(panel)
    assert panel.status.value.startswith("Done")
    panel.form.image.value = viewer.add_image(picture, name="another")
    assert panel.status.value == ""


def test_what_was_worked_out_is_not_shown_for_another_image(qtbot, make_panel, picture):
    panel, viewer, _ = make_panel(planner=FakePlanner())
    first, second = viewer.add_image(picture), viewer.add_image(picture + 1)
    panel.form.image.value = first
    assert "σ 4.5" in forecast_done(qtbot, panel)
    assert panel.form.sigma.native.text() == "4.50"
    for image in (second, first):
        panel.form.image.value = image
        assert panel.plan_line.value == "Working out…"
        assert panel.form.sigma.native.text() == "auto"
        assert "σ 4.5" in forecast_done(qtbot, panel)
        assert panel.form.sigma.native.text() == "4.50"
    panel.form.estimate_sigma.value = False
    panel.form.image.value = second
    assert panel.form.sigma.value == 4.5  # what was typed holds for any image


def test_a_full_mask_is_refused_before_the_press(qtbot, make_panel, picture):
    panel, viewer, _ = make_panel(planner=plan_run)
    viewer.add_image(picture)
    viewer.add_labels(np.ones((40, 48), int))
    assert panel.form.mask_line.value.startswith("The mask marks every pixel as missing")
    qtbot.waitUntil(lambda: not panel.forecast.busy, timeout=20_000)  # torch is imported
    said = panel.plan_line.value
    assert said == "Nothing is observed: the mask marks every pixel as missing."


def test_a_complaint_of_the_region_is_not_the_masks(qtbot, make_panel, picture):
    panel, viewer, _ = make_panel(planner=FakePlanner())
    viewer.add_image(picture)
    viewer.add_labels(np.eye(40, 48, dtype=int))
    panel.form.region.value = RECTANGLE
    assert panel.form.mask_line.value == "40 pixels (2.1 %) will be replaced."
    assert forecast_done(qtbot, panel).startswith("There is no Shapes layer; add one")


def test_a_run_that_waited_shows_its_level_at_no_other_image(make_panel, picture, wait):
    panel, viewer, _ = make_panel(steps=3)
    viewer.add_image(picture)
    panel.restore_button.native.click()
    panel.form.image.value = viewer.add_image(picture, name="another")
    wait(panel)
    assert panel.form.sigma.native.text() == "auto"
