"""One run in a terminal: what is said of it, its progress bar, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from napari_dred.core.control import Control
from napari_dred.core.errors import RestorationError
from napari_dred.core.parameters import Parameters
from napari_dred.text import duration, memory, part

if TYPE_CHECKING:
    from types import FrameType

    from numpy.typing import NDArray

    from napari_dred.core.records import Plan, Result
    from napari_dred.volumes import Region


def say(text: str) -> None:
    """Tell the user something that is not what was asked for."""
    click.echo(text, err=True)


def drive(
    image: NDArray[Any],
    mask: NDArray[Any] | None,
    psf: NDArray[Any] | None,
    parameters: Parameters,
    region: Region | None = None,
) -> tuple[Result, bool]:
    """Drive the solver with a progress bar; give its result, and whether Ctrl-C ended it."""
    from tqdm import tqdm

    from napari_dred.core.records import Plan, Result, Step
    from napari_dred.volumes import solve_region

    control = Control()
    with _ctrl_c_stops(control):
        records = solve_region(image, mask, region, psf=psf, parameters=parameters, control=control)
        on_terminal = sys.stderr.isatty()
        try:
            plan = next(records)
            assert isinstance(plan, Plan)
            _announce(plan)
            with tqdm(
                file=sys.stderr,
                unit="it",
                mininterval=0.2 if on_terminal else 5,
                dynamic_ncols=on_terminal,
            ) as bar:
                for record in records:
                    if isinstance(record, Result):
                        return record, record.stop_reason == "stopped"
                    if isinstance(record, Step):
                        bar.total = record.total
                        bar.update(record.iteration - bar.n)
                        if record.note:
                            bar.write(record.note, file=sys.stderr)
        except RestorationError:
            if not control.stopped:
                raise
    raise KeyboardInterrupt  # stopped before there was an image


def _announce(plan: Plan) -> None:
    for note in plan.notes:
        say(note)
    if plan.missing:
        total = plan.shape[0] * plan.shape[1] // plan.parameters.scale**2
        say(f"{part(plan.missing, total, 'pixel')} will be replaced.")
    size = f"{plan.shape[1]}x{plan.shape[0]}"
    p = plan.parameters
    kinds = [
        (p.adapt, "to fit the denoiser"),
        (p.iterations, "of the denoiser alone" if p.method == "hqs" else "of the network"),
        (p.denoiser_steps, "of the denoiser alone"),
    ]
    named = [f"{count} {kind}" for count, kind in kinds if count]
    parts = f" ({', '.join(named)})" if len(named) > 1 else ""
    say(
        f"{plan.task}, {size} pixels, {p.total_iterations} iterations{parts} on {plan.device}: "
        f"about {duration(plan.seconds)} and {memory(plan.memory)}"
    )


@contextmanager
def _ctrl_c_stops(control: Control) -> Iterator[None]:
    """Ctrl-C stops the run, so that it gives its best image; a second one ends it at once."""

    def handle(signum: int, frame: FrameType | None) -> None:
        if control.stopped:
            raise KeyboardInterrupt
        control.stop()
        # Not through a buffered stream: the signal may have come in the middle of a write to it.
        os.write(2, b"\nStopping; Ctrl-C again to end at once.\n")

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
