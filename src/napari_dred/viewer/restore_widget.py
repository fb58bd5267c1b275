"""The panel "Restore image": what to restore and how, and the course of the run."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    Label,
    ProgressBar,
    PushButton,
)
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Shapes
from napari.utils import progress
from napari.utils.notifications import notification_manager, show_error, show_warning
from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Plan, Result, Step
from napari_dred.viewer.fields import LayerChoice, choice, help_of, number, value_of
from napari_dred.viewer.layers import (
    Plane,
    mask_statement,
    provenance,
    read_mask,
    read_plane,
    result_layer,
    shapes_region,
    visible_region,
)
from napari_dred.viewer.worker import Job, RestoreWorker, restore_worker
from napari_dred.volumes import Region, Solver, solve_region

WHOLE, VISIBLE, RECTANGLE = "whole image", "visible part", "rectangle (Shapes layer)"
# By hand: asking which there are would import torch. What is not there is refused by name.
DEVICES = ("auto", "cpu", "cuda", "mps")


class RestoreWidget(Container[Any]):
    """The panel; it owns the run, of which there is one at a time.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    solve : callable, optional
        In place of `napari_dred.volumes.solve_region`.
    """

    def __init__(self, napari_viewer: ViewerModel, solve: Solver = solve_region) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self._solve = solve
        self._run: _Run | None = None
        self._watched: Labels | None = None

        self.image = LayerChoice(
            partial(self._layers, Image),
            name="image",
            label="Image",
            tooltip="The image to restore; of a stack, the plane that is shown.",
        )
        self.mask = LayerChoice(
            partial(self._layers, Labels),
            none_text="none",
            name="mask",
            label="Mask",
            tooltip="Labels layer of the image's size: "
            "every pixel with a non-zero label is missing and will be replaced.",
        )
        self.mask_line = _line()
        self.keep_observed = CheckBox(
            name="keep_observed",
            text="Keep pixels outside the mask exactly",
            tooltip=help_of("keep_observed"),
        )
        self.scale = choice("scale", "Enlarge", {1: "no"} | {n: f"{n} ×" for n in (2, 3, 4, 8)})
        self.blur_sigma = number("blur_sigma", "Blur σ", lowest_text="none")
        self.estimate_sigma = CheckBox(
            text="estimate", value=True, tooltip="Estimate the noise level from the image."
        )
        self.sigma = number("sigma", "Noise σ")
        self.sigma.enabled = False
        noise: Container[Any] = Container(
            widgets=[self.sigma, self.estimate_sigma],
            layout="horizontal",
            labels=False,
            label="Noise σ",
        )
        noise.margins = (0, 0, 0, 0)
        self.preset = choice("preset", "Preset")
        self.iterations = number("iterations", "Iterations", lowest_text="as preset")
        self.device = ComboBox(
            name="device", label="Device", choices=DEVICES, tooltip=help_of("device")
        )
        self.region = ComboBox(
            name="region",
            label="Region",
            choices=(WHOLE, VISIBLE, RECTANGLE),
            tooltip="A part is restored together with its surroundings and pasted back; "
            "when enlarging, the result is the part alone.",
        )
        self.shapes = LayerChoice(
            partial(self._layers, Shapes),
            name="shapes",
            label="Rectangle",
            tooltip="Shapes layer: the box around its selected shapes, or around all of them.",
        )

        self.restore_button = PushButton(
            text="Restore", tooltip="Start; the result becomes a new layer."
        )
        self.pause_button = PushButton(text="Pause", tooltip="Hold the run, or go on.")
        self.stop_button = PushButton(
            text="Stop && keep", tooltip="End now and keep the best image so far."
        )
        self.cancel_button = PushButton(text="Cancel", tooltip="End now and keep nothing.")
        buttons: Container[Any] = Container(
            widgets=[self.pause_button, self.stop_button, self.cancel_button],
            layout="horizontal",
            labels=False,
        )
        buttons.margins = (0, 0, 0, 0)
        self.bar = ProgressBar(value=0, max=1)
        self.plan_line = _line()
        self.status = _line()

        what: list[Any] = [self.image, self.mask, self.mask_line, self.keep_observed]
        wrong: list[Any] = [self.scale, self.blur_sigma, noise]
        how: list[Any] = [self.preset, self.iterations, self.device, self.region, self.shapes]
        self._form: Container[Any] = Container(widgets=what + wrong + how, labels=True)
        self._form.margins = (0, 0, 0, 0)
        self.extend(
            [self._form, self.restore_button, buttons, self.bar, self.status, self.plan_line]
        )
        for widget in (self.image, self.mask, self.shapes):
            # A layer's long name must not make the panel wide.
            widget.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

        # Painting sends many events; the line under the mask follows a moment later.
        self._refresh_later = QTimer(self.native)
        self._refresh_later.setSingleShot(True)
        self._refresh_later.setInterval(100)
        self._refresh_later.timeout.connect(self._refresh)
        self._refresh_later.timeout.connect(self._align)
        self._connect()
        active = self._viewer.layers.selection.active
        if active in self.image.choices:
            self.image.value = active
        self._propose_mask(*(x for x in self._viewer.layers if isinstance(x, Labels)))
        self._idle("")
        self._refresh()

    def parameters(self) -> Parameters:
        """The parameters as the panel stands.

        Raises
        ------
        InputError
            If a value is not allowed.
        """
        return Parameters(
            scale=self.scale.value,
            blur_sigma=self.blur_sigma.value,
            sigma=None if self.estimate_sigma.value else self.sigma.value,
            preset=self.preset.value,
            iterations=value_of(self.iterations),  # type: ignore[arg-type]
            device=self.device.value,
            threads=_threads(),
            keep_observed=self.keep_observed.enabled and self.keep_observed.value,
        )

    @property
    def worker(self) -> RestoreWorker | None:
        """The worker of the run under way."""
        return None if self._run is None else self._run.worker

    # What the user does.

    def _on_restore(self) -> None:
        if self._run is not None:
            show_warning("A restoration is under way; stop or cancel it first.")
            return
        self._refresh()
        try:
            run = self._prepared()
        except InputError as e:
            self._say(e, show_warning)
            return
        self._run = run
        worker = run.worker
        worker.yielded.connect(partial(self._on_record, run))
        worker.returned.connect(partial(self._on_result, run))
        worker.errored.connect(partial(self._on_error, run))
        worker.finished.connect(partial(self._on_finished, run))
        self.plan_line.value = ""
        self.status.value = "Starting…"
        self.bar.native.setRange(0, 0)
        self.bar.native.setTextVisible(True)
        for button in (self.pause_button, self.stop_button, self.cancel_button):
            button.enabled = True
        worker.start()

    def _on_pause(self) -> None:
        if self._run is None:
            return
        self._run.worker.toggle_pause()
        paused = self._run.worker.is_paused
        self._run.clock.hold(paused)
        self.pause_button.text = "Resume" if paused else "Pause"
        self.status.value = self._run.clock.line("Paused. " if paused else "")

    def _on_stop(self) -> None:
        if self._run is not None:
            self._run.worker.stop()
            self.status.value = "Stopping…"

    def _on_cancel(self) -> None:
        """Take leave of the run at once; its thread ends within its present step."""
        run = self._run
        if run is not None:
            run.worker.quit()
            self._leave(run, "Cancelled.")

    # What the run reports; a run that the panel has left is not heard.

    def _on_record(self, run: _Run, record: Plan | Step | None) -> None:
        if record is None or not self._listens(run):
            return
        if isinstance(record, Plan):
            self._show_plan(run, record)
            return
        run.clock.tick(record)
        self.bar.native.setRange(0, record.total)
        self.bar.value = record.iteration
        if not run.worker.control.stopped and not run.worker.is_paused:
            self.status.value = run.clock.line(f"{record.note} " if record.note else "")
        if record.image is not None:
            self._show_preview(run, record.image)
            run.worker.job.image_shown()
        run.advance(record)

    def _on_result(self, run: _Run, result: Result) -> None:
        if not self._listens(run):
            return
        whole = run.region is None or run.parameters.scale == 1
        layer = Layer.create(
            *result_layer(
                run.plane,
                result.image,
                name=f"{run.plane.name} restored",
                scale=run.parameters.scale,
                region=None if whole else run.region,
                metadata=provenance(run.plane, run.region, result.provenance()),
            )
        )
        self._viewer.add_layer(layer)
        count = result.steps[-1].iteration if result.steps else 0
        how = "Stopped" if result.stop_reason == "stopped" else "Done"
        notes = [note for note in result.notes if note not in result.plan.notes]
        text = f"{how} after {_plural(count, 'iteration')} in {_duration(result.seconds)}."
        self._leave(run, " ".join([text, *notes]))

    def _on_error(self, run: _Run, error: Exception) -> None:
        if not self._listens(run):
            return
        self._leave(run, "")
        if isinstance(error, InputError):
            self._say(error, show_warning)
        elif isinstance(error, RestorationError):
            self._say(error, show_error)
        else:  # a fault of the program: with its traceback, so that it can be reported
            self.status.value = f"Internal error: {error}"
            notification_manager.receive_error(type(error), error, error.__traceback__)

    def _on_finished(self, run: _Run) -> None:
        run.worker.job.release()
        if run is self._run:  # neither result nor error: ended from outside, by napari
            self._leave(run, "Cancelled.")

    def _listens(self, run: _Run) -> bool:
        return run is self._run and not run.worker.abort_requested and _alive(self.native)

    # How it is done.

    def _prepared(self) -> _Run:
        """Read the layers and make the worker, not yet started."""
        image: Image | None = self.image.value
        if image is None:
            raise InputError("there is no image layer; open an image first")
        plane = read_plane(image, self._viewer)
        mask = None if self.mask.value is None else read_mask(self.mask.value, image, self._viewer)
        parameters = self.parameters()
        region = self._region(image)
        solve = partial(self._solve, plane.image, mask, region, parameters=parameters)
        return _Run(restore_worker(Job(solve)), plane, region, parameters)

    def _region(self, image: Image) -> Region | None:
        if self.region.value == VISIBLE:
            return visible_region(image, self._viewer)
        if self.region.value == RECTANGLE:
            if self.shapes.value is None:
                raise InputError(
                    "there is no Shapes layer; add one and draw a rectangle around the part"
                )
            return shapes_region(self.shapes.value, image, self._viewer)
        return None

    def _show_plan(self, run: _Run, plan: Plan) -> None:
        if plan.sigma_estimated:
            self._adapt_sigma(run.plane.image.dtype, plan.sigma)
            self.sigma.value = min(plan.sigma, self.sigma.max)
        task = {"denoise": "Denoising", "inpaint": "Inpainting", "deblur": "Deblurring"}
        facts = [
            task.get(plan.task, "Super-resolution"),
            f"noise σ {plan.sigma:.3g}",
            f"{plan.memory / 2**30:.1f} GB",
            f"about {_duration(plan.seconds)}",
            plan.device,
        ]
        self.plan_line.value = "\n".join([" · ".join(facts), *plan.notes])
        self.status.value = "Running…"
        run.begin(plan.parameters.iterations or 0)

    def _show_preview(self, run: _Run, image: np.ndarray[Any, Any]) -> None:
        data, state, kind = result_layer(
            run.plane,
            image,
            name=f"{run.plane.name} (in progress)",
            scale=run.parameters.scale,
            region=run.region,
        )
        if run.preview is None:
            chosen = self._viewer.layers.selection.active
            run.preview = Layer.create(data, state, kind)
            self._viewer.add_layer(run.preview)
            # Whoever paints or adjusts another layer stays on it.
            if chosen is not None:
                self._viewer.layers.selection.active = chosen
        elif run.preview in self._viewer.layers:  # else the user does not want it
            run.preview.data = data

    def _leave(self, run: _Run, status: str) -> None:
        """Forget the run and be ready for the next one."""
        self._run = None
        run.end()
        preview, run.preview = run.preview, None
        if not _alive(self.native):
            return
        if preview is not None and preview in self._viewer.layers:
            self._viewer.layers.remove(preview)
        self._idle(status)

    def _idle(self, status: str) -> None:
        for button in (self.pause_button, self.stop_button, self.cancel_button):
            button.enabled = False
        self.pause_button.text = "Pause"
        self.bar.native.setRange(0, 1)
        self.bar.native.setTextVisible(False)
        self.bar.value = 0
        self.status.value = status

    def _say(self, error: Exception, show: Any) -> None:
        """One plain sentence, in the panel and as a notification."""
        text = str(error)
        text = text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
        self.status.value = text
        show(text)

    # The panel itself.

    def _connect(self) -> None:
        self.restore_button.clicked.connect(self._on_restore)
        self.pause_button.clicked.connect(self._on_pause)
        self.stop_button.clicked.connect(self._on_stop)
        self.cancel_button.clicked.connect(self._on_cancel)
        for widget in (self.image, self.mask, self.scale, self.region, self.shapes):
            widget.changed.connect(self._refresh)
        self.estimate_sigma.changed.connect(self._refresh)
        self._viewer.layers.events.inserted.connect(self._on_inserted)
        dims, camera = self._viewer.dims.events, self._viewer.scene.camera.events
        for event in (dims.point, dims.order, dims.ndisplay, camera.center, camera.zoom):
            event.connect(self._later)
        self.native_parent_changed.connect(self._on_parent_changed)

    def _on_parent_changed(self, parent: Any = None) -> None:
        # All that arrives when the panel is closed; not yet docked, it has no parent either.
        if self.native.parent() is None:
            self._on_cancel()
            self._watch(None)
        else:
            self._later()  # in napari's style the labels have another width

    def _align(self) -> None:
        """Give the labels of the form one width."""
        names = {widget.label for widget in self._form}
        labels = [x for x in self._form.native.findChildren(QLabel) if x.text() in names]
        width = max(label.sizeHint().width() for label in labels)
        for label in labels:
            label.setMinimumWidth(width)

    def _on_inserted(self, event: Any) -> None:
        # A mask that is made while the panel is open is for the image in it.
        if _alive(self.native) and isinstance(event.value, Labels):
            self._propose_mask(event.value)

    def _propose_mask(self, *layers: Labels) -> None:
        """Choose a mask where there is one candidate and none was chosen."""
        image = self.image.value
        if image is None or self.mask.value is not None or len(layers) != 1:
            return
        try:
            read_mask(layers[0], image, self._viewer)
        except InputError:
            return
        self.mask.reset_choices()
        self.mask.value = layers[0]

    def _later(self, event: Any = None) -> None:
        if _alive(self.native):
            self._refresh_later.start()

    def _watch(self, labels: Labels | None) -> None:
        """Follow the edits of one mask layer."""
        if labels is self._watched:
            return
        if self._watched is not None:
            for name in ("paint", "set_data", "data"):
                getattr(self._watched.events, name).disconnect(self._later)
        self._watched = labels
        if labels is not None:
            for name in ("paint", "set_data", "data"):
                getattr(labels.events, name).connect(self._later)

    def _refresh(self) -> None:
        """Bring what depends on other fields up to date."""
        image, labels = self.image.value, self.mask.value
        self._watch(labels)
        self.sigma.enabled = not self.estimate_sigma.value
        self.sigma.native.setSpecialValueText("" if self.sigma.enabled else "from the image")
        self.shapes.visible = self.region.value == RECTANGLE
        self.keep_observed.enabled = labels is not None and self.scale.value == 1
        if image is not None:
            self._adapt_sigma(image.dtype, self.sigma.value)
        self.mask_line.visible = labels is not None
        if labels is None:
            self.mask_line.value = ""
        elif image is not None:
            try:
                mask = read_mask(labels, image, self._viewer)
                self.mask_line.value = mask_statement(mask, self._region(image))
            except InputError as e:
                text = str(e)
                self.mask_line.value = text[:1].upper() + text[1:] + "."

    def _adapt_sigma(self, dtype: Any, value: float) -> None:
        """As many decimals as the image's sample values call for."""
        self.sigma.native.setDecimals(2 if np.dtype(str(dtype)).kind in "ui" else 4)

    def _layers(self, kind: type[Layer]) -> Sequence[Layer]:
        preview = None if self._run is None else self._run.preview
        return [x for x in self._viewer.layers if isinstance(x, kind) and x is not preview]


