"""Several planes of a stack in the panel, with a solver that only behaves like one."""

from __future__ import annotations

import json
from functools import partial

import dask.array as da
import numpy as np
import pytest
from dask import delayed
from napari.components import ViewerModel

from napari_dred import InputError, Parameters, RestorationError, Result
from napari_dred.core import devices
from napari_dred.core.control import Control
from napari_dred.viewer.advanced import RECTANGLE
from napari_dred.viewer.compare.methods_widget import MethodsWidget
from napari_dred.viewer.plane_fields import ALL, SHOWN
from napari_dred.viewer.stacks import open_stack, solve_stack
from napari_dred.volumes import Region, solve_region
from napari_dred.volumes.planes import PlaneDone

pytestmark = pytest.mark.window


@pytest.fixture
def viewer_model():
    return ViewerModel()


@pytest.fixture
def stack():
    return np.random.default_rng(0).integers(20, 200, (4, 40, 48), dtype=np.uint8)


@pytest.fixture
def spot():
    mask = np.zeros((40, 48), np.uint8)
    mask[5:9, 10:20] = 3
    return mask


def hidden(widget):
    return widget.native.isHidden()


def filled(image, mask):
    return np.where(mask != 0, 7, image).astype(image.dtype)


# In the panel.


def test_all_planes_become_one_layer(qtbot, make_panel, stack, spot, wait, heard):
    panel, viewer, solver = make_panel(steps=5, seconds=0.1)
    image = viewer.add_image(stack, name="cells", scale=(3, 2, 2), translate=(6, 0, 0))
    panel.form.mask.value = viewer.add_labels(spot, name="spot", scale=(2, 2))
    panel.form.planes.value = ALL
    panel.restore_button.native.click()
    qtbot.waitUntil(lambda: "Plane 3 of 4 · iteration" in panel.status.value, timeout=5000)
    assert "of 5" in panel.status.value
    wait(panel)
    assert panel.course.slider.isHidden()
    at = panel.course.plot._curves["loss"].at  # the last plane's
    assert at
    assert max(at) <= 5
    result = viewer.layers[-1]
    assert [x.name for x in viewer.layers] == ["cells", "spot", "cells restored"]
    np.testing.assert_array_equal(result.data, filled(stack, spot))
    assert result.data.dtype == np.uint8
    assert tuple(result.scale) == (3, 2, 2)
    assert tuple(result.translate) == tuple(image.translate)
    made = json.loads(json.dumps(result.metadata["napari-dred"]))
    assert made["source"]["planes"] == [[0, 4], None, None]
    assert panel.status.value.startswith("Done after 4 planes in")
    assert "4 planes of 40 × 48 pixels" in panel.plan_line.value
    assert solver.closed == 4
    assert heard == []


def test_a_range_lies_where_its_planes_do(make_panel, stack, wait):
    panel, viewer, _ = make_panel(steps=2, seconds=0)
    viewer.add_image(np.stack([stack, stack + 1]), name="cells", scale=(1, 3, 1, 1))
    viewer.dims.set_point(0, 1)
    form = panel.form
    assert not hidden(form.planes)
    form.planes.value = -3
    form["first_plane"].value, form["last_plane"].value = 1, 2
    panel.restore_button.native.click()
    wait(panel)
    result = viewer.layers[-1]
    np.testing.assert_array_equal(result.data, stack[None, 1:3] + 1)
    assert tuple(result.translate) == (1, 3, 0, 0)


def test_a_range_that_ends_before_it_begins_is_refused(make_panel, stack):
    panel, viewer, _ = make_panel()
    viewer.add_image(stack)
    panel.form.planes.value = -3
    panel.form["first_plane"].value, panel.form["last_plane"].value = 2, 1
    panel.restore_button.native.click()
    assert "from 2 to 1" in panel.status.value
    assert panel.worker is None


def test_the_choice_follows_the_image_and_the_sliders(make_panel, stack):
    panel, viewer, _ = make_panel()
    flat = viewer.add_image(stack[0], name="flat")
    panel.form.image.value = flat
    panel.form.refresh()
    assert hidden(panel.form.planes)
    panel.form.image.value = viewer.add_image(stack, name="deep", axis_labels=("z", "y", "x"))
    assert not hidden(panel.form.planes)
    assert panel.form.planes.value == SHOWN
    assert hidden(panel.form["first_plane"])
    panel.form.planes.value = -3
    assert (
        panel.form["first_plane"].value,
        panel.form["last_plane"].value,
        panel.form["last_plane"].max,
    ) == (0, 3, 3)
    viewer.dims.order = (1, 0, 2)  # planes of another kind
    panel.form.refresh()
    assert panel.form.planes.value == SHOWN
    assert list(panel.form.planes.choices) == [SHOWN, -2, ALL]


