"""Nothing that a user does during a run breaks it: each thing once, with a live worker."""

from __future__ import annotations

import gc
import time
import weakref

import numpy as np
import pytest
from napari.utils import progress

from napari_dred.viewer.convergence_plot import _COLOURS
from napari_dred.viewer.restore_widget import RestoreWidget

pytestmark = pytest.mark.window


@pytest.fixture
def begun(qtbot):
    """Give a function that starts a run and waits for its preview; it gives the preview's layer."""

    def begin(panel):
        panel.restore_button.native.click()
        qtbot.waitUntil(lambda: panel.course.preview_layer is not None, timeout=5000)
        return panel.course.preview_layer

    return begin


@pytest.fixture
def goes_on(qtbot):
    """Give a function that waits for two more images of the run."""

    def until_shown(panel):
        newest = panel.course.snapshots[-1].iteration
        for _ in range(2):
            qtbot.waitUntil(
                lambda before=newest: panel.course.snapshots[-1].iteration > before, timeout=5000
            )
            newest = panel.course.snapshots[-1].iteration

    return until_shown


@pytest.fixture
def in_window(make_napari_viewer, fake_solver):
    """Give a function that makes a panel in napari's own window, with an endless solver."""

    def make(data):
        viewer = make_napari_viewer()
        viewer.add_image(data, name="photo")
        solver = fake_solver(steps=10_000)
        panel = RestoreWidget(viewer, solve=lambda i, m, r, **kw: solver(i, m, **kw))
        viewer.window.add_dock_widget(panel, name="Restore image")
        return panel, viewer

    return make


def stopped(panel, wait):
    """Stop the run; give its result's layer."""
    panel.stop_button.native.click()
    wait(panel, 5)
    assert panel.status.value.startswith("Stopped after")
    assert panel.course.preview_layer is None
    (result,) = (x for x in panel._viewer.layers if "napari-dred" in x.metadata)
    return result


# What is done to the view.


def test_a_hidden_preview_stays_hidden(make_panel, picture, begun, goes_on, wait, heard):
    panel, viewer, _ = make_panel(steps=10_000)
    viewer.add_image(picture, name="photo")
    preview = begun(panel)
    preview.visible = False
    goes_on(panel)
    assert panel.course.preview_layer is preview
    assert not preview.visible
    assert stopped(panel, wait).visible
    assert preview.name == "photo restored"
    assert heard == []


def test_contrast_colours_and_order_are_the_users(make_panel, picture, begun, goes_on, wait):
    panel, viewer, _ = make_panel(steps=10_000)
    image = viewer.add_image(picture, name="photo")
    preview = begun(panel)
    preview.contrast_limits, preview.colormap, preview.name = (3, 9), "red", "mine"
    viewer.layers.move(1, 0)
    goes_on(panel)
    assert viewer.layers == [preview, image]
    assert preview.contrast_limits == [3, 9]
    assert preview.colormap.name == "red"
    assert preview.name == "mine"
    # And they stay so, as the preview becomes the result.
    assert stopped(panel, wait) is preview
    assert viewer.layers == [preview, image]
    assert preview.contrast_limits == [3, 9]
    assert preview.colormap.name == "red"
    assert preview.name == "mine"
    assert preview in panel.form.image.choices


def test_the_dims_slider_leaves_the_run_at_its_plane(in_window, begun, goes_on, wait, heard):
    stack = np.random.default_rng(1).integers(0, 999, (5, 30, 32), dtype=np.uint16)
    panel, viewer = in_window(stack)
    viewer.dims.set_current_step(0, 3)
    preview = begun(panel)
    viewer.dims.set_current_step(0, 1)
    goes_on(panel)
    assert tuple(preview.translate) == (3, 0, 0)
    result = stopped(panel, wait)
    np.testing.assert_array_equal(result.data, stack[3:4])
    assert tuple(result.translate) == (3, 0, 0)
    assert viewer.dims.current_step[0] == 1
    assert heard == []