class _Run:
    """What the panel knows of one run."""

    def __init__(
        self, worker: RestoreWorker, plane: Plane, region: Region | None, parameters: Parameters
    ) -> None:
        self.worker = worker
        self.plane = plane
        self.region = region
        self.parameters = parameters
        self.preview: Layer | None = None
        self.clock = _Clock()
        self._activity: progress | None = None
        self._over = False

    def begin(self, total: int) -> None:
        """Show the run in napari's activity dialog; in the main thread, like all of this."""
        activity = progress(total=total, desc=f"Restoring {self.plane.name}")
        # Making it handles events, the end of this run perhaps among them.
        if self._over:
            activity.close()
        else:
            self._activity = activity

    def advance(self, step: Step) -> None:
        if self._activity is not None:
            self._activity.update(step.iteration - self._activity.n)

    def end(self) -> None:
        self._over = True
        if self._activity is not None:
            self._activity.close()
            self._activity = None


class _Clock:
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
            return f"{prefix}Starting…" if not prefix else prefix.strip()
        parts = [f"{prefix}Iteration {self._iteration} of {self._total}"]
        if self._rate > 0:
            speed = f"{self._rate:.1f} it/s" if self._rate >= 1 else f"{1 / self._rate:.1f} s/it"
            left = (self._total - self._iteration) / self._rate
            parts += [speed, f"{_duration(left)} left"]
        return " · ".join(parts)


def _line() -> Label:
    """A line of text that wraps instead of making the panel wide."""
    label = Label(value="")
    label.native.setWordWrap(True)
    policy = label.native.sizePolicy()  # with the height that follows from the width
    policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
    label.native.setSizePolicy(policy)
    return label


def _alive(widget: Any) -> bool:
    """Whether the window system still has the widget; with the viewer it goes at once."""
    return bool(isalive(widget))  # type: ignore[no-untyped-call]


def _threads() -> int:
    """All cores but one, which is left to the window."""
    usable = getattr(os, "sched_getaffinity", None)
    return max(1, (len(usable(0)) if usable else os.cpu_count() or 1) - 1)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _duration(seconds: float) -> str:
    """Seconds as people say them."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
