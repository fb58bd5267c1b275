"""The solver in a thread: errors, throttle, pause, stop, cancel, memory. No widget, no layer."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from napari.qt.threading import create_worker
from numpy.typing import NDArray
from superqt.utils import GeneratorWorker

from napari_dred.core.control import Control, Interrupted
from napari_dred.core.errors import RestorationError
from napari_dred.core.records import Plan, Result, Step
from napari_dred.core.values import ValueRange

Record = Plan | Step | Result

#: Seconds between two records without an image: the eye needs no more, the event loop chokes on it.
RECORD_INTERVAL = 0.05
#: Seconds between two images.
IMAGE_INTERVAL = 0.5

logger = logging.getLogger(__name__)


class Job:
    """One run of a solver: its records as they are worth showing, its control, its memory.

    Parameters
    ----------
    solve : callable
        Takes `control=` and gives the records: a `Plan`, `Step`s, a `Result`.
    image_interval : float or None
        Seconds between two images; None where they come without being asked for, and those are
        left out for which the window has no time.
    dtype : numpy.dtype, optional
        That of the images that are shown, to which they are converted here: the window's thread
        would take too long for large ones. As they come, if left out.
    """

    def __init__(
        self,
        solve: Callable[..., Iterator[Record]],
        image_interval: float | None = IMAGE_INTERVAL,
        dtype: np.dtype[Any] | None = None,
    ) -> None:
        self.control = Control()
        self._solve: Callable[..., Iterator[Record]] | None = solve
        self._records: Iterator[Record] | None = None
        self._image_interval = image_interval
        self._dtype = dtype
        self._last_record = self._last_image = -float("inf")
        # One slot for a record on its way to the window, and one for an image, which comes at any
        # rate once it was requested; set while it is free. Where drawing is slower than iterating,
        # the window would be kept from all else.
        self._record_slot, self._image_slot = threading.Event(), threading.Event()
        self._record_slot.set()
        self._image_slot.set()

    def records(self) -> Generator[Plan | Step | None, None, Result | None]:
        """Drive the solver; give what is worth showing and return its result.

        Raises
        ------
        RestorationError
            For everything that a run can run into, and never with the failed
            step's traceback, which would keep its arrays alive.
        """
        failure = ""
        try:
            assert self._solve is not None
            self._records = self._solve(control=self.control)
            for record in self._records:
                if isinstance(record, Result):
                    return record
                if self._worth_showing(record):
                    yield self._converted(record)
        except Interrupted:
            pass
        except RestorationError as e:
            failure = str(e)
        except (RuntimeError, MemoryError) as e:
            logger.debug("the solver failed", exc_info=True)
            from napari_dred.core.restore import explain  # brings torch

            failure = str(explain(e))
        if failure:
            raise RestorationError(failure)
        if not self.control.cancelled:
            raise RestorationError("The run ended without a result; please report this.")
        # A last yield, at which the worker sees that it was to quit and emits `aborted`.
        yield None
        return None

    def _worth_showing(self, record: Plan | Step) -> bool:
        now = time.monotonic()
        if isinstance(record, Plan):
            if self._image_interval is not None:
                self.control.request_image()
            return True
        if record.image is not None:
            if self._image_interval is None and not self._image_slot.is_set():
                return False
            self._last_image = self._last_record = now
            self._record_slot.clear()
            self._image_slot.clear()
            return True
        if (
            self._image_interval is not None
            and self._image_slot.is_set()
            and now - self._last_image >= self._image_interval
        ):
            self.control.request_image()
        if (
            record.note
            or record.iteration == record.total
            or (self._record_slot.is_set() and now - self._last_record >= RECORD_INTERVAL)
        ):
            self._last_record = now
            self._record_slot.clear()
            return True
        return False

    def _converted(self, record: Plan | Step) -> Plan | Step:
        if isinstance(record, Plan) or record.image is None or self._dtype is None:
            return record
        image: NDArray[Any] = record.image
        if self._dtype.itemsize > 2:  # float32 holds all shorter whole numbers
            image = image.astype(np.float64)
        values = ValueRange(0, 1, self._dtype)
        return replace(record, image=values.restore_dtype(image, self._dtype))

    def shown(self, record: Step) -> None:
        """Say that a record was shown, so that in a moment another may come."""
        self._last_record = time.monotonic()
        self._record_slot.set()
        if record.image is not None:
            self._image_slot.set()

    def release(self) -> None:
        """Let go of everything the run held; to be called when its thread has left it."""
        records, self._records, self._solve = self._records, None, None
        if isinstance(records, Generator):
            records.close()
        del records
        if "torch" in sys.modules:
            from napari_dred.core.devices import empty_caches

            empty_caches()


class RestoreWorker(GeneratorWorker[Plan | Step | None, None, Result | None]):
    """A generator worker whose verbs act inside a step, not only between two.

    `quit` cancels (`aborted`, then `finished`), `stop` keeps the best image (`returned`,
    then `finished`), `pause` and `resume` hold the step where it is. Whoever starts it calls
    `job.release` when it has `finished`: a generator's own clean-up does not run at `quit`.
    """

    def __init__(self, func: Callable[..., Any], job: Job) -> None:
        super().__init__(func, job)
        self.job = job

    @property
    def control(self) -> Control:
        """The flags that the solver looks at."""
        return self.job.control

    def quit(self) -> None:
        """End the run without a result, even if it is paused."""
        super().quit()  # first, so that the thread finds the request when it comes out
        self.control.cancel()

    def stop(self) -> None:
        """End the run and return the best image so far."""
        self.control.stop()

    @property
    def is_paused(self) -> bool:
        """Whether the run waits."""
        return self.control.paused

    def pause(self) -> None:
        """Hold the run, in the middle of a step; nothing if it was told to end."""
        before = self.is_paused
        self.control.pause()
        if self.is_paused and not before:
            self.paused.emit()

    def resume(self) -> None:
        """Let a paused run go on."""
        if self.control.paused:
            self.control.resume()
            self.resumed.emit()

    def toggle_pause(self) -> None:
        """Pause, or resume if paused."""
        if self.is_paused:
            self.resume()
        else:
            self.pause()


class _Titled(partial[Any]):
    """A function that napari's list of running tasks shows by a name that people can read."""

    title = "Restore image"

    def __repr__(self) -> str:
        return self.title


def _drive(job: Job) -> Generator[Plan | Step | None, None, Result | None]:
    return (yield from job.records())


def restore_worker(job: Job) -> RestoreWorker:
    """Give a worker for the job, not yet started and registered with napari's window.

    Errors are left to the caller's `errored` slot.
    """
    worker = create_worker(
        _Titled(_drive), job, _worker_class=RestoreWorker, _ignore_errors=True, _start_thread=False
    )
    assert isinstance(worker, RestoreWorker)
    return worker