@pytest.mark.parametrize("shape", [(30, 32), (5, 30, 32), (40, 44, 3)])
def test_the_3d_display_and_back(in_window, begun, goes_on, wait, heard, shape):
    data = np.random.default_rng(1).integers(0, 255, shape, dtype=np.uint8)
    panel, viewer = in_window(data)
    begun(panel)
    viewer.dims.ndisplay = 3
    goes_on(panel)
    panel.course.slider.setValue(0)
    viewer.dims.ndisplay = 2
    viewer.dims.ndisplay = 3
    result = stopped(panel, wait)
    plane = data[viewer.dims.current_step[0]] if len(shape) == 3 and shape[-1] != 3 else data
    np.testing.assert_array_equal(result.data.squeeze(), plane)
    viewer.dims.ndisplay = 2
    assert heard == []


def test_the_axes_are_rolled(in_window, begun, goes_on, wait, heard):
    stack = np.random.default_rng(1).integers(0, 999, (5, 30, 32), dtype=np.uint16)
    panel, viewer = in_window(stack)
    viewer.dims.set_current_step(0, 2)
    begun(panel)
    viewer.dims.roll()
    goes_on(panel)
    np.testing.assert_array_equal(stopped(panel, wait).data, stack[2:3])
    assert heard == []


def test_the_theme_changes(in_window, picture, begun, goes_on, wait, heard):
    panel, viewer = in_window(picture)
    begun(panel)
    for theme in ("light", "dark", "light"):
        viewer.theme = theme
        goes_on(panel)
        assert _COLOURS["loss"][theme] in panel.course.plot.legend.text()
    stopped(panel, wait)
    assert heard == []


# What is done in the panel.


def test_the_form_is_edited(make_panel, picture, begun, goes_on, wait, heard):
    panel, viewer, solver = make_panel(steps=10_000)
    viewer.add_image(picture, name="photo")
    form = panel.form
    form.mask.value = viewer.add_labels(np.eye(40, 48, dtype=int))
    begun(panel)
    asked = solver.asked
    form.device.value = "cpu"
    form.preset.value = "paper"
    form.estimate_sigma.value = False
    form.sigma.value = 17
    form.noise.value = "impulse"
    form.scale.value = 2
    form.blur_sigma.value = 1.5
    form.iterations.value = 3
    form.mask.value = None
    goes_on(panel)
    assert solver.asked is asked
    result = stopped(panel, wait)
    made = result.metadata["napari-dred"]["parameters"]
    expected = asked.replace(iterations=made["iterations"])
    assert made == expected.to_dict()
    expected = np.where(np.eye(40, 48), 7, picture)  # with the mask, and not enlarged
    np.testing.assert_array_equal(result.data, expected)
    assert form.sigma.value == 17  # what was typed stays
    assert heard == []


def test_the_slider_and_keep_this_one(make_panel, picture, begun, goes_on, wait, heard):
    panel, viewer, _ = make_panel(steps=10_000)
    viewer.add_image(picture, name="photo")
    begun(panel)
    goes_on(panel)
    first = panel.course.snapshots[0].iteration
    panel.course.slider.setValue(0)
    panel.course.keep_button.native.click()
    goes_on(panel)
    panel.stop_button.native.click()
    wait(panel, 5)
    assert [x.name for x in viewer.layers] == [
        "photo",
        f"photo (iteration {first})",
        "photo restored",
    ]
    assert heard == []


def test_a_reference_is_chosen_and_deleted(qtbot, make_panel, picture, begun, goes_on, wait, heard):
    panel, viewer, _ = make_panel(steps=10_000)
    viewer.add_image(picture, name="photo")
    clean = viewer.add_image(np.roll(picture, 1), name="clean")
    panel.form.image.value = viewer.layers["photo"]
    begun(panel)
    panel.course.reference.value = clean
    qtbot.waitUntil(lambda: len(panel.course.plot.points("psnr")[0]) > 1, timeout=5000)
    viewer.layers.remove(clean)
    goes_on(panel)
    assert panel.course.plot.points("psnr") == ([], [])
    stopped(panel, wait)
    assert heard == []


