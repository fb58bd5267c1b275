"""What is said before a run: in which words, of which inputs, and when it is worked out."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from napari.components import ViewerModel
from superqt.utils import WorkerBase

from napari_dred import Control, InputError, Parameters, Plan, RestorationError
from napari_dred.core.control import Interrupted
from napari_dred.viewer import forecast
from napari_dred.viewer.forecast import (
    Forecast,
    Inputs,
    inputs_of,
    noise_kind,
    plan_run,
    plan_statement,
)
from napari_dred.volumes import Region

PLAN = Plan(
    task="inpaint",
    shape=(20, 30),
    parameters=Parameters(),
    sigma=3.25,
    sigma_estimated=True,
    missing=0,
    masked=0,
    device="cpu",
    memory=2**28,
    seconds=12.0,
)
IMAGE = np.zeros((20, 30), np.uint8)
MASK = np.zeros((20, 30), bool)
MASK[:2] = True


class Planner:
    """Takes its time, or fails, and counts."""

    def __init__(self, seconds=0.0, error=None):
        self.seconds, self.error = seconds, error
        self.calls, self.threads, self.at_once, self.most = [], set(), 0, 0

    def __call__(self, image, mask, region, parameters, psf, control):
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.calls.append((image, mask, region, parameters))
        self.threads.add(threading.current_thread())
        time.sleep(self.seconds)
        self.at_once -= 1
        if self.error is not None:
            raise self.error
        return PLAN


def worked(inputs, planner, last=None):
    """Run the work of the thread here; give what it said on the way, and its outcome."""
    said, work = [], forecast._work(inputs, planner, last, Control())
    while True:
        try:
            said.append(next(work))
        except StopIteration as end:
            return said, end.value


def inputs(image=IMAGE, mask=None, region=None, **parameters):
    return Inputs(lambda: (image, mask), region, Parameters(**parameters))


# Without a window.


def test_a_plan_in_words():
    assert plan_statement(PLAN) == (
        "Inpainting · 20 × 30 pixels · Gaussian noise, σ 3.25 · 256 MiB · "
        "Restore takes about 12 s · cpu"
    )


@pytest.mark.parametrize(
    ("photon", "correlation", "impulses", "kind"),
    [
        (None, None, 0, "Gaussian"),
        ((2.0, 1.0), None, 0, "photon"),
        (None, None, 9, "Gaussian + impulse"),
        ((2.0, 1.0), None, 9, "photon + impulse"),
        (None, 0.5, 0, "correlated"),
        ((2.0, 1.0), 0.5, 9, "correlated photon + impulse"),
    ],
)
def test_the_kind_of_noise(photon, correlation, impulses, kind):
    from dataclasses import replace

    found = replace(PLAN, photon_noise=photon, correlation=correlation, impulses=impulses)
    assert noise_kind(found) == kind


def test_size_and_pixels_are_said_before_the_plan():
    (said,), outcome = worked(inputs(mask=MASK), Planner())
    assert said.splitlines() == [
        "20 × 30 pixels",
        "60 pixels (10.0 %) will be replaced.",
        "Working out…",
    ]
    assert outcome.plan is PLAN
    assert outcome.text.splitlines() == [
        plan_statement(PLAN),
        "60 pixels (10.0 %) will be replaced.",
    ]
    (said,), _ = worked(inputs(mask=MASK, region=Region(0, 4, 5, 99), scale=2), Planner())
    assert said.startswith("8 × 50 pixels\n50 pixels (50.0 %)")


def test_pixels_that_are_not_finite_count_too():
    from dataclasses import replace

    plan = replace(PLAN, missing=6, shape=(40, 60), parameters=Parameters(scale=2))
    _, outcome = worked(inputs(), lambda *_: plan)
    assert outcome.text.endswith("\n6 pixels (1.0 %) will be replaced.")


def test_a_mask_of_most_pixels_is_doubted_beforehand():
    from dataclasses import replace

    plan = replace(PLAN, missing=480, masked=480)  # of 600
    (said,), outcome = worked(inputs(mask=~MASK), lambda *_: plan)
    assert "invert it" in said
    assert "80.0 % of the pixels as missing" in outcome.text


def test_what_was_worked_out_is_not_worked_out_again():
    planner = Planner()
    _, first = worked(inputs(mask=MASK), planner)
    said, again = worked(inputs(IMAGE.copy(), MASK.copy(), keep_observed=True), planner, first)
    assert again is first
    assert said == []
    assert len(planner.calls) == 1
    for other in (
        inputs(),
        inputs(mask=~MASK),
        inputs(IMAGE + 1, MASK),
        inputs(IMAGE.astype(np.int8), MASK),
        inputs(mask=MASK, scale=2),
        inputs(mask=MASK, region=Region(0, 9, 0, 9)),
    ):
        assert worked(other, planner, first)[1] is not first


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InputError("sigma is 99, too much"), "Sigma is 99, too much."),
        (RestorationError("it takes about 90 GiB"), "It takes about 90 GiB."),
        (MemoryError(), "There is not enough memory for this image; close other images,"),
        (RuntimeError("oops"), "Internal error: oops"),
        (KeyError("oops"), "Internal error: 'oops'"),
    ],
)
def test_what_is_wrong_is_one_sentence(error, said):
    _, outcome = worked(inputs(), Planner(error=error))
    assert outcome.text.startswith(said)
    assert "\n" not in outcome.text
    assert outcome.plan is None

    def read():
        raise error

    said_before, outcome = worked(Inputs(read, None, Parameters()), Planner())
    assert outcome.text.startswith(said)
    assert said_before == []


def test_layers_are_read_when_that_is_asked_for():
    viewer = ViewerModel()
    image = viewer.add_image(np.arange(3)[:, None, None] * np.ones((1, 8, 9)))
    shapes = viewer.add_shapes([[[1, 2], [1, 4], [3, 4], [3, 2]]], shape_type="rectangle")
    labels = viewer.add_labels(np.eye(8, 9, dtype=int) * 5)
    viewer.dims.set_current_step(0, 2)
    given = inputs_of(image, shapes, viewer, Parameters(), region=Region(0, 4, 0, 4))
    viewer.layers.clear()
    plane, mask = given.read()
    assert (plane == 2).all()
    assert mask.sum() == 9
    assert given.region == Region(0, 4, 0, 4)
    viewer.add_layer(image)
    assert inputs_of(image, None, viewer, Parameters()).read()[1] is None
    assert not inputs_of(image, labels, viewer, Parameters(), label=4).read()[1].any()
    with pytest.raises(InputError, match="no image"):
        inputs_of(None, labels, viewer, Parameters())


def test_the_real_plan_is_that_of_the_run_and_too_large_is_refused(monkeypatch):
    from napari_dred.core import given as checking

    image = np.random.default_rng(0).normal(100, 5, (32, 40)).astype(np.float32)
    given = (image, np.eye(32, 40, dtype=bool), Region(0, 16, 0, 16), Parameters(preset="preview"))
    plan = plan_run(*given)
    assert plan.shape == (16, 16)
    assert plan.missing == 16
    assert plan.sigma == pytest.approx(5, rel=0.3)
    monkeypatch.setattr(checking, "free_memory", lambda device: 2**20)
    with pytest.raises(RestorationError, match="takes about"):
        plan_run(*given)


def test_a_plan_that_nobody_waits_for_is_left():
    control = Control()
    control.cancel()
    with pytest.raises(Interrupted):
        plan_run(IMAGE + np.arange(30, dtype=np.uint8), None, None, Parameters(), None, control)


def test_a_plan_whose_task_needs_no_torch_yet_imports_none():
    code = "import sys, napari_dred.viewer.forecast; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


# The line, and when.


@pytest.fixture
def make(qtbot):
    """Give a function that makes a forecast of `given[0]`, with a short delay."""

    made = []

    def make(planner=None, planned=None):
        given = [inputs(mask=MASK)]

        def collect():
            if isinstance(given[0], Exception):
                raise given[0]
            return given[0]

        new = Forecast(collect, planned, planner or Planner(), delay=0.02)
        qtbot.addWidget(new.line.native)
        made.append(new)
        return new, given

    yield make
    for each in made:
        each.pause()
        qtbot.waitUntil(lambda each=each: not each.busy, timeout=5000)


def idle(qtbot, forecast):
    qtbot.waitUntil(lambda: not forecast.busy, timeout=5000)


def test_many_changes_make_one_forecast_in_a_thread(qtbot, make):
    planner, plans = Planner(), []
    line, _ = make(planner, plans.append)
    for _ in range(10):
        line.refresh("whatever an event gives")
    idle(qtbot, line)
    assert line.line.value == f"{plan_statement(PLAN)}\n60 pixels (10.0 %) will be replaced."
    assert plans == [PLAN]
    assert len(planner.calls) == 1
    assert threading.main_thread() not in planner.threads
    line.refresh()
    idle(qtbot, line)
    assert plans == [PLAN]  # nothing new: nothing is reported, or a form that shows it would loop
    assert len(planner.calls) == 1


def test_never_two_at_once_and_the_latest_wins(qtbot, make):
    planner, plans = Planner(0.2), []
    line, given = make(planner, plans.append)
    line.refresh()
    qtbot.waitUntil(
        lambda: bool(planner.calls) and line.line.value.startswith("20 × 30 pixels\n"),
        timeout=5000,
    )
    for scale in (2, 3, 4):
        given[0] = inputs(scale=scale)
        line.refresh()
        qtbot.wait(10)
    idle(qtbot, line)
    assert planner.most == 1
    assert [call[3].scale for call in planner.calls] == [1, 4]
    assert plans == [PLAN]  # of the first one nothing was heard


def test_a_mistake_is_said_without_a_thread(qtbot, make):
    planner = Planner()
    line, given = make(planner)
    given[0] = InputError("there is no image layer; open an image first")
    line.refresh()
    qtbot.waitUntil(lambda: line.line.value != "", timeout=5000)
    assert line.line.value == "There is no image layer; open an image first."
    assert planner.calls == []


def test_paused_it_neither_starts_nor_says_anything(qtbot, make):
    planner, plans = Planner(0.1), []
    line, given = make(planner, plans.append)
    line.pause()
    line.refresh()
    assert not line.busy
    line.resume()
    qtbot.waitUntil(lambda: len(planner.calls) == 1, timeout=5000)
    line.pause()
    line.line.value = "a run's own line"
    idle(qtbot, line)
    assert line.line.value == "a run's own line"
    assert plans == []
    given[0] = inputs(scale=2)
    line.resume()
    idle(qtbot, line)
    assert planner.calls[-1][3].scale == 2
    assert plans == [PLAN]


@pytest.mark.parametrize(
    "leave",
    [Forecast.pause, Forecast.forget, lambda _: WorkerBase.await_workers(5000)],
    ids=["paused", "another image", "napari closes"],
)
def test_it_leaves_what_it_measures_when_nobody_waits_for_it(qtbot, make, leave):
    began, left = threading.Event(), threading.Event()

    def planner(*given):
        began.set()
        try:
            while True:  # as long as a measurement may take
                given[-1].check()
                time.sleep(0.01)
        except Interrupted:
            left.set()
            raise

    line, _ = make(planner)
    line.refresh()
    qtbot.waitUntil(began.is_set, timeout=5000)
    leave(line)
    line.line.value = "a run's own line"
    idle(qtbot, line)
    assert left.is_set()
    assert line.line.value == "a run's own line"


def test_after_a_slow_one_it_waits_as_long(qtbot, make):
    line, _ = make(Planner(0.3))
    line.refresh()
    idle(qtbot, line)
    line.refresh()
    assert line._timer.interval() >= 290


def test_a_window_that_closes_while_it_is_worked_out(qtbot):
    planner = Planner(0.2)
    line = Forecast(lambda: inputs(), None, planner, delay=0.0)
    line.refresh()
    qtbot.waitUntil(lambda: len(planner.calls) == 1, timeout=5000)
    line.line.native.deleteLater()
    idle(qtbot, line)
    line.refresh()
    line.resume()
    line.pause()
    assert not line.busy
