"""A run under way: its worker, what it reads, its preview, and how fast it goes."""

from __future__ import annotations

import time

from napari.layers import Layer
from napari.utils import progress

from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Step
from napari_dred.text import duration
from napari_dred.viewer.layers import Plane
from napari_dred.viewer.worker import RestoreWorker
from napari_dred.volumes import Region


class Run:
    """What the panel knows of one run."""

    def __init__(
        self, worker: RestoreWorker, plane: Plane, region: Region | None, parameters: Parameters
    ) -> None:
        self.worker = worker
        self.plane = plane
        self.region = region
        self.parameters = parameters
        self.preview: Layer | None = None
        self.clock = Clock()
        self._activity: progress | None = None
        self._over = False

    def begin(self) -> None:
        """Show the run in napari's activity dialog; in the main thread, like all of this."""
        activity = progress(total=0, desc=f"Restoring {self.plane.name}")
        # Making it handles events, the end of this run perhaps among them.
        if self._over:
            activity.close()
        else:
            self._activity = activity

    def advance(self, step: Step) -> None:
        """Show there how far it is."""
        if self._activity is not None:
            self._activity.total = step.total
            self._activity.update(step.iteration - self._activity.n)

    def end(self) -> None:
        """Take it out of the dialog."""
        self._over = True
        if self._activity is not None:
            self._activity.close()
            self._activity = None


class Clock:
    """Rate and remaining time of a run, without its pauses."""

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None
        self._rate = 0.0
        self._held = False
        self._iteration = self._total = 0

    def tick(self, step: Step) -> None:
        """Take note of a step that was reported."""
        now = time.monotonic()
        self._iteration, self._total = step.iteration, step.total
        if self._held:
            return
        if self._last is None:
            self._last = (now, step.iteration)
            return
        seconds, steps = now - self._last[0], step.iteration - self._last[1]
        if seconds >= 0.5 and steps > 0:
            rate = steps / seconds
            self._rate = rate if self._rate == 0 else 0.7 * self._rate + 0.3 * rate
            self._last = (now, step.iteration)

    def hold(self, held: bool) -> None:
        """A pause begins or ends."""
        self._held = held
        self._last = None

    def line(self, prefix: str = "") -> str:
        """Where the run is, how fast, how long still."""
        if not self._total:
            return prefix.strip() or "Starting…"
        parts = [f"{prefix}Iteration {self._iteration} of {self._total}"]
        if self._rate > 0:
            speed = f"{self._rate:.1f} it/s" if self._rate >= 1 else f"{1 / self._rate:.1f} s/it"
            left = (self._total - self._iteration) / self._rate
            parts += [speed, f"{duration(left)} left"]
        return " · ".join(parts)
