"""The panel "Compare images": what each of its fields and buttons sets going."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from magicgui.widgets import Container
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils.notifications import notification_manager, show_error, show_warning
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QFrame, QScrollArea

from napari_dred.core.errors import InputError
from napari_dred.text import sentence
from napari_dred.viewer.compare.figures import Row, figures, pixel_of
from napari_dred.viewer.compare.figures_table import FiguresTable
from napari_dred.viewer.compare.form import NO_VIEW, Form
from napari_dred.viewer.compare.latest import Latest
from napari_dred.viewer.compare.profile_plot import LineProfile
from napari_dred.viewer.compare.signed import Signed, add_signed, difference_work, residual_work
from napari_dred.viewer.compare.swipe import Swipe
from napari_dred.viewer.compare.views import (
    BLINK,
    SIDE_BY_SIDE,
    SWIPE,
    Blink,
    Comparison,
    SameContrast,
)
from napari_dred.viewer.docks import dock_with_others
from napari_dred.viewer.fields import alive
from napari_dred.viewer.layers import HELPER_KEY, Plane, read_plane
from napari_dred.viewer.masks import read_mask
from napari_dred.viewer.psf import psf_of


class CompareWidget(Container[Any]):
    """The panel; at most one view at a time.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer

    Attributes
    ----------
    form : Form
        Its fields and buttons.
    table : FiguresTable
    profile : LineProfile
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self._comparison = Comparison(napari_viewer)
        self._contrast: SameContrast | None = None
        self._latest_layer, self._latest_figures = Latest(), Latest()

        self.form = Form(self._layers)
        self.table = FiguresTable()
        self.profile = LineProfile(napari_viewer, self._pair)
        layout = self.form.native.layout()
        for widget in (self.table, self.form.status.native, self.profile):
            layout.addWidget(widget)
        layout.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the tab key stops at what is in it
        scroll.setWidget(self.form.native)
        self.native.layout().addWidget(scroll)
        self.margins = (0, 0, 0, 0)
        for layer_choice in (self.form.before, self.form.after, self.form.reference):
            layer_choice.changed.connect(self._on_layers)
        self.form.view.changed.connect(self._on_view)
        self.form.position.changed.connect(self._on_position)
        self.form.rate.changed.connect(self._on_rate)
        self.form.same_contrast.changed.connect(self._on_contrast)
        self.form.difference_button.clicked.connect(self._on_difference)
        self.form.residual_button.clicked.connect(self._on_residual)
        self.form.profile_button.clicked.connect(self._on_profile)
        self.form.measure_button.clicked.connect(self._on_measure)
        self.form.copy_button.clicked.connect(self._on_copy)
        self.form.save_button.clicked.connect(self._on_save)
        napari_viewer.layers.events.removed.connect(self._on_removed, position="last")
        self.native_parent_changed.connect(self._on_parent_changed)
        self._propose()
        self._refresh()

    def reset_choices(self, *_: Any) -> None:
        """Take the layers that there are now."""
        self.form.reset_choices()
        if self.form.before.value is self.form.after.value:
            self._propose()

    # What the user does.

    def _on_view(self, kind: str) -> None:
        self._comparison.leave()
        if kind != NO_VIEW:
            try:
                before, after = self._pair()
                self._comparison.show(
                    kind,
                    before,
                    after,
                    self.form.reference.value,
                    rate=self.form.rate.value,
                    position=self.form.position.value / 100,
                )
            except InputError as e:
                self.form.view.value = NO_VIEW
                self._say(e)
        if isinstance(view := self._comparison.view, Swipe):
            view.events.moved.connect(self._on_moved)
            view.events.lost.connect(self._on_lost)
        self._refresh()

    def _on_position(self, percent: float) -> None:
        view = self._comparison.view
        if isinstance(view, Swipe) and abs(view.position - percent / 100) > 1e-9:
            view.move(percent / 100)

    def _on_rate(self, rate: float) -> None:
        if isinstance(self._comparison.view, Blink):
            self._comparison.view.set_rate(rate)

    def _on_contrast(self, same: bool) -> None:
        contrast, self._contrast = self._contrast, None
        if contrast is not None:
            contrast.close()
        if same:
            try:
                self._contrast = SameContrast(self._pair())
            except InputError as e:
                self.form.same_contrast.value = False
                self._say(e)

    def _on_difference(self) -> None:
        try:
            work = difference_work(*self._planes())
        except InputError as e:
            self._say(e)
            return
        self._start(self._latest_layer, work, self._add_layer)

    def _on_residual(self) -> None:
        try:
            work = self._residual_work(*self._planes())
        except InputError as e:
            self._say(e)
            return
        self._start(self._latest_layer, work, self._add_layer)

    def _on_profile(self) -> None:
        if self.form.view.value == SIDE_BY_SIDE:  # the line would get a pane of its own
            self.form.view.value = NO_VIEW
        try:
            self.profile.begin()
        except InputError as e:
            self._say(e)

    def _on_measure(self) -> None:
        reference = self.form.reference.value
        try:
            before, after = self._planes()
            truth = None if reference is None else read_plane(reference, self._viewer).image
        except InputError as e:
            self._say(e)
            return
        removed, why = None, ""
        try:
            removed = self._residual_work(before, after)
        except InputError as e:
            why = str(e)
        pixels = (pixel_of(before), pixel_of(after))

        def work() -> tuple[list[Row], list[str]]:
            noise, notes = None, [f"no residual: {why}"] if why else []
            if removed is not None:
                try:
                    signed = removed()
                except InputError as e:
                    notes.append(f"no residual: {e}")
                else:
                    noise, notes = signed.values, [signed.note] if signed.note else []
            rows, more = figures(before.image, after.image, truth, noise, pixels)
            return rows, notes + more

        self._start(self._latest_figures, work, self._show_figures)

    def _on_copy(self) -> None:
        self.table.copy()
        self.form.status.value = "Copied."

    def _on_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self.native, "Save the figures", "figures.csv", "CSV (*.csv)"
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

    # What happens to the layers and the window.

    def _on_layers(self, layer: Any = None) -> None:
        self._latest_figures.forget()
        self._show_figures(([], []))
        self.form.same_contrast.value = False
        self.profile.follow()
        if self._comparison.view is None:
            return
        if all(shown in self._viewer.layers for shown in self._comparison.layers):
            self._on_view(self.form.view.value)
        else:
            self.form.view.value = NO_VIEW

    def _on_removed(self, event: Any) -> None:
        if alive(self.native) and event.value in self._comparison.layers:
            self.form.same_contrast.value = False
            self.form.view.value = NO_VIEW

    def _on_moved(self, event: Any = None) -> None:
        if isinstance(view := self._comparison.view, Swipe):
            self.form.position.value = 100 * view.position

    def _on_lost(self, event: Any) -> None:
        self.form.view.value = NO_VIEW
        self._say(event.error)

    def _on_parent_changed(self, parent: Any = None) -> None:
        # All that arrives when the panel is closed; not yet docked, it has no parent either.
        if self.native.parent() is None:
            self._latest_layer.forget()
            self._latest_figures.forget()
            self.profile.end()
            self.form.view.value = NO_VIEW
            self.form.same_contrast.value = False
        else:
            dock_with_others(self.native)

    # How it is done.

    def _pair(self) -> tuple[Image, Image]:
        before, after = self.form.before.value, self.form.after.value
        if before is None or after is None or before == after:
            raise InputError("choose two different image layers to compare, as before and after")
        return before, after

    def _planes(self) -> tuple[Plane, Plane]:
        before, after = self._pair()
        return read_plane(before, self._viewer), read_plane(after, self._viewer)

    def _residual_work(self, observed: Plane, restored: Plane) -> Callable[[], Signed]:
        mask = self.form.mask.value
        lost = None if mask is None else read_mask(mask, self.form.before.value, self._viewer)
        psf = psf_of(restored.history, self._viewer)
        return residual_work(observed, restored, lost, psf)

    def _start(self, latest: Latest, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.form.status.value = "Computing…"
        latest.run(work, done, self._on_failed)

    def _on_failed(self, error: Exception) -> None:
        if not alive(self.native):
            return
        if isinstance(error, InputError):
            self._say(error)
        elif isinstance(error, MemoryError):
            self.form.status.value = "There is not enough memory for images of this size."
            show_error(self.form.status.value)
        else:
            self.form.status.value = f"Internal error: {error}"
            notification_manager.receive_error(type(error), error, error.__traceback__)

    def _add_layer(self, signed: Signed) -> None:
        if not alive(self.native):
            return
        if self.form.view.value != NO_VIEW:  # the new layer is to be seen
            self.form.view.value = NO_VIEW
        add_signed(self._viewer, signed)
        self.form.status.value = f"Added the layer {signed.name!r}. {signed.note}".strip()

    def _show_figures(self, made: tuple[list[Row], list[str]]) -> None:
        if not alive(self.native):
            return
        rows, notes = made
        self.table.show_figures(rows)
        self.form.status.value = " ".join(sentence(note) for note in notes)
        self._refresh()

    def _refresh(self) -> None:
        """Show what belongs to the view, and offer what there is."""
        self.form.position.visible = self.form.view.value == SWIPE
        self.form.rate.visible = self.form.view.value == BLINK
        self.form.copy_button.enabled = self.form.save_button.enabled = bool(self.table.figures)

    def _propose(self) -> None:
        """The two uppermost images, the lower one as before."""
        images = self._layers(Image)
        if len(images) > 1:
            self.form.before.value, self.form.after.value = images[-2], images[-1]

    def _layers(self, kind: type[Layer]) -> Sequence[Layer]:
        return [
            x for x in self._viewer.layers if isinstance(x, kind) and HELPER_KEY not in x.metadata
        ]

    def _say(self, error: Exception) -> None:
        """One plain sentence, in the panel and as a notification."""
        self.form.status.value = sentence(str(error))
        show_warning(self.form.status.value)
