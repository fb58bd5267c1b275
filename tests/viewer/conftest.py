"""A solver that does nothing but behave like one, and panels to drive it."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import pytest

from napari_dred import InputError, Parameters, Plan, RestorationError, Result, Step
from napari_dred.core.control import Interrupted
from napari_dred.volumes import solve_region


class FakeSolver:
    """Stands for `napari_dred.solve`; its "restoration" is the image with the gaps at 7.

    Attributes
    ----------
    steps, seconds, quick : int, float, int
        How many steps, how long each takes, and how many at the start take no time.
    closed : int
        Runs whose clean-up has run.
    images, records : int
        Records given, and those of them with an image.
    """

    def __init__(self, steps=20, seconds=0.01, error=None, quick=0):
        self.steps, self.seconds, self.error, self.quick = steps, seconds, error, quick
        self.closed = self.images = self.records = 0
        self.asked = None
        self.sigma = 3.25  # the estimate

    def __call__(self, image, mask=None, *, psf=None, parameters=None, control=None, **_):
        parameters = parameters or Parameters()
        self.asked = parameters
        factor = parameters.scale
        restored = image.copy()
        if mask is not None:
            restored[mask != 0] = 7
        restored = restored.repeat(factor, axis=0).repeat(factor, axis=1)
        lost = 0 if mask is None else int(np.count_nonzero(mask))
        plan = Plan(
            task="inpaint" if lost else "denoise",
            shape=restored.shape,
            # There may be more steps, as polishing adds some.
            parameters=parameters.replace(iterations=max(1, self.steps - 1)),
            sigma=self.sigma,
            sigma_estimated=parameters.sigma is None,
            missing=lost,
            masked=lost,
            device="cpu",
            memory=2**28,
            seconds=12.0,
            notes=("A note.",),
        )
        steps, start = [], time.monotonic()
        same = parameters.output_dtype == "same"
        result = restored if same else restored.astype(parameters.output_dtype)
        try:
            self.records += 1
            yield plan
            for i in range(1, self.steps + 1):
                try:
                    self._work(control, 0 if i <= self.quick else self.seconds)
                except Interrupted:
                    if control.cancelled:
                        return
                    break
                if self.error is not None and i == 3:
                    raise self.error
                picture = restored.astype(np.float32) if control.take_image_request() else None
                self.images += picture is not None
                self.records += 1
                steps.append(Step(i, self.steps, 0.1, 0.1))
                yield Step(i, self.steps, 0.1, 0.1, image=picture)
            if not steps:
                raise RestorationError("stopped before the first iteration: there is no image yet")
            yield Result(
                image=result,
                plan=plan,
                steps=tuple(steps),
                stop_reason="stopped" if control.stopped else "iterations",
                seconds=time.monotonic() - start,
                notes=plan.notes,
                version="0",
            )
        finally:
            self.closed += 1

    def _work(self, control, seconds):
        end = time.monotonic() + seconds
        while True:
            control.check()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.02))


def no_plan(*_):
    """Stands for the planner where the forecast is not what is tested."""
    raise InputError("no forecast in this test")


@pytest.fixture
def fake_solver():
    return FakeSolver


@pytest.fixture
def make_panel(qtbot, fake_solver):
    """Give a function that makes a panel, with its viewer model and fake solver."""
    from napari.components import ViewerModel

    from napari_dred.viewer.restore_widget import RestoreWidget

    panels = []

    def make(viewer=None, solver=None, planner=no_plan, **options):
        viewer = ViewerModel() if viewer is None else viewer
        solver = solver or fake_solver(**options)
        panel = RestoreWidget(viewer, solve=partial(solve_region, solve=solver), planner=planner)
        qtbot.addWidget(panel.native)
        # What a viewer's window does for a docked panel.
        for name in ("inserted", "removed", "reordered", "renamed"):
            getattr(viewer.layers.events, name).connect(panel.reset_choices)
        panels.append(panel)
        return panel, viewer, solver

    yield make
    for panel in panels:
        panel.waiting.clear()
        if panel.worker is not None:
            worker = panel.worker
            panel.cancel_button.native.click()
            qtbot.waitUntil(lambda worker=worker: not worker.is_running, timeout=5000)


@pytest.fixture
def heard(monkeypatch):
    """What napari's notifications said."""
    from napari.utils.notifications import notification_manager

    said = []
    monkeypatch.setattr(notification_manager, "dispatch", said.append)
    return said


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (40, 48), dtype=np.uint8)


@pytest.fixture
def wait(qtbot):
    """Give a function that waits until the panel is idle."""

    def until_idle(panel, seconds=10):
        qtbot.waitUntil(lambda: panel.worker is None, timeout=1000 * seconds)

    return until_idle


@pytest.fixture
def make_run():
    """Give a function that makes a run on a layer, without its worker."""
    from weakref import ref

    from napari_dred.viewer.layers import read_plane
    from napari_dred.viewer.request import Request, Source
    from napari_dred.viewer.run import Run

    def make(viewer, layer, mask=None, region=None, **parameters):
        plane = read_plane(layer, viewer)
        source = Source(plane, mask, region, ref(layer))
        run = Run(None, Request(source, Parameters(**parameters)))
        run.plan = Plan(
            task="denoise",
            shape=plane.image.shape,
            parameters=run.parameters,
            sigma=2.5,
            sigma_estimated=True,
            missing=0,
            masked=0,
            device="cpu",
            memory=2**20,
            seconds=1.0,
            notes=("A note.",),
        )
        return run

    return make
