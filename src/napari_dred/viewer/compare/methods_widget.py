"""The panel "Compare methods": several methods on the image of the panel "Restore image"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from magicgui.widgets import Container
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.notifications import notification_manager, show_warning
from qtpy.QtWidgets import QFileDialog

from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.presets import with_method
from napari_dred.core.records import Plan
from napari_dred.text import plural, sentence
from napari_dred.viewer.compare.figures_table import FiguresTable
from napari_dred.viewer.compare.latest import Latest
from napari_dred.viewer.compare.methods_form import MethodsForm
from napari_dred.viewer.compare.trials import HEAD, HELP, OF_REFERENCE, Trial
from napari_dred.viewer.compare.views import Comparison
from napari_dred.viewer.docks import dock_with_others, docked_with
from napari_dred.viewer.fields import alive, row
from napari_dred.viewer.forecast import plan_run
from napari_dred.viewer.layers import HELPER_KEY
from napari_dred.viewer.request import Request
from napari_dred.viewer.restore_widget import RestoreWidget
from napari_dred.viewer.scroll import Scroll


class MethodsWidget(Container[Any]):
    """The panel; the runs are those of the panel "Restore image" and wait in its queue.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    restore_panel : callable, optional
        Gives that panel; the one in the same window if left out.

    Attributes
    ----------
    form : MethodsForm
        Its fields and buttons.
    table : FiguresTable
    trials : list of Trial
        The methods that are compared or were, in this order.
    """

    def __init__(
        self,
        napari_viewer: ViewerModel,
        restore_panel: Callable[[], RestoreWidget] | None = None,
    ) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self._restore_panel = restore_panel or self._docked_panel
        self._panel: RestoreWidget | None = None
        self._comparison = Comparison(napari_viewer)
        self._planning = Latest()
        self.trials: list[Trial] = []
        self._measured: set[Trial] = set()

        self.form = MethodsForm(self._layers)
        self.table = FiguresTable(HEAD, squeezed=False)
        for i, text in enumerate(HELP):
            item = self.table.horizontalHeaderItem(i)
            assert item is not None
            item.setToolTip(text)
        self.append(row(self.form.start_button, self.form.cancel_button))
        self.append(self.form.status)
        self.extend([self.form.spread, row(self.form.copy_button, self.form.save_button)])
        layout = self.native.layout()
        layout.insertWidget(0, Scroll(self.form.native))
        layout.insertWidget(3, self.table)
        layout.addStretch(1)

        self.form.start_button.clicked.connect(self._on_start)
        self.form.cancel_button.clicked.connect(self._on_cancel)
        self.form.reference.changed.connect(self._on_reference)
        self.form.spread.changed.connect(self._on_spread)
        self.form.copy_button.clicked.connect(self._on_copy)
        self.form.save_button.clicked.connect(self._on_save)
        napari_viewer.layers.events.removed.connect(self._on_removed, position="last")
        self.native_parent_changed.connect(self._on_parent_changed)
        self._refresh()

    def reset_choices(self, *_: Any) -> None:
        """Take the layers that there are now."""
        if alive(self.native):
            self.form.reset_choices()

    @property
    def busy(self) -> bool:
        """Whether a comparison is under way."""
        return self._planning.busy or any(not trial.over for trial in self.trials)

    # What the user does.

    def _on_start(self) -> None:
        methods = self.form.ticked
        try:
            if not methods:
                raise InputError("no method is ticked; tick those that are to be compared")
            self._panel = self._restore_panel()
            base = self._panel.form.request(shown=True)
        except InputError as e:
            self._say(e)
            return
        except MemoryError:
            self._say(RestorationError("there is not enough memory for this image; choose another"))
            return
        self.form.spread.value = False
        self._forget()
        limit, first = int(self.form.limit.value), with_method(base.parameters, methods[0])
        read = base.source
        self.form.status.value = "Looking at the image…"

        def plan() -> list[Trial]:
            found = plan_run(read.plane.image, read.mask, read.region, first, read.psf)
            return self._trials(base, methods, found, limit)

        self._planning.run(plan, self._submit, self._on_failed)
        self._refresh()

    def _on_cancel(self) -> None:
        self._planning.forget()
        # The last first, so that none begins in between.
        for trial in reversed(self.trials):
            if not trial.over and self._panel is not None and alive(self._panel.native):
                self._panel.withdraw(trial.request)
            if not trial.over:  # it waited
                trial.on_failure("Cancelled.")
        self.form.status.value = "Cancelled."
        self._refresh()

    def _on_reference(self) -> None:
        for trial in self.trials:
            trial.measure(self.form.reference.value)
        self._tell_refusal()
        self._refresh()

    def _on_spread(self, shown: bool) -> None:
        self._comparison.leave()
        if shown:
            self._comparison.spread(self._to_spread())

    def _on_copy(self) -> None:
        self.table.copy()
        self.form.status.value = "Copied."

    def _on_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self.native, "Save the table", "methods.csv", "CSV (*.csv)"
        )
        if name:
            self.save(Path(name))

    def save(self, path: Path) -> None:
        """Write the table as CSV, whole or not at all."""
        try:
            self.table.save(path)
        except InputError as e:
            self._say(e)
        else:
            self.form.status.value = f"Saved as {path.name}."

    # What happens to the layers, the runs and the window.

    def _on_trial(self) -> None:
        if not alive(self.native):
            return
        for trial in self.trials:
            if trial.layer is not None and trial not in self._measured:
                self._measured.add(trial)
                trial.measure(self.form.reference.value)
        if self.trials and not self.busy:
            self.form.status.value = self._ending()
            self._tell_refusal()
        self._refresh()

    def _on_removed(self, event: Any) -> None:
        if alive(self.native) and event.value in self._comparison.layers:
            self.form.spread.value = False

    def _on_parent_changed(self, parent: Any = None) -> None:
        # All that arrives when the panel is closed; not yet docked, it has no parent either.
        if self.native.parent() is None:
            if self.busy:
                self._on_cancel()
            self.form.spread.value = False
            self._forget()
        else:
            dock_with_others(self.native)

    # How it is done.

    def _trials(self, base: Request, methods: list[str], plan: Plan, limit: int) -> list[Trial]:
        return [Trial(base, method, plan, limit, self._on_trial) for method in methods]

    def _submit(self, trials: list[Trial]) -> None:
        panel = self._panel
        if panel is None or not alive(self.native) or not alive(panel.native):
            return
        self.trials = trials
        self.form.status.value = "Running; the panel Restore image shows how it goes."
        for trial in trials:
            panel.submit(trial.request)
        self._refresh()

    def _ending(self) -> str:
        failed = sum(trial.layer is None for trial in self.trials)
        told = [f"Done: {plural(len(self.trials) - failed, 'result')}."]
        if failed:
            told.append(f"{plural(failed, 'method')} without: the table says why.")
        cut = [trial.method for trial in self.trials if trial.limited and trial.layer is not None]
        if cut:
            told.append(f"Cut short by the limit, so not at their best: {', '.join(cut)}.")
        return " ".join(told)

    def _tell_refusal(self) -> None:
        refusals = {trial.refusal for trial in self.trials if trial.refusal}
        if refusals:
            self.form.status.value = " ".join(sentence(text) for text in sorted(refusals))

    def _to_spread(self) -> list[Layer]:
        """The image, the results and the reference, as far as they are there."""
        image = self.trials[0].request.source.layer() if self.trials else None
        wanted = [image, *(trial.layer for trial in self.trials), self.form.reference.value]
        return [layer for layer in self._viewer.layers if layer in wanted]

    def _refresh(self) -> None:
        """Show the table, and offer what there is."""
        compared = self.form.reference.value is not None
        for name in OF_REFERENCE:
            self.table.setColumnHidden(HEAD.index(name), not compared)
        self.table.show_figures([trial.row() for trial in self.trials])
        self.form.start_button.enabled = not self.busy
        self.form.cancel_button.enabled = self.busy
        results = any(trial.layer is not None for trial in self.trials)
        self.form.spread.enabled = results and not self.busy
        self.form.copy_button.enabled = self.form.save_button.enabled = bool(self.trials)

    def _forget(self) -> None:
        for trial in self.trials:
            trial.forget()
        self.trials = []
        self._measured.clear()

    def _docked_panel(self) -> RestoreWidget:
        for panel in docked_with(self.native):
            if isinstance(panel, RestoreWidget):
                return panel
        window: Any = self._viewer.window
        window.add_plugin_dock_widget("napari-dred", "Restore image")
        raise InputError(
            "the panel Restore image was not open; look at what is chosen in it and press "
            "Compare again"
        )

    def _layers(self, kind: type[Layer]) -> Sequence[Layer]:
        return [
            x for x in self._viewer.layers if isinstance(x, kind) and HELPER_KEY not in x.metadata
        ]

    def _on_failed(self, error: Exception) -> None:
        if not alive(self.native):
            return
        if isinstance(error, InputError | RestorationError):
            self._say(error)
        else:
            self.form.status.value = f"Internal error: {error}"
            notification_manager.receive_error(type(error), error, error.__traceback__)
        self._refresh()

    def _say(self, error: Exception) -> None:
        """One plain sentence, in the panel and as a notification."""
        self.form.status.value = sentence(str(error))
        show_warning(self.form.status.value)