def test_preview_looks_at_the_shown_plane_alone(make_panel, stack, wait):
    panel, viewer, solver = make_panel(steps=2, seconds=0)
    viewer.add_image(stack)
    viewer.dims.set_point(0, 2)
    panel.form.planes.value = ALL
    panel.preview_button.native.click()
    wait(panel)
    np.testing.assert_array_equal(viewer.layers[-1].data, stack[2:3])
    assert solver.closed == 1


def test_a_stopped_run_keeps_what_is_done(qtbot, make_panel, stack, spot, wait):
    panel, viewer, _ = make_panel(steps=30, seconds=0.02)
    viewer.add_image(stack, name="cells")
    panel.form.mask.value = viewer.add_labels(spot)
    panel.form.planes.value = ALL
    panel.restore_button.native.click()
    qtbot.waitUntil(lambda: any("in progress" in x.name for x in viewer.layers), timeout=5000)
    panel.stop_button.native.click()
    wait(panel)
    result, expected = viewer.layers[-1], filled(stack, spot)
    assert result.name == "cells restored"
    count = int(panel.status.value.split()[2])
    assert 1 <= count < 4
    np.testing.assert_array_equal(result.data[:count], expected[:count])
    np.testing.assert_array_equal(result.data[count:], stack[count:])
    assert panel.status.value.startswith(f"Stopped after {count} plane")


def test_a_cancelled_run_leaves_nothing(qtbot, make_panel, stack):
    panel, viewer, _ = make_panel(steps=30, seconds=0.02)
    viewer.add_image(stack, name="cells")
    panel.form.planes.value = ALL
    panel.restore_button.native.click()
    qtbot.waitUntil(lambda: any("in progress" in x.name for x in viewer.layers), timeout=5000)
    worker = panel.worker
    panel.cancel_button.native.click()
    qtbot.waitUntil(lambda: not worker.is_running, timeout=5000)
    assert [x.name for x in viewer.layers] == ["cells"]


def test_a_rectangle_is_restored_on_every_plane(make_panel, stack, spot, wait):
    panel, viewer, _ = make_panel(steps=2, seconds=0)
    viewer.add_image(stack, name="cells")
    labels = viewer.add_labels(np.ones((40, 48), int) * (np.arange(48) % 2))
    corners = np.array([[10, 10], [10, 19], [19, 19], [19, 10]], float)
    shapes = viewer.add_shapes([corners], shape_type="rectangle")
    form = panel.form
    form.mask.value = labels
    form.region.value, form.shapes.value, form.planes.value = RECTANGLE, shapes, ALL
    panel.restore_button.native.click()
    wait(panel)
    changed = viewer.layers[-1].data != stack
    assert changed[:, 10:20, 11:20:2].all()
    assert changed.sum() == 4 * 10 * 5


def test_what_is_copied_is_for_one_image(make_panel, stack, heard):
    panel, viewer, _ = make_panel()
    viewer.add_image(stack)
    panel.form.planes.value = ALL
    menu = next(w for w in panel if hasattr(w, "menu"))
    menu.menu.actions()[0].trigger()
    assert SHOWN in panel.status.value


def test_methods_are_compared_on_the_shown_plane(qtbot, make_panel, stack):
    panel, viewer, _ = make_panel()
    viewer.add_image(stack)
    panel.form.planes.value = ALL
    viewer.dims.set_point(0, 2)
    compared = MethodsWidget(viewer, lambda: panel)
    qtbot.addWidget(compared.native)
    compared.form.start_button.native.click()
    qtbot.waitUntil(lambda: bool(compared.trials) and not compared.busy, timeout=20_000)
    assert [len(trial.layer.data) for trial in compared.trials] == [1, 1]
    np.testing.assert_array_equal(compared.trials[0].layer.data, stack[2:3])


# Without it.


def test_each_plane_takes_its_own_mask(viewer_model, stack):
    image = viewer_model.add_image(stack)
    labels = viewer_model.add_labels((np.arange(4) == 2)[:, None, None] * np.eye(40, 48, dtype=int))
    opened = open_stack(image, labels, viewer_model, (range(4), None, None))
    marked = [opened.planes.mask((z, 0, 0)).sum() for z in range(4)]
    assert marked == [0, 0, 40, 0]