# Memory.


def _torchs():
    import torch

    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.mark.parametrize(
    "make", [MemoryError, _torchs, lambda: RuntimeError("MPS backend out of memory")]
)
def test_out_of_memory_is_one_sentence_and_the_next_run_works(
    qtbot, make_panel, fake_solver, picture, wait, heard, make
):
    held = []
    good = fake_solver(steps=5)

    def fails(image, mask=None, **options):
        work = np.zeros(1000)  # what the solver works on
        held.append(weakref.ref(work))
        for record in good(image, mask, **options):
            yield record
            if getattr(record, "iteration", 0) == 3:
                raise make()
            work += 1

    solvers = iter([fails, fails, good])
    panel, viewer, _ = make_panel(solver=lambda *a, **kw: next(solvers)(*a, **kw))
    viewer.add_image(picture, name="photo")
    for count in (1, 2):
        panel.restore_button.native.click()
        wait(panel, 30)  # torch is imported for the words
        assert len(heard) == count
        said = heard[-1]
        assert str(said.severity) == "error"
        assert said.actions == ()  # no traceback
        assert said.message == panel.status.value
        assert "out of memory" in said.message
        assert said.message.count(". ") == 0
        assert said.message.endswith(".")
        assert len(progress._all_instances) == 0
        assert not panel.cancel_button.enabled
        assert [x.name for x in viewer.layers] == ["photo"]
    qtbot.waitUntil(lambda: good.closed == 2)
    gc.collect()
    assert [ref() for ref in held] == [None, None]
    panel.restore_button.native.click()
    wait(panel)
    assert [x.name for x in viewer.layers] == ["photo", "photo restored"]
    assert len(heard) == 2


@pytest.mark.parametrize("how", ["done", "stopped", "cancelled", "closed"])
def test_what_the_solver_held_is_freed(
    qtbot, make_napari_viewer, fake_solver, picture, begun, wait, how
):
    held = []
    solver = fake_solver(steps=80 if how == "done" else 10_000)

    def solve(image, mask, region, **options):
        work = np.zeros(1000)
        held.append(weakref.ref(work))
        for record in solver(image, mask, **options):
            work += 1
            yield record

    viewer = make_napari_viewer()
    viewer.add_image(picture, name="photo")
    panel = RestoreWidget(viewer, solve=solve)
    dock = viewer.window.add_dock_widget(panel, name="Restore image")
    begun(panel)
    worker = panel.worker
    images = [weakref.ref(s.image) for s in panel.course.snapshots]
    match how:
        case "stopped":
            panel.stop_button.native.click()
        case "cancelled":
            panel.cancel_button.native.click()
        case "closed":
            dock.destroyOnClose()
    wait(panel)
    qtbot.waitUntil(lambda: not worker.is_running, timeout=5000)
    qtbot.waitUntil(lambda: worker.job._records is None)
    gc.collect()
    assert held[0]() is None
    if how in ("cancelled", "closed"):
        assert [ref() for ref in images] == [None] * len(images)
        assert viewer.layers == [viewer.layers["photo"]]


def test_no_record_is_shown_within_another(in_window, picture, begun, goes_on, qtbot, monkeypatch):
    depths, now = [], 0
    shown = RestoreWidget._on_record

    def counted(self, run, record):
        nonlocal now
        now += 1
        depths.append(now)
        shown(self, run, record)
        # The next records are there before napari's progress bar handles events.
        time.sleep(0.12)
        now -= 1

    monkeypatch.setattr(RestoreWidget, "_on_record", counted)
    panel, _ = in_window(picture)
    begun(panel)
    goes_on(panel)
    qtbot.waitUntil(lambda: len(depths) > 12, timeout=5000)
    (bar,) = progress._all_instances
    qtbot.waitUntil(lambda: bar.n > 0, timeout=5000)
    assert max(depths) == 1
