"""The panel "Restore image": its buttons and the course of the run, of which it owns one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from magicgui.widgets import Container
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.notifications import notification_manager, show_error, show_warning

from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.records import Plan, Result, Step
from napari_dred.text import sentence
from napari_dred.viewer.buttons import RunButtons
from napari_dred.viewer.clock import ending
from napari_dred.viewer.course import Course
from napari_dred.viewer.docks import dock_with_others
from napari_dred.viewer.fields import alive, line
from napari_dred.viewer.forecast import Forecast, Planner, plan_run, plan_statement
from napari_dred.viewer.form import RestoreForm
from napari_dred.viewer.layers import HELPER_KEY, METADATA_KEY
from napari_dred.viewer.repeat import SettingsMenu
from napari_dred.viewer.request import Request
from napari_dred.viewer.run import Run
from napari_dred.viewer.scroll import Scroll
from napari_dred.viewer.settings import preview_interval
from napari_dred.viewer.waiting import Waiting
from napari_dred.viewer.worker import RestoreWorker, restore_worker
from napari_dred.volumes import Solver, solve_region

_NO_MEMORY = "there is not enough memory for this image; close other images, or choose a region"


class RestoreWidget(Container[Any]):
    """The panel; one run at a time, the others wait.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    solve : callable, optional
        In place of `napari_dred.volumes.solve_region`.
    planner : callable, optional
        Makes the plan of the forecast, in place of `plan_run`.
    """

    def __init__(
        self,
        napari_viewer: ViewerModel,
        solve: Solver = solve_region,
        planner: Planner = plan_run,
    ) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self._solve = solve
        self._run: Run | None = None
        self.course = Course(napari_viewer, self._layers)
        self.form = RestoreForm(napari_viewer, self._layers)

        self.buttons = buttons = RunButtons()
        self.restore_button, self.preview_button = buttons.restore, buttons.preview
        self.pause_button, self.stop_button = buttons.pause, buttons.stop
        self.cancel_button, self.bar = buttons.cancel, buttons.bar
        self.forecast = Forecast(self.form.inputs, self.form.show_plan, planner)
        self.plan_line = self.forecast.line
        self.status = line()
        self.waiting = Waiting(napari_viewer, self._name_buttons)

        # Before the buttons: the tab key goes through the children in the order in which they came.
        fields = Scroll(self.form.native)
        fields.setParent(self.native)
        self._complaint = ""  # in the status line, of the form as it was
        self.extend([buttons, self.status, self.waiting.row, self.plan_line])
        self.append(SettingsMenu(napari_viewer, self.form, self.restore, self.status))
        self.native.layout().insertWidget(0, fields)
        self.native.layout().addWidget(self.course)
        self.form.changed.connect(self._on_form)
        self.form.image.changed.connect(self._on_image)
        self.preview_button.clicked.connect(
            lambda: self.restore(shown=True, preset="preview", method=None, iterations=None)
        )
        self.restore_button.clicked.connect(lambda: self.restore())
        self.pause_button.clicked.connect(self._on_pause)
        self.stop_button.clicked.connect(self._on_stop)
        self.cancel_button.clicked.connect(self._on_cancel)
        self.native_parent_changed.connect(self._on_parent_changed)
        self._idle("")

    @property
    def worker(self) -> RestoreWorker | None:
        """The worker of the run under way."""
        return None if self._run is None else self._run.worker

    def reset_choices(self, *args: Any) -> None:
        """Take the layers that there are now."""
        if alive(self.native):
            self.form.reset_choices(*args)
            self.course.reset_choices()

    # What the user does.

    def restore(self, *, shown: bool = False, **changes: Any) -> None:
        """Start a run as the form stands, or let it wait until the present one is over.

        What it reads is copied now, and what is edited while it waits is not for this run; but
        the planes of a stack are read as it is their turn.

        Parameters
        ----------
        shown : bool
            Whether it is for the plane that is shown alone, whatever the form says.
        **changes
            Fields of `Parameters` that are to have other values, such as `preset='preview'`.
        """
        try:
            request = self.form.request(shown=shown, **changes)
        except InputError as e:
            self._say(e, show_warning)
            return
        except MemoryError:
            self._say(RestorationError(_NO_MEMORY), show_error)
            return
        if self.waiting.has(request) or (self._run is not None and self._run.does(request)):
            show_warning("This very run is under way or waits already; change a setting first.")
        else:
            self.submit(request)

    def submit(self, request: Request) -> None:
        """Start a run, or let it wait until those before it are over."""
        if self._busy:
            self.waiting.add(request)
        else:
            self._start(request)

    def withdraw(self, request: Request) -> None:
        """Take a run off the queue, or cancel it if it is under way."""
        self.waiting.remove(request)
        if self._run is not None and self._run.parameters is request.parameters:
            self._on_cancel()

    def _on_form(self) -> None:
        if self._complaint and self.status.value == self._complaint:
            self.status.value = self._complaint = ""  # it may be so no longer
        self.forecast.refresh()

    def _on_image(self) -> None:
        self.forecast.forget()
        if self._run is None:
            self.status.value = ""  # it was said of another image

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
            self.pause_button.enabled = self.stop_button.enabled = False
            self.status.value = "Stopping…"

    def _on_cancel(self) -> None:
        """Take leave of the run at once; its thread ends within its present step."""
        run = self._run
        if run is not None:
            run.worker.quit()
            self._leave(run, "Cancelled.")
            self.course.clear()
            run.listener.on_failure("Cancelled.")

    # What the run reports; a run that the panel has left is not heard.

    def _on_record(self, run: Run, record: Plan | Step | None) -> None:
        if record is None or not self._listens(run):
            return
        if isinstance(record, Plan):
            self._show_plan(run, record)
            return
        run.clock.tick(record)
        self.buttons.advance(record.iteration, record.total)
        if not run.worker.control.stopped and not run.worker.is_paused:
            self.status.value = run.clock.line(f"{record.note} " if record.note else "")
        self.course.add(record)
        run.advance(record)
        run.listener.on_step(record)
        run.worker.job.shown(record)

    def _on_result(self, run: Run, result: Result) -> None:
        if not self._listens(run):
            return
        try:
            layer = self._show_result(run, result)
        except Exception as e:  # noqa: BLE001 (whatever it is: said, and the run is over)
            self._leave(run, "", result)
            self._say_fault(e)
            run.listener.on_failure(sentence(str(e)))
            return
        self._leave(run, ending(result), result)
        if result.stop_reason == "failed":
            show_warning(ending(result))
        run.listener.on_result(run, result, layer)

    def _on_error(self, run: Run, error: Exception) -> None:
        if not self._listens(run):
            return
        self._leave(run, "")
        if isinstance(error, InputError):
            self._say(error, show_warning)
        elif isinstance(error, RestorationError) and run.worker.control.stopped:
            self.status.value = sentence(str(error))  # it ended, as was asked: no alarm
        elif isinstance(error, RestorationError):
            self._say(error, show_error)
        else:
            self._say_fault(error)
        run.listener.on_failure(sentence(str(error)))

    def _on_finished(self, run: Run) -> None:
        run.release()
        if run is self._run:  # neither result nor error: ended from outside, by napari
            self.waiting.clear()
            self._leave(run, "Cancelled.")
            run.listener.on_failure("Cancelled.")
        # Only now: two runs at a time might need more memory than there is.
        if self._run is None and alive(self.native):
            request = self.waiting.take()
            if request is not None:
                self._start(request)

    def _listens(self, run: Run) -> bool:
        return run is self._run and not run.worker.abort_requested and alive(self.native)

    # How it is done.

    @property
    def _busy(self) -> bool:
        """Whether another run has to wait; also while the thread of a cancelled one ends."""
        return self._run is not None or len(self.waiting) > 0

    def _start(self, request: Request) -> None:
        worker = restore_worker(request.job(self._solve, preview_interval()))
        run = self._run = Run(worker, request)
        self.forecast.pause()
        self.course.begin(run)
        worker.yielded.connect(partial(self._on_record, run))
        worker.returned.connect(partial(self._on_result, run))
        worker.errored.connect(partial(self._on_error, run))
        worker.finished.connect(partial(self._on_finished, run))
        self.plan_line.value = ""
        self.status.value = "Starting…"
        self.buttons.begin()
        self._name_buttons()
        worker.start()

    def _show_plan(self, run: Run, plan: Plan) -> None:
        if run.source.layer() is self.form.image.value:
            self.form.show_plan(plan)
        planes = 1 if run.source.stack is None else len(run.source.stack)
        told = plan_statement(plan, timed=False, planes=planes)
        self.plan_line.value = "\n".join([told, *plan.notes])
        self.status.value = "Running…"
        run.plan = plan
        run.begin()

    def _show_result(self, run: Run, result: Result) -> Any:
        """Make the preview the result, or add a layer, be it by itself; give the layer."""
        name = f"{run.plane.name} restored"
        made = result.provenance()
        shown, layer = self.course.preview_layer, None
        try:
            data = run.layer_data(result.image, name, made)
            if self.course.show_result(data):
                layer = shown
                self.reset_choices()  # from now on it can be somebody's input
            else:
                layer = Layer.create(*data)
                self._viewer.add_layer(layer)
        except Exception as e:  # noqa: BLE001 (a long run's result must not be lost)
            if layer is None or layer not in self._viewer.layers:
                metadata = {METADATA_KEY: run.source.provenance(made)}
                layer = self._viewer.add_image(result.image, name=name, metadata=metadata)
            show_warning(f"The result may not lie where its input does: {sentence(str(e))}")
        return layer

    def _leave(self, run: Run, status: str, result: Result | None = None) -> None:
        """Forget the run and be ready for the next one."""
        self._run = None
        run.end()
        if alive(self.native):
            self.course.end(result)
            self._idle(status)
            self.forecast.resume()

    def _idle(self, status: str) -> None:
        self.buttons.idle()
        self.status.value = status
        self._name_buttons()

    def _name_buttons(self) -> None:
        self.buttons.set_busy(self._busy)

    def _say(self, error: Exception, show: Any) -> None:
        """One plain sentence, in the panel and as a notification."""
        self.status.value = self._complaint = sentence(str(error))
        show(self._complaint)

    def _say_fault(self, error: Exception) -> None:
        """A fault of the program: with its traceback, so that it can be reported."""
        self.status.value = f"Internal error: {error}"
        notification_manager.receive_error(type(error), error, error.__traceback__)

    def _on_parent_changed(self, parent: Any = None) -> None:
        # All that arrives when the panel is closed; not yet docked, it has no parent either.
        if self.native.parent() is None:
            self.waiting.clear()
            self._on_cancel()
            if alive(self.course):
                self.course.clear()
            self.form.close_down()
            self.forecast.pause()
        else:
            dock_with_others(self.native)
            self.forecast.resume()
            self.form.refresh_later()  # in napari's style the labels have another width

    def _layers(self, kind: type[Layer]) -> Sequence[Layer]:
        preview = self.course.preview_layer
        return [
            x
            for x in self._viewer.layers
            if isinstance(x, kind) and x is not preview and HELPER_KEY not in x.metadata
        ]