def test_shapes_mark_the_plane_they_lie_on(viewer_model, stack):
    image = viewer_model.add_image(stack, scale=(2, 1, 1), translate=(10, 0, 0))
    box = np.array([[16, 5, 5], [16, 5, 8], [16, 8, 8], [16, 8, 5]], float)
    shapes = viewer_model.add_shapes([box], shape_type="polygon")
    opened = open_stack(image, shapes, viewer_model, (range(4), None, None))
    marked = [opened.planes.mask((z, 0, 0)).any() for z in range(4)]
    assert marked == [False, False, False, True]


def test_the_axis_of_channels_is_known_by_its_name(viewer_model, stack):
    image = viewer_model.add_image(np.stack([stack, stack]), axis_labels=("c", "z", "y", "x"))
    opened = open_stack(image, None, viewer_model, (range(2), range(4), None, None))
    assert opened.planes.channel == 0
    assert len(opened) == len(opened.planes.indices) == 8


def solving(stack, fake_solver, **parameters):
    solve = partial(solve_region, solve=fake_solver(steps=2, seconds=0))
    parameters = Parameters(**parameters)
    return solve_stack(stack, parameters=parameters, control=Control(), solve=solve)


def solved(*arguments, **parameters):
    return list(solving(*arguments, **parameters))


def test_alpha_goes_along(viewer_model, fake_solver):
    rgba = np.random.default_rng(0).integers(0, 256, (3, 40, 48, 4), dtype=np.uint8)
    image = viewer_model.add_image(rgba)
    records = solved(open_stack(image, None, viewer_model, (range(3), None, None)), fake_solver)
    np.testing.assert_array_equal(records[-1].image, rgba)


def test_an_enlarged_stack_is_as_it_was_where_it_is_not_done(viewer_model, stack, fake_solver):
    image = viewer_model.add_image(stack)
    opened = open_stack(image, None, viewer_model, (range(4), None, None))
    records = solving(opened, fake_solver, scale=2)
    first = next(r for r in records if isinstance(r, PlaneDone))
    expected = stack.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(first.image, expected)
    *_, last = records
    np.testing.assert_array_equal(last.image, expected)


def test_a_part_is_enlarged_with_its_alpha(viewer_model, fake_solver):
    rgba = np.random.default_rng(0).integers(0, 256, (3, 40, 48, 4), dtype=np.uint8)
    image = viewer_model.add_image(rgba)
    opened = open_stack(image, None, viewer_model, (range(3), None, None))
    solve = partial(solve_region, solve=fake_solver(steps=2, seconds=0))
    # Twice as large, it has the size of the whole plane.
    region, parameters = Region(10, 30, 12, 36), Parameters(scale=2)
    *_, last = solve_stack(opened, region, parameters=parameters, solve=solve)
    assert last.image.shape == rgba.shape
    inside = rgba[:, 10:30, 12:36, :3].repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_array_equal(last.image[..., :3], inside)


def test_the_dtype_of_the_result_is_that_asked_for(viewer_model, stack, fake_solver):
    image = viewer_model.add_image(stack)
    opened = open_stack(image, None, viewer_model, (range(1, 3), None, None))
    records = solved(opened, fake_solver, output_dtype="float32")
    assert isinstance(records[-1], Result)
    assert records[-1].image.dtype == np.float32
    assert records[-1].image.shape == (2, 40, 48)


def test_a_result_for_which_there_is_no_room_is_refused(
    viewer_model, stack, fake_solver, monkeypatch
):
    image = viewer_model.add_image(stack)
    opened = open_stack(image, None, viewer_model, (range(4), None, None))
    monkeypatch.setattr(devices, "free_memory", lambda _: 4 * 40 * 48 - 1)
    with pytest.raises(InputError, match="4 planes"):
        solved(opened, fake_solver)


def test_two_requests_for_the_same_planes_are_equal(viewer_model, stack):
    image = viewer_model.add_image(stack)
    masks = [viewer_model.add_labels(np.zeros(stack.shape, int)) for _ in range(2)]

    def opened(count=4, mask=masks[0], label=None):
        return open_stack(image, mask, viewer_model, (range(count), None, None), label)

    one = opened()
    viewer_model.dims.set_point(0, 3)
    assert one == opened()
    assert one not in (opened(3), opened(mask=masks[1]), opened(label=2), opened(mask=None))


def test_moved_shapes_are_another_mask(viewer_model, stack):
    image = viewer_model.add_image(stack)
    box = np.array([[1, 5, 5], [1, 5, 8], [1, 8, 8], [1, 8, 5]], float)
    shapes = viewer_model.add_shapes([box], shape_type="polygon")
    before = open_stack(image, shapes, viewer_model, (range(4), None, None))
    assert before == open_stack(image, shapes, viewer_model, (range(4), None, None))
    shapes.data = [box + 3]
    assert before != open_stack(image, shapes, viewer_model, (range(4), None, None))


