"""How far a run is, how fast it goes, and how it ended, in words."""

from __future__ import annotations

import time

from napari_dred.core.records import Result, Step
from napari_dred.text import duration, plural
from napari_dred.volumes.planes import PlanesResult, PlaneStep


class Clock:
    """Rate and remaining time of a run, without its pauses."""

    def __init__(self) -> None:
        self._last: tuple[float, int] | None = None
        self._rate = 0.0
        self._held = False
        self._iteration = self._total = 0
        self._where = ""

    def tick(self, step: Step) -> None:
        """Take note of a step that was reported."""
        now = time.monotonic()
        if step.total != self._total:  # it counts something else
            self._last, self._rate = None, 0.0
        self._iteration, self._total = step.iteration, step.total
        self._where = _where(step)
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
        parts = [prefix + self._where]
        if self._rate > 0:
            speed = f"{self._rate:.1f} it/s" if self._rate >= 1 else f"{1 / self._rate:.1f} s/it"
            left = (self._total - self._iteration) / self._rate
            parts += [speed, f"{duration(left)} left"]
        return " · ".join(parts)


def _where(step: Step) -> str:
    if not isinstance(step, PlaneStep):
        return f"Iteration {step.iteration} of {step.total}"
    plane = f"lane {step.plane} of {step.planes}"
    if step.looking:
        return f"Looking at p{plane}"
    iteration, total = step.of_plane
    return f"P{plane} · iteration {iteration} of {total}"


def ending(result: Result) -> str:
    """Say how a run ended."""
    how = "Stopped" if result.stop_reason in ("stopped", "failed") else "Done"
    if isinstance(result, PlanesResult):
        count = plural(result.done, "plane")
    else:
        count = plural(result.steps[-1].iteration, "iteration")
    told = [f"{how} after {count} in {duration(result.seconds)}."]
    if result.stop_reason == "held-out error":
        told.append(
            f"The run ended early, with the image of iteration {result.kept}: since then the error "
            "on held-out samples had been rising."
        )
    elif result.stop_reason == "settled":
        told.append("The run ended early, as its image no longer got any sharper.")
    told += [note for note in result.notes if note not in result.plan.notes]
    return " ".join(told)
