"""What a run would do, said before it starts: worked out in a thread, shown in a line."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Shapes
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from superqt.utils import GeneratorWorker

from napari_dred.core.control import Control, Interrupted
from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.masks import doubts_of_mask
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Plan
from napari_dred.core.remembered import digest
from napari_dred.core.values import sample_value
from napari_dred.text import duration, memory, part, sentence
from napari_dred.viewer.fields import alive, line
from napari_dred.viewer.layers import plane_reader
from napari_dred.viewer.masks import mask_reader, mask_statement
from napari_dred.viewer.sliders import Sliders
from napari_dred.volumes import Region, solve_region

# Seconds without a change before it is worked out: as many as the last one took, within these.
DELAY, LONGEST_DELAY = 0.5, 2.0

#: Takes image, mask, region, parameters, PSF and control; gives the plan, or raises what
#: `solve_region` does, or `Interrupted`.
Planner = Callable[
    [
        NDArray[Any],
        NDArray[np.bool_] | None,
        Region | None,
        Parameters,
        NDArray[Any] | None,
        Control,
    ],
    Plan,
]

_WORKING = "Working out…"
_TASKS = {"denoise": "Denoising", "inpaint": "Inpainting", "deblur": "Deblurring"}


@dataclass(frozen=True)
class Inputs:
    """What a run would be given.

    Attributes
    ----------
    read : callable
        Gives the image and its mask; called in a thread.
    region : Region or None
    parameters : Parameters
    read_psf : callable or None
        Gives the measured PSF, if there is one; called in a thread.
    planes : int
        How many such images are restored; it is the first of them.
    """

    read: Callable[[], tuple[NDArray[Any], NDArray[np.bool_] | None]]
    region: Region | None
    parameters: Parameters
    read_psf: Callable[[], NDArray[Any]] | None = None
    planes: int = 1


def inputs_of(
    image: Image | None,
    mask: Labels | Shapes | None,
    viewer: Sliders,
    parameters: Parameters,
    *,
    label: int | None = None,
    region: Region | None = None,
    psf: Callable[[], NDArray[Any]] | None = None,
    planes: int = 1,
) -> Inputs:
    """Collect what a run would be given, without reading it.

    Raises
    ------
    InputError
        If there is no image, or the layers do not fit together.
    """
    if image is None:
        raise InputError("there is no image layer; open an image first")
    plane = plane_reader(image, viewer)
    marked = None if mask is None else mask_reader(mask, image, viewer, label)
    return Inputs(
        lambda: (plane().image, None if marked is None else marked()),
        region,
        parameters,
        psf,
        planes,
    )


def plan_run(
    image: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    region: Region | None,
    parameters: Parameters,
    psf: NDArray[Any] | None = None,
    control: Control | None = None,
) -> Plan:
    """Give the plan of a run for whose memory there is room.

    Raises
    ------
    InputError, RestorationError
        As `solve_region`.
    Interrupted
        If it was cancelled.
    """
    from napari_dred.core.given import check_memory  # brings torch

    records = solve_region(image, mask, region, psf=psf, parameters=parameters, control=control)
    plan = next(records, None)
    if plan is None:
        raise Interrupted
    assert isinstance(plan, Plan)
    assert isinstance(records, Generator)
    records.close()
    check_memory(plan)
    return plan


def noise_kind(plan: Plan) -> str:
    """The kind of noise a run takes account of, such as 'Gaussian' or 'correlated + impulse'."""
    kind = "Gaussian" if plan.photon_noise is None else "photon"
    if plan.correlation is not None:
        kind = "correlated" if plan.photon_noise is None else "correlated photon"
    return f"{kind} + impulse" if plan.impulses else kind


def plan_statement(plan: Plan, *, timed: bool = True, planes: int = 1) -> str:
    """What a run does, on how many pixels, with which noise, memory, time and device.

    A run under way knows its time better: then it is left out (`timed=False`). Of several planes,
    `plan` is that of one.
    """
    height, width = plan.shape[:2]
    facts = [
        _TASKS.get(plan.task, "Super-resolution"),
        (f"{planes} planes of " if planes > 1 else "") + f"{height} × {width} pixels",
        f"{noise_kind(plan)} noise, σ {sample_value(plan.sigma)}",
        memory(plan.memory),
        *([f"Restore takes about {duration(plan.seconds * planes)}"] if timed else []),
        plan.device,
    ]
    return " · ".join(facts)


class Forecast:
    """The line that says what a run would do, kept up to date in the background.

    One forecast is worked out at a time, and the latest counts. Connect `refresh` to everything
    that changes the inputs; `pause` while a run needs the machine and when the panel is closed.

    Parameters
    ----------
    inputs : callable
        Gives the `Inputs`, quickly, in the main thread; may raise InputError.
    planned : callable, optional
        Takes each new `Plan`, in the main thread.
    planner : callable, optional
        Makes the plan, in a thread.
    delay : float, optional
        Seconds without a change before it starts; more after one that took long.
    """

    def __init__(
        self,
        inputs: Callable[[], Inputs],
        planned: Callable[[Plan], None] | None = None,
        planner: Planner = plan_run,
        delay: float = DELAY,
    ) -> None:
        self._inputs, self._planned, self._planner = inputs, planned, planner
        self._delay = delay
        self._worker: Any = None
        self._last: _Outcome | None = None
        self._paused = False
        self.line = line()
        self._timer = QTimer(self.line.native)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._begin)

    @property
    def busy(self) -> bool:
        """Whether a forecast is due or under way."""
        timed = alive(self._timer) and self._timer.isActive()
        return timed or self._worker is not None

    def refresh(self, *_: Any) -> None:
        """Work it out anew in a moment, once for many calls."""
        if self._paused or not alive(self._timer):
            return
        took = 0.0 if self._last is None else min(self._last.seconds, LONGEST_DELAY)
        self._timer.start(round(1000 * max(self._delay, took)))

    def forget(self) -> None:
        """What was worked out, or is, was for another image."""
        self._last = None
        if self._worker is not None:
            self._worker.quit()
        if not self._paused:
            self.line.value = _WORKING

    def pause(self) -> None:
        """Start nothing and show nothing more; what is being worked out is thrown away."""
        self._paused = True
        if alive(self._timer):
            self._timer.stop()
        if self._worker is not None:
            self._worker.quit()

    def resume(self) -> None:
        """Go on, with a new forecast."""
        self._paused = False
        self.refresh()

    def _begin(self) -> None:
        # Of the same image, its measurements serve this one too, whose turn it is then.
        if self._worker is not None:
            self._timer.start()
            return
        try:
            inputs = self._inputs()
        except InputError as e:
            self.line.value = sentence(str(e))
            return
        # Not by napari's create_worker, which lists each one as a running task.
        worker: Any = _Worker(Control(), inputs, self._planner, self._last)
        worker.yielded.connect(partial(self._on_text, worker))
        worker.returned.connect(partial(self._on_outcome, worker))
        worker.finished.connect(self._on_finished)
        self._worker = worker
        worker.start()

    def _on_text(self, worker: Any, text: str) -> None:
        if self._listens(worker):
            self.line.value = text

    def _on_outcome(self, worker: Any, outcome: _Outcome) -> None:
        if not self._listens(worker):
            return
        is_new, self._last = outcome is not self._last, outcome
        self.line.value = outcome.text
        if is_new and outcome.plan is not None and self._planned is not None:
            self._planned(outcome.plan)

    def _on_finished(self) -> None:
        self._worker = None

    def _listens(self, worker: Any) -> bool:
        # Nor while another one is due, whose inputs are newer.
        return (
            worker is self._worker
            and not worker.abort_requested
            and alive(self._timer)
            and not self._timer.isActive()
        )


class _Worker(GeneratorWorker[str, None, "_Outcome"]):
    """A worker whose `quit`, which napari calls as it closes, acts while it measures too."""

    def __init__(self, control: Control, *given: Any) -> None:
        super().__init__(_work, *given, control)
        self._control = control

    def quit(self) -> None:
        """End it without an outcome."""
        super().quit()  # first, so that the thread finds the request when it comes out
        self._control.cancel()


@dataclass(frozen=True)
class _Outcome:
    """What was said of which inputs, the plan if there is one, and how long it took."""

    key: tuple[Any, ...] | None
    text: str
    plan: Plan | None
    seconds: float


def _work(
    inputs: Inputs, planner: Planner, last: _Outcome | None, control: Control
) -> Generator[str, None, _Outcome]:
    """Give first what is known at once, then all; in a thread, which lets no error out."""
    began = time.monotonic()
    key, plan = None, None

    def told(sentences: list[str]) -> list[str]:
        if inputs.planes <= 1:
            return sentences
        return [f"On the first of them: {s[0].lower()}{s[1:]}" for s in sentences]

    try:
        image, mask = inputs.read()
        psf = None if inputs.read_psf is None else inputs.read_psf()
        region = inputs.region
        # Whether anything is kept as it was does not change the work.
        parameters = inputs.parameters.replace(keep_observed=False)
        arrays = [None if array is None else digest(array) for array in (image, mask, psf)]
        key = (*arrays, region, parameters, inputs.planes)
        if last is not None and last.plan is not None and last.key == key:
            return last
        yield "\n".join(
            [_size(image, region, parameters.scale), *told(_replaced(mask, region)), _WORKING]
        )
        plan = planner(image, mask, region, parameters, psf, control)
        of_all = plan_statement(plan, planes=inputs.planes)
        text = "\n".join([of_all, *told(_replaced(mask, region, plan))])
    except (InputError, RestorationError) as e:
        text = sentence(str(e))
    except Interrupted:
        text = ""  # nobody waits for it any more
    except MemoryError:
        text = "There is not enough memory for this image; close other images, or choose a region."
    except Exception as e:  # noqa: BLE001 (superqt would swallow some: all are said in the line)
        text = f"Internal error: {e}"
    return _Outcome(key, text, plan, time.monotonic() - began)


def _size(image: NDArray[Any], region: Region | None, scale: int) -> str:
    height, width = image.shape[:2]
    if region is not None:
        height, width = region.clipped(height, width).shape
    return f"{height * scale} × {width * scale} pixels"


def _replaced(
    mask: NDArray[np.bool_] | None, region: Region | None, plan: Plan | None = None
) -> list[str]:
    """The sentence on the pixels to be replaced, if there is any to say."""
    if plan is not None and plan.missing:  # those that are not finite among them
        total = plan.shape[0] * plan.shape[1] // plan.parameters.scale**2
        told = f"{part(plan.missing, total, 'pixel')} will be replaced."
        return [" ".join([told, *doubts_of_mask(plan.masked / total)])]
    return [] if mask is None else [mask_statement(mask, region)]
