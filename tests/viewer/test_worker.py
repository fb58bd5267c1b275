"""What goes wrong with napari's workers, each tried with a live one.

The order is that of the list of ten in which these faults were found; each test says what the
worker must do in spite of it.
"""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from qtpy.QtCore import QThread

from napari_dred import InputError, Plan, RestorationError, Step
from napari_dred.viewer.worker import Job, restore_worker

pytestmark = pytest.mark.window


@pytest.fixture
def start(qtbot, monkeypatch):
    """Give a function that starts a worker and notes what it emits."""
    started = []

    def start_one(solve, image_interval=0.05):
        def run(control):
            return solve(np.zeros((8, 8)), control=control)

        worker = restore_worker(Job(run, image_interval))
        worker.heard = []
        worker.records = []
        for name in ("returned", "errored"):
            getattr(worker, name).connect(lambda x, name=name: worker.heard.append((name, x)))
        for name in ("aborted", "finished", "paused", "resumed"):
            getattr(worker, name).connect(lambda name=name: worker.heard.append((name, None)))
        worker.yielded.connect(worker.records.append)
        started.append(worker)
        worker.start()
        return worker

    yield start_one
    for worker in started:
        if "finished" not in names(worker):
            worker.quit()
            qtbot.waitUntil(lambda worker=worker: "finished" in names(worker), timeout=5000)


def names(worker):
    return [name for name, _ in worker.heard]


def ends_within(qtbot, worker, seconds=2.0):
    qtbot.waitUntil(lambda: "finished" in names(worker), timeout=int(1000 * seconds))


def under_way(qtbot, worker):
    """Wait for a step, before which there is no image to keep."""
    qtbot.waitUntil(lambda: any(isinstance(x, Step) for x in worker.records), timeout=5000)


def out_of_memory():
    import torch

    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: RuntimeError("mat1 and mat2 shapes"), "the run failed.*mat1 and mat2 shapes"),
        (out_of_memory, "out of memory; use preset 'preview'"),
        (lambda: MemoryError(), "out of memory"),
        (lambda: RestorationError("Numbers went astray."), "Numbers went astray"),
    ],
)
def test_1_a_runtime_error_arrives_as_an_error_of_our_own(qtbot, start, fake_solver, make, says):
    worker = start(fake_solver(error=make()))
    ends_within(qtbot, worker, 10)
    assert names(worker) == ["errored", "finished"]
    error = worker.heard[0][1]
    assert type(error) is RestorationError
    assert not isinstance(error, RuntimeError)
    assert error.__context__ is None  # its traceback would hold on to the step's arrays
    with pytest.raises(RestorationError, match=says):
        raise error


def test_1b_an_error_before_the_first_record_arrives_too(qtbot, start):
    def refuses(image, control):
        raise InputError("nothing observed")
        yield

    worker = start(refuses)
    ends_within(qtbot, worker)
    assert names(worker) == ["errored", "finished"]
    assert isinstance(worker.heard[0][1], InputError)


def test_2_stop_keeps_the_best_image(qtbot, start, fake_solver):
    solver = fake_solver(steps=1000)
    worker = start(solver)
    under_way(qtbot, worker)
    worker.stop()
    ends_within(qtbot, worker)
    assert names(worker) == ["returned", "finished"]
    result = worker.heard[0][1]
    assert result.stop_reason == "stopped"
    assert result.image.shape == (8, 8)


def test_2b_quit_gives_nothing(qtbot, start, fake_solver):
    worker = start(fake_solver(steps=1000))
    under_way(qtbot, worker)
    worker.quit()
    ends_within(qtbot, worker)
    assert names(worker) == ["aborted", "finished"]


@pytest.mark.parametrize("verb", ["stop", "quit"])
def test_2c_both_act_in_the_middle_of_a_long_step(qtbot, start, fake_solver, verb):
    solver = fake_solver(seconds=600, quick=1)
    worker = start(solver)
    qtbot.waitUntil(lambda: solver.records == 2)
    getattr(worker, verb)()
    ends_within(qtbot, worker, 2)
    assert names(worker)[0] == {"stop": "returned", "quit": "aborted"}[verb]


def test_3_what_the_solver_holds_is_freed_when_the_run_has_finished(qtbot, start):
    ended = threading.Event()

    def endless(image, control):
        try:
            i = 0
            while True:  # never looks at its control, so that it is left hanging at a yield
                i += 1
                time.sleep(0.01)
                yield Step(i, 10**6, 0.0, 0.0)
        finally:
            ended.set()

    worker = start(endless)
    worker.yielded.connect(lambda record: isinstance(record, Step) and worker.job.shown(record))
    under_way(qtbot, worker)
    worker.quit()
    ends_within(qtbot, worker)
    assert names(worker) == ["aborted", "finished"]
    assert not ended.is_set()  # that is the fault
    worker.job.release()
    assert ended.is_set()
    worker.job.release()  # a second time does no harm


@pytest.mark.parametrize("used", [{"cuda"}, {"mps"}, set()])
def test_3b_the_devices_memory_is_given_back_if_it_was_used(
    qtbot, start, fake_solver, monkeypatch, used
):
    import torch

    calls = set()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: "cuda" in used)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: calls.add("cuda"))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in used)
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: calls.add("mps"))
    worker = start(fake_solver(steps=2))
    ends_within(qtbot, worker)
    worker.job.release()
    assert calls == used