def test_a_failure_keeps_the_planes_before_it(make_panel, stack, wait, heard):
    panel, viewer, solver = make_panel(steps=4, seconds=0.01)
    viewer.add_image(stack, name="cells")
    panel.form.planes.value = ALL
    real = panel._solve

    def failing(*arguments, **options):
        if solver.closed == 2:
            raise RestorationError("the device ran out of memory")
        return real(*arguments, **options)

    panel._solve = failing
    panel.restore_button.native.click()
    wait(panel)
    assert viewer.layers[-1].name == "cells restored"
    assert panel.status.value.startswith("Stopped after 2 planes")
    assert "plane 3 of 4: the device ran out of memory" in panel.status.value
    assert len(heard) == 1


def test_a_plane_that_cannot_be_read_is_named(make_panel, stack, wait):
    panel, viewer, _ = make_panel(steps=4, seconds=0.01)

    def block(number):
        if number == 2:
            raise OSError("network drive is gone")
        return stack[number]

    planes = [da.from_delayed(delayed(block)(n), (40, 48), np.uint8) for n in range(4)]
    viewer.add_image(da.stack(planes), contrast_limits=(0, 255))
    panel.form.planes.value = ALL
    panel.restore_button.native.click()
    wait(panel)
    assert "lane 3 of 4: it could not be read: network drive is gone" in panel.status.value


def test_the_choice_comes_back_with_the_stack(make_panel, stack):
    panel, viewer, _ = make_panel()
    viewer.add_image(stack, name="deep")
    panel.form.planes.value = ALL
    viewer.dims.ndisplay = 3
    panel.form.refresh()
    assert panel.form.planes.value == SHOWN
    viewer.dims.ndisplay = 2
    panel.form.refresh()
    assert panel.form.planes.value == ALL


def test_all_planes_need_none_to_be_shown(make_panel, stack, wait):
    panel, viewer, _ = make_panel(steps=2, seconds=0)
    viewer.add_image(np.zeros((30, 40, 48), np.uint8), name="long")
    panel.form.image.value = viewer.add_image(stack, name="cells")
    panel.form.planes.value = ALL
    viewer.dims.set_point(0, 25)
    panel.restore_button.native.click()
    wait(panel)
    np.testing.assert_array_equal(viewer.layers[-1].data, stack)


def test_the_forecast_is_of_the_first_plane(make_panel, stack):
    panel, viewer, _ = make_panel()
    viewer.add_image(np.zeros((30, 40, 48), np.uint8), name="long")
    form = panel.form
    form.image.value = viewer.add_image(stack, name="cells")
    form.mask.value = viewer.add_labels(
        (np.arange(4) == 1)[:, None, None] * np.eye(40, 48, dtype=int)
    )
    form.planes.value = -3
    form["first_plane"].value = 1
    viewer.dims.set_point(0, 0)
    inputs = form.inputs()
    assert inputs.planes == 3
    image, mask = inputs.read()
    np.testing.assert_array_equal(image, stack[1])
    assert mask.sum() == 40
    form.planes.value = ALL
    viewer.dims.set_point(0, 25)  # where the image has no plane
    np.testing.assert_array_equal(form.inputs().read()[0], stack[0])


def test_a_stack_is_let_go_of_after_its_run(make_panel, stack, wait):
    panel, viewer, _ = make_panel(steps=2, seconds=0)
    image = viewer.add_image(stack, name="cells")
    panel.form.planes.value = ALL
    panel.restore_button.native.click()
    wait(panel)
    run = panel.course._run
    assert len(run.source.stack) == 4
    with pytest.raises(RuntimeError, match="after the end"):
        run.source.stack.read((0, 0, 0))
    assert image in viewer.layers


def test_the_channels_noise_is_told(make_panel, wait):
    rng = np.random.default_rng(0)
    noisy = 120 + rng.normal(size=(2, 2, 64, 64)) * np.array([3, 15]).reshape(2, 1, 1, 1)
    panel, viewer, _ = make_panel(steps=2, seconds=0)
    viewer.add_image(noisy.astype(np.uint8), name="cells")
    viewer.dims.axis_labels = ("channel", "z", "y", "x")
    panel.form.planes.value = ALL
    panel.restore_button.native.click()
    wait(panel)
    made = viewer.layers[-1].metadata["napari-dred"]
    first, second = (channel["sigma"] for channel in made["channels"])
    assert 2 < first < 4
    assert 12 < second < 18
    assert made["planes"] == 4
    assert made["iterations"] == 2
