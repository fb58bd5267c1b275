"""Work in a thread of which only the latest result is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.qt.threading import create_worker


class Latest:
    """Runs functions in a thread; what is no longer wanted is not heard."""

    def __init__(self) -> None:
        self._ticket = 0
        self.busy = False

    def run(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Start `work`; `done` or `failed` is called unless something else is run before.

        Parameters
        ----------
        work : callable
            Touches neither widgets nor layers.
        done, failed : callable
            Take its result, or what it raised; called in the main thread.
        """
        self._ticket += 1
        ticket, self.busy = self._ticket, True

        def tell(hear: Callable[[Any], None], what: Any) -> None:
            if ticket == self._ticket:
                self.busy = False
                hear(what)

        worker: Any = create_worker(work, _ignore_errors=True, _start_thread=False)
        worker.returned.connect(lambda result: tell(done, result))
        worker.errored.connect(lambda error: tell(failed, error))
        worker.start()

    def forget(self) -> None:
        """Hear nothing of what is under way."""
        self._ticket += 1
        self.busy = False
