"""How a run is steered from another thread: pause, stop, cancel, ask for a picture."""

from __future__ import annotations

import threading
from collections.abc import Callable

#: Called now and then by what takes long; may raise to leave it.
Check = Callable[[], None]


def go_on() -> None:
    """The `Check` of what nobody interrupts."""


class Interrupted(BaseException):
    """Raised inside a measurement or a solver's step when the run was stopped or cancelled.

    Not an `Exception`, so that no fallback on the way out takes it for a failure.
    """


class Control:
    """Flags that are looked at all along while noise is measured and within every step.

    A paused run waits inside the step, and a stopped or cancelled one leaves it
    at once, so that each acts quickly whatever the size of the image.
    Setting a flag is safe from any thread.
    """

    def __init__(self) -> None:
        self._running = threading.Event()
        self._running.set()
        self._stop = threading.Event()
        self._cancel = threading.Event()
        self._image = threading.Event()

    @property
    def paused(self) -> bool:
        """Whether the run waits."""
        return not self._running.is_set()

    @property
    def stopped(self) -> bool:
        """Whether the run was asked to end and keep its best image."""
        return self._stop.is_set()

    @property
    def cancelled(self) -> bool:
        """Whether the run was asked to end and give nothing."""
        return self._cancel.is_set()

    def pause(self) -> None:
        """Hold the run inside its present step; nothing if it was told to end."""
        self._running.clear()
        if self._stop.is_set() or self._cancel.is_set():
            self._running.set()

    def resume(self) -> None:
        """Let a paused run go on."""
        self._running.set()

    def stop(self) -> None:
        """End the run; its result is the best image so far."""
        self._stop.set()
        self._running.set()

    def cancel(self) -> None:
        """End the run; it gives no result."""
        self._cancel.set()
        self._running.set()

    def request_image(self) -> None:
        """Ask that the next `Step` carry the present image."""
        self._image.set()

    def take_image_request(self) -> bool:
        """Whether an image was asked for since the last call."""
        wanted = self._image.is_set()
        self._image.clear()
        return wanted

    def check(self) -> None:
        """Wait while paused.

        Raises
        ------
        Interrupted
            If the run was stopped or cancelled.
        """
        self._running.wait()
        if self._stop.is_set() or self._cancel.is_set():
            raise Interrupted
