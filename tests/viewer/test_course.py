"""The course of a run: its slider, what is kept of it, and its reference. No worker is needed."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_dred import Result, Step
from napari_dred.viewer.convergence_plot import _COLOURS
from napari_dred.viewer.course import Course
from napari_dred.viewer.snapshots import Snapshots
from napari_dred.volumes import Region

pytestmark = pytest.mark.window
SIZE = (20, 24)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def course(qtbot, viewer):
    course = Course(
        viewer,
        lambda kind: [
            x for x in viewer.layers if isinstance(x, kind) and x is not course.preview_layer
        ],
    )
    viewer.layers.events.inserted.connect(lambda: course.reset_choices())
    viewer.layers.events.removed.connect(lambda: course.reset_choices())
    qtbot.addWidget(course)
    yield course
    course.clear()


@pytest.fixture
def begin(viewer, course, make_run):
    """Give a function that begins a run on a gray image, and another one of the last layers."""

    def begin_one(data=None, **options):
        data = np.zeros(SIZE, np.uint8) if data is None else data
        layer = viewer.add_image(data, name="photo", scale=options.pop("scale", None))
        run = make_run(viewer, layer, **options)
        course.begin(run)
        return run

    return begin_one


def step(iteration, shape=SIZE, image=True):
    """A step, whose image has its iteration as its value."""
    picture = np.full(shape, iteration, np.uint8) if image else None
    return Step(iteration, 100, 1 / iteration, 1 / iteration, image=picture)


def result_of(run, kept=None):
    return Result(
        image=np.zeros(SIZE, np.uint8),
        plan=run.plan,
        steps=tuple(step(i, image=False) for i in range(1, 41)),
        stop_reason="iterations",
        seconds=1.0,
        notes=(),
        version="0",
        kept=kept,
    )


def names(viewer):
    return [x.name for x in viewer.layers]


def shown(course):
    """The iteration whose image the preview has."""
    return int(np.unique(course.preview_layer.data).item())


# The slider.


def test_during_a_run_the_newest_is_followed(viewer, course, begin):
    assert course.isHidden()
    begin()
    assert not course.isHidden()
    assert not course.keep_button.enabled
    for i in (1, 10, 20):
        course.add(step(i))
        course.add(step(i + 1, image=False))
        assert shown(course) == i
        assert course.where.text() == f"Iteration {i} (newest)"
    assert names(viewer) == ["photo", "photo (in progress)"]
    assert course.slider.value() == course.slider.maximum() == 2
    assert course.plot.points("loss")[0] == [1, 2, 10, 11, 20, 21]


def test_an_earlier_image_stays_while_the_run_goes_on(viewer, course, begin):
    begin()
    for i in (1, 10, 20):
        course.add(step(i))
    course.slider.setValue(1)
    assert shown(course) == 10
    assert course.where.text() == "Iteration 10"
    assert course.plot._shown.value() == 10
    for i in (30, 40):
        course.add(step(i))
        assert shown(course) == 10
        assert (course.slider.value(), course.slider.maximum()) == (1, i // 10)
    course.slider.setValue(4)
    assert shown(course) == 40
    course.add(step(50))
    assert shown(course) == 50
    assert not course.plot._shown.isVisible()
    assert len(viewer.layers) == 2


def test_when_the_image_looked_at_is_no_longer_kept_the_nearest_is_shown(course, begin):
    begin()
    course.snapshots = Snapshots(max_count=4)
    for i in (10, 11, 30, 40):
        course.add(step(i))
    course.slider.setValue(1)
    assert shown(course) == 11
    course.add(step(50))
    assert [s.iteration for s in course.snapshots] == [10, 30, 40, 50]
    assert shown(course) == 10
    assert course.slider.value() == 0
    assert course.where.text() == "Iteration 10"


def test_after_a_run_the_slider_goes_back_from_the_result(viewer, course, begin):
    run = begin()
    for i in (1, 10, 20):
        course.add(step(i))
    course.end(result_of(run, kept=15))
    assert names(viewer) == ["photo"]  # the panel adds the result
    assert course.where.text() == "The result"
    assert not course.keep_button.enabled
    assert course.plot.points("loss")[0] == list(range(1, 41))
    assert course.plot._kept.value() == 15
    course.slider.setValue(2)
    assert names(viewer) == ["photo", "photo (snapshot)"]
    assert shown(course) == 20
    assert course.keep_button.enabled
    course.slider.setValue(0)
    assert shown(course) == 1
    course.slider.setValue(3)
    assert names(viewer) == ["photo"]
    assert course.where.text() == "The result"


def test_the_held_out_error_is_drawn_as_it_comes_and_again_at_the_end(course, begin):
    run = begin()
    steps = tuple(
        Step(i, 40, 1 / i, 1 / i, held_out=abs(i - 20) / 20 + 1 if i % 10 == 0 else None)
        for i in range(1, 41)
    )
    for s in steps[:25]:
        course.add(s)
    assert course.plot.points("held_out") == ([10, 20], [1.5, 1.0])
    course.end(replace(result_of(run, kept=20), steps=steps))
    assert course.plot.points("held_out") == ([10, 20, 30, 40], [1.5, 1.0, 1.5, 2.0])
    assert course.plot._kept.value() == 20
    course.plot.draw()
    assert "Held-out" in course.plot.legend.text()


def test_a_run_that_failed_leaves_its_images(viewer, course, begin):
    begin()
    for i in (1, 10):
        course.add(step(i))
    course.end(None)
    assert names(viewer) == ["photo"]
    assert course.where.text() == "Iteration 10 (newest)"
    assert not course.plot._kept.isVisible()
    course.slider.setValue(0)
    assert shown(course) == 1
    course.slider.setValue(1)
    assert shown(course) == 10
    assert course.keep_button.enabled


def test_a_preview_that_was_deleted_comes_back_with_the_slider(viewer, course, begin):
    begin()
    for i in (1, 10):
        course.add(step(i))
    viewer.layers.remove(course.preview_layer)
    course.add(step(20))
    assert names(viewer) == ["photo"]
    course.slider.setValue(0)
    assert shown(course) == 1


def test_it_can_be_folded(course, begin):
    begin()
    assert course.plot.isVisibleTo(course)
    course.fold.click()
    assert not course.plot.isVisibleTo(course)
    assert not course.fold.isHidden()
    course.add(step(1))
    course.fold.click()
    assert course.plot.points("loss")[0] == [1]


# Keep this one.


def test_keep_this_one_adds_a_layer_as_if_the_run_had_ended_there(viewer, course, begin):
    begin(scale=(0.5, 2), sigma=2.5)
    labels = viewer.add_labels(np.zeros(SIZE, int))
    for i in (1, 10, 20):
        course.add(step(i))
    course.slider.setValue(1)
    course.keep_button.native.click()
    assert names(viewer)[2:] == ["photo (iteration 10)", "photo (in progress)"]
    assert viewer.layers.selection.active is labels
    kept = viewer.layers["photo (iteration 10)"]
    assert (kept.data == 10).all()
    assert tuple(kept.scale) == (0.5, 2)
    made = json.loads(json.dumps(kept.metadata["napari-dred"]))
    assert made["iterations"] == 10
    assert made["stop_reason"] == "snapshot"
    assert made["parameters"]["sigma"] == 2.5
    assert made["source"] == {"layer": "photo"}
    course.add(step(30))
    assert (kept.data == 10).all()


def test_what_was_kept_outlasts_the_run(viewer, course, begin):
    run = begin()
    course.add(step(1))
    course.keep_button.native.click()
    course.end(result_of(run))
    course.clear()
    assert names(viewer) == ["photo", "photo (iteration 1)"]
    assert (viewer.layers[-1].data == 1).all()


def test_an_image_of_a_region_is_kept_within_the_whole(viewer, course, begin):
    data = np.full(SIZE, 200, np.uint8)
    begin(data, region=Region(2, 8, 3, 13))
    course.add(step(7, (6, 10)))
    assert course.preview_layer.data.shape == (6, 10)
    course.keep_button.native.click()
    kept = viewer.layers["photo (iteration 7)"]
    expected = data.copy()
    expected[2:8, 3:13] = 7
    np.testing.assert_array_equal(kept.data, expected)
    assert tuple(kept.translate) == (0, 0)
    assert kept.metadata["napari-dred"]["source"]["region"]["bottom"] == 8


def test_observed_pixels_are_kept_if_that_was_asked_for(viewer, course, begin):
    data = np.full(SIZE, 200.0)
    data[0, 0] = np.nan
    mask = np.zeros(SIZE, bool)
    mask[5, 5] = True
    begin(data, mask=mask, keep_observed=True)
    course.add(step(7))
    course.keep_button.native.click()
    kept = viewer.layers["photo (iteration 7)"].data
    assert (kept[0, 0], kept[5, 5]) == (7, 7)
    assert np.count_nonzero(kept == 200) == kept.size - 2


def test_an_enlarged_image_keeps_its_place(viewer, course, begin):
    begin(scale=(2, 2))
    run = course._run
    run.parameters = run.parameters.replace(scale=2)
    course.add(step(7, (40, 48)))
    course.keep_button.native.click()
    kept = viewer.layers["photo (iteration 7)"]
    assert tuple(kept.scale) == (1, 1)
    assert tuple(kept.translate) == (-0.5, -0.5)


# The reference.


def test_the_psnr_against_a_reference_is_plotted_and_said(qtbot, viewer, course, begin):
    begin()
    assert course.reference.native.isHidden()  # nothing to choose from
    for i in (1, 10):
        course.add(step(i))
    clean = viewer.add_image(np.full(SIZE, 11, np.uint8), name="clean")
    assert not course.reference.native.isHidden()
    assert course.reference.choices == (None, clean)  # neither the input nor the preview
    course.reference.value = clean
    qtbot.waitUntil(lambda: course.plot.points("psnr")[0] == [1, 10])
    course.add(step(14))
    qtbot.waitUntil(lambda: course.plot.points("psnr")[0] == [1, 10, 14])
    expected = [20 * np.log10(255 / e) for e in (10, 1, 3)]
    np.testing.assert_allclose(course.plot.points("psnr")[1], expected)
    assert course.where.text() == "Iteration 14 (newest) · 38.59 dB"
    course.slider.setValue(1)
    assert course.where.text() == "Iteration 10 · 48.13 dB"
    viewer.layers.remove(clean)
    assert course.plot.points("psnr") == ([], [])
    assert course.where.text() == "Iteration 10"


def test_another_reference_measures_anew_and_the_next_run_has_it_too(qtbot, viewer, course, begin):
    begin()
    course.add(step(5))
    first, second = (viewer.add_image(np.full(SIZE, v, np.uint8)) for v in (6, 10))
    course.reference.value = first
    qtbot.waitUntil(lambda: course.plot.points("psnr")[0] == [5])
    late = course._reference
    course.reference.value = second
    course._on_measured(late, 5, 99.0)  # what the thread had begun before
    qtbot.waitUntil(lambda: course.plot.points("psnr")[0] == [5])
    assert course.plot.points("psnr")[1] == [pytest.approx(20 * np.log10(255 / 5))]
    begin()
    assert course.plot.points("psnr") == ([], [])
    course.add(step(9))
    qtbot.waitUntil(lambda: course.plot.points("psnr")[0] == [9])
    assert course.plot.points("psnr")[1] == [pytest.approx(20 * np.log10(255))]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((9, 9), np.uint8), "has 9 x 9 pixels and the restored image 20 x 24"),
        (np.full(SIZE, np.nan), "no real numbers"),
        (np.full(SIZE, 300.0), "the same value everywhere"),
        (np.zeros((*SIZE, 3), np.uint8), "is a colour image and the restored one is a gray"),
        (np.zeros((4, *SIZE), np.uint8), "has 4 x 20 x 24 pixels"),
    ],
)
def test_a_reference_that_does_not_fit_is_refused_in_words(viewer, course, begin, data, words):
    begin()
    course.add(step(5))
    wrong = viewer.add_image(data, name="other", rgb=data.shape[-1] == 3)
    course.reference.value = wrong
    assert words in course.refusal.value
    assert course.refusal.value.endswith(".")
    assert not course.refusal.native.isHidden()
    assert course.plot.points("psnr") == ([], [])
    course.reference.value = None
    assert course.refusal.native.isHidden()


def test_a_reference_with_too_few_planes_is_refused_in_words(viewer, course, begin):
    stack = viewer.add_image(np.zeros((5, *SIZE), np.uint8))
    viewer.dims.set_current_step(0, 3)
    begin(stack.data)
    course.reference.value = viewer.add_image(np.zeros((2, *SIZE), np.uint8), name="short")
    assert "'short' has 2 planes on axis 0, and plane 3 is restored" in course.refusal.value


def test_the_reference_of_a_plane_and_of_a_region_is_that_part(qtbot, viewer, course, begin):
    clean = np.arange(5 * 20 * 24).reshape(5, *SIZE).astype(np.uint16)
    viewer.add_image(clean, name="first")
    viewer.dims.set_current_step(0, 3)
    run = begin(np.zeros_like(clean), region=Region(2, 8, 3, 13))
    np.testing.assert_array_equal(run.reference(viewer.layers["first"]), clean[3, 2:8, 3:13])
    flat = Image(clean[0])
    np.testing.assert_array_equal(run.reference(flat), clean[0, 2:8, 3:13])
    single = Image(clean[:1])
    np.testing.assert_array_equal(run.reference(single), clean[0, 2:8, 3:13])
    part = Image(clean[1, :6, :10])
    np.testing.assert_array_equal(run.reference(part), part.data)
    copy = run.reference(flat)
    flat.data[:] = 0
    assert copy.any()


# Theme and memory.


def test_it_follows_the_theme(viewer, course, begin):
    begin()
    course.add(step(1))
    for theme in ("light", "dark"):
        viewer.theme = theme
        assert _COLOURS["loss"][theme] in course.plot.legend.text()


@pytest.mark.parametrize("how", ["next run", "closed"])
def test_its_images_are_let_go(qtbot, viewer, course, begin, how):
    run = begin()
    image = np.full(SIZE, 3, np.uint8)
    gone = [weakref.ref(image)]
    course.add(Step(1, 2, 1.0, 1.0, image=image))
    del image
    course.reference.value = viewer.add_image(np.zeros(SIZE, np.uint8))
    qtbot.waitUntil(lambda: course.plot.points("psnr")[0] == [1])
    gone += [weakref.ref(course._reference), weakref.ref(course.preview_layer)]
    course.end(result_of(run))
    course.slider.setValue(0)
    gone += [weakref.ref(course.preview_layer)]
    if how == "closed":
        course.clear()
        assert course.isHidden()
    else:
        begin()
    del run
    gc.collect()  # layers hold themselves in circles
    assert [ref() for ref in gone] == [None] * 4
    assert len(course.snapshots) == 0
    assert course.preview_layer is None
    assert not course.slider.isEnabled()