def test_4_a_fast_solver_does_not_flood_the_window(qtbot, start, fake_solver):
    solver = fake_solver(steps=3000, seconds=0)
    seconds = []

    def slow_slot(record):
        time.sleep(0.005)
        if record is not None and getattr(record, "image", None) is not None:
            seconds.append(time.monotonic())
            worker.job.shown(record)

    worker = start(solver)
    worker.yielded.connect(slow_slot)
    ends_within(qtbot, worker, 20)
    assert solver.records > 3000
    assert len(worker.records) < 300
    assert isinstance(worker.records[0], Plan)
    assert worker.records[-1].iteration == 3000  # the last one is always told
    assert all(b - a > 0.03 for a, b in pairwise(seconds))


def test_4b_a_new_image_waits_until_the_last_one_was_shown(qtbot, start, fake_solver):
    solver = fake_solver(steps=60, seconds=0.01)
    worker = start(solver, image_interval=0.0)
    qtbot.waitUntil(lambda: any(getattr(r, "image", None) is not None for r in worker.records))
    ends_within(qtbot, worker, 10)
    assert solver.images == 1
    eager = fake_solver(steps=60, seconds=0.01)
    worker = start(eager, image_interval=0.0)
    worker.yielded.connect(lambda record: isinstance(record, Step) and worker.job.shown(record))
    ends_within(qtbot, worker, 10)
    assert eager.images > 5


@pytest.mark.filterwarnings("error")
def test_6_without_a_hook_of_napari_an_error_is_for_our_slot_alone(
    qtbot, start, fake_solver, monkeypatch
):
    from napari.utils.notifications import notification_manager

    told = []
    monkeypatch.setattr(notification_manager, "dispatch", told.append)
    with qtbot.capture_exceptions() as loose:
        worker = start(fake_solver(error=ValueError("wrong")))
        ends_within(qtbot, worker)
    assert names(worker) == ["errored", "finished"]
    assert loose == []
    assert told == []


def test_8_the_result_comes_by_the_returned_signal(qtbot, start, fake_solver):
    worker = start(fake_solver(steps=3))
    ends_within(qtbot, worker)
    assert names(worker) == ["returned", "finished"]
    assert worker.heard[0][1].stop_reason == "iterations"


def test_9_the_solver_runs_in_another_thread_and_the_slots_in_the_windows(
    qtbot, start, fake_solver
):
    where = {}

    def solve(image, control):
        where["solver"] = threading.get_ident()
        yield from fake_solver(steps=3)(image, control=control)

    worker = start(solve)
    main = QThread.currentThread()
    worker.yielded.connect(lambda record: where.setdefault("slot", QThread.currentThread()))
    ends_within(qtbot, worker)
    assert where["solver"] != threading.get_ident()
    assert where["slot"] is main or where["slot"] == main


def test_10_pause_holds_a_step_and_resume_goes_on_where_it_was(qtbot, start, fake_solver):
    solver = fake_solver(steps=40, seconds=0.02)
    worker = start(solver)
    under_way(qtbot, worker)
    worker.pause()
    worker.pause()
    assert worker.is_paused
    qtbot.wait(150)
    held = solver.records
    qtbot.wait(300)
    assert solver.records == held
    worker.toggle_pause()
    assert not worker.is_paused
    ends_within(qtbot, worker, 10)
    assert names(worker) == ["paused", "resumed", "returned", "finished"]
    assert solver.records == 41


@pytest.mark.parametrize("verb", ["stop", "quit"])
def test_10b_a_paused_run_can_be_ended(qtbot, start, fake_solver, verb):
    solver = fake_solver(seconds=600, quick=1)
    worker = start(solver)
    qtbot.waitUntil(lambda: solver.records == 2)
    worker.toggle_pause()
    qtbot.wait(100)
    getattr(worker, verb)()
    ends_within(qtbot, worker, 2)
    assert names(worker)[1] == {"stop": "returned", "quit": "aborted"}[verb]


def test_10d_a_run_that_was_told_to_end_is_not_paused(qtbot, start, fake_solver):
    solver = fake_solver(seconds=600, quick=1)
    worker = start(solver)
    qtbot.waitUntil(lambda: solver.records == 2)
    worker.stop()
    worker.pause()
    assert not worker.is_paused
    ends_within(qtbot, worker, 2)
    assert names(worker) == ["returned", "finished"]


def test_10c_a_value_that_is_sent_does_no_harm(qtbot, start, fake_solver):
    worker = start(fake_solver(steps=10))
    under_way(qtbot, worker)
    worker.send("anything")
    ends_within(qtbot, worker, 5)
    assert names(worker) == ["returned", "finished"]


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.uint16, np.uint32, np.int32, np.uint64, np.int64, np.float32, np.float64]
)
def test_images_arrive_in_the_dtype_that_was_asked_for(dtype):
    whole = np.issubdtype(dtype, np.integer)
    top = np.iinfo(dtype).max if whole else 1e6
    image = np.array([[1.6, 2 * top, top]], np.float32)

    def run(control):
        yield Step(1, 1, 0.1, 0.1, image=image)

    shown = next(Job(run, dtype=np.dtype(dtype)).records()).image
    assert shown.dtype == dtype
    assert shown[0, 0] == (2 if whole else dtype(np.float32(1.6)))
    assert shown[0, 1] >= shown[0, 2] > 0.99 * top


def test_images_that_come_by_themselves_wait_for_the_window():
    image = np.zeros((2, 2), np.float32)

    def run(control):
        for i in range(1, 9):
            assert not control.take_image_request()
            yield Step(i, 8, 0.1, 0.1, image=image)

    job = Job(run, image_interval=None)
    records = job.records()
    assert next(records).iteration == 1
    job.shown(Step(1, 8, 0.1, 0.1, image=image))
    assert next(records).iteration == 2
    with pytest.raises(RestorationError):  # no result; and none of the others was given
        next(records)
