"""The panel "Compare images": its fields and buttons, and what each of them sets going."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container, FloatSlider, FloatSpinBox, PushButton
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.utils.notifications import notification_manager, show_error, show_warning
from qtpy.QtWidgets import QFileDialog, QFrame, QScrollArea, QSizePolicy

from napari_dred.core.errors import InputError
from napari_dred.text import sentence
from napari_dred.viewer.compare.figures import Row, figures, pixel_of
from napari_dred.viewer.compare.figures_table import FiguresTable
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
from napari_dred.viewer.fields import LayerChoice, alive, line
from napari_dred.viewer.layers import Plane, read_mask, read_plane

NO_VIEW = "as it is"
_OF_COLOUR = (
    "Of colour images: how large it is over the three channels (root mean square), green where "
    "their sum grows and pink where it falls."
)


class CompareWidget(Container[Any]):
    """The panel; at most one view at a time.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
    """

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self._comparison = Comparison(napari_viewer)
        self._contrast: SameContrast | None = None
        self._latest_layer, self._latest_figures = Latest(), Latest()

        def choose(name: str, tooltip: str, kind: type[Layer] = Image, none: str = "") -> Any:
            choice = LayerChoice(
                partial(self._layers, kind),
                none_text=none,
                name=name.lower(),
                label=name,
                tooltip=tooltip,
            )
            choice.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            return choice

        self.before = choose("Before", "The image as it was.")
        self.after = choose("After", "The image to compare it with, a restored one for example.")
        self.reference = choose("Reference", "The image as it should be, if known.", none="none")
        self.view = ComboBox(
            label="View",
            choices=(NO_VIEW, SIDE_BY_SIDE, SWIPE, BLINK),
            tooltip="How both layers are shown; with 'as it is' the viewer is as it was before.",
        )
        self.position = FloatSlider(
            label="Divider",
            min=0,
            max=100,
            value=50,
            step=0.5,
            tooltip="Place of the divider, in percent of the width; the mouse can drag it too.",
        )
        self.rate = FloatSpinBox(
            label="Changes / s",
            min=0.5,
            max=5,  # more than three flashes a second can harm
            step=0.5,
            value=2,
            tooltip="How often the other image is shown, in changes a second.",
        )
        self.same_contrast = CheckBox(
            text="Same contrast for both",
            tooltip="The contrast limits of the image before for both, as long as this is checked.",
        )
        self.mask = choose(
            "Mask", "Labels layer of the pixels that were missing.", Labels, none="none"
        )
        self.difference_button = PushButton(
            text="Difference",
            tooltip="Add after − before as a layer, in colours around zero. " + _OF_COLOUR,
        )
        self.residual_button = PushButton(
            text="Residual",
            tooltip="Add what the restoration removed as a layer: the image before minus the "
            "result, blurred and reduced as the image was. " + _OF_COLOUR,
        )
        self.measure_button = PushButton(
            text="Measure",
            tooltip="Without a reference, FRC tells how fine the details are, not whether they "
            "are true.",
        )
        self.copy_button = PushButton(text="Copy", tooltip="Copy the table to the clipboard.")
        self.save_button = PushButton(text="Save…", tooltip="Save the table as a CSV file.")
        self.profile_button = PushButton(
            text="Line profile",
            tooltip="Plot the values of both images along a line: draw it on the image, or first "
            "select the Shapes layer that has it.",
        )
        self.status = line()
        self.table = FiguresTable()
        self.profile = LineProfile(napari_viewer, self._pair)
        # Not magicgui's own scroll area: napari docks what it holds without it.
        self._form: Container[Any] = Container(labels=True)
        self._form.extend(
            [
                *(self.before, self.after, self.reference),
                *(self.view, self.position, self.rate, self.same_contrast, self.mask),
                _side_by_side(self.difference_button, self.residual_button),
                _side_by_side(self.profile_button, self.measure_button),
                _side_by_side(self.copy_button, self.save_button),
                self.status,
            ]
        )
        for widget in (self.table, self.profile):
            self._form.native.layout().addWidget(widget)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(self._form.native)
        self.native.layout().addWidget(scroll)
        self.margins = (0, 0, 0, 0)
        for layer_choice in (self.before, self.after, self.reference):
            layer_choice.changed.connect(self._on_layers)
        self.view.changed.connect(self._on_view)
        self.position.changed.connect(self._on_position)
        self.rate.changed.connect(self._on_rate)
        self.same_contrast.changed.connect(self._on_contrast)
        self.difference_button.clicked.connect(self._on_difference)
        self.residual_button.clicked.connect(self._on_residual)
        self.profile_button.clicked.connect(self._on_profile)
        self.measure_button.clicked.connect(self._on_measure)
        self.copy_button.clicked.connect(self._on_copy)
        self.save_button.clicked.connect(self._on_save)
        napari_viewer.layers.events.removed.connect(self._on_removed, position="last")
        self.native_parent_changed.connect(self._on_parent_changed)
        self._propose()
        self._refresh()

    def reset_choices(self, *_: Any) -> None:
        """Take the layers that there are now."""
        self._form.reset_choices()

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
                    self.reference.value,
                    rate=self.rate.value,
                    position=self.position.value / 100,
                )
            except InputError as e:
                self.view.value = NO_VIEW
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
                self.same_contrast.value = False
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
        if self.view.value == SIDE_BY_SIDE:  # the line would get a pane of its own
            self.view.value = NO_VIEW
        try:
            self.profile.begin()
        except InputError as e:
            self._say(e)

    def _on_measure(self) -> None:
        reference = self.reference.value
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
        self.status.value = "Copied."

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
            self.status.value = f"Saved as {path.name}."

    # What happens to the layers and the window.

    def _on_layers(self, layer: Any = None) -> None:
        self._latest_figures.forget()
        self._show_figures(([], []))
        self.same_contrast.value = False
        self.profile.follow()
        if self._comparison.view is None:
            return
        if all(shown in self._viewer.layers for shown in self._comparison.layers):
            self._on_view(self.view.value)
        else:
            self.view.value = NO_VIEW

    def _on_removed(self, event: Any) -> None:
        if alive(self.native) and event.value in self._comparison.layers:
            self.same_contrast.value = False
            self.view.value = NO_VIEW

    def _on_moved(self, event: Any = None) -> None:
        if isinstance(view := self._comparison.view, Swipe):
            self.position.value = 100 * view.position

    def _on_lost(self, event: Any) -> None:
        self.view.value = NO_VIEW
        self._say(event.error)

    def _on_parent_changed(self, parent: Any = None) -> None:
        # All that arrives when the panel is closed; not yet docked, it has no parent either.
        if self.native.parent() is None:
            self._latest_layer.forget()
            self._latest_figures.forget()
            self.profile.end()
            self.view.value = NO_VIEW
            self.same_contrast.value = False

    # How it is done.

    def _pair(self) -> tuple[Image, Image]:
        before, after = self.before.value, self.after.value
        if before is None or after is None or before == after:
            raise InputError("choose two different image layers to compare, as before and after")
        return before, after

    def _planes(self) -> tuple[Plane, Plane]:
        before, after = self._pair()
        return read_plane(before, self._viewer), read_plane(after, self._viewer)

    def _residual_work(self, observed: Plane, restored: Plane) -> Callable[[], Signed]:
        mask = self.mask.value
        lost = None if mask is None else read_mask(mask, self.before.value, self._viewer)
        return residual_work(observed, restored, lost)

    def _start(self, latest: Latest, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        self.status.value = "Computing…"
        latest.run(work, done, self._on_failed)

    def _on_failed(self, error: Exception) -> None:
        if not alive(self.native):
            return
        if isinstance(error, InputError):
            self._say(error)
        elif isinstance(error, MemoryError):
            self.status.value = "There is not enough memory for images of this size."
            show_error(self.status.value)
        else:
            self.status.value = f"Internal error: {error}"
            notification_manager.receive_error(type(error), error, error.__traceback__)

    def _add_layer(self, signed: Signed) -> None:
        if not alive(self.native):
            return
        if self.view.value != NO_VIEW:  # the new layer is to be seen
            self.view.value = NO_VIEW
        add_signed(self._viewer, signed)
        self.status.value = f"Added the layer {signed.name!r}. {signed.note}".strip()

    def _show_figures(self, made: tuple[list[Row], list[str]]) -> None:
        if not alive(self.native):
            return
        rows, notes = made
        self.table.show_figures(rows)
        self.status.value = " ".join(sentence(note) for note in notes)
        self._refresh()

    def _refresh(self) -> None:
        """Show what belongs to the view, and offer what there is."""
        self.position.visible = self.view.value == SWIPE
        self.rate.visible = self.view.value == BLINK
        self.copy_button.enabled = self.save_button.enabled = bool(self.table.figures)

    def _propose(self) -> None:
        """The two uppermost images, the lower one as before."""
        images = self._layers(Image)
        if len(images) > 1:
            self.before.value, self.after.value = images[-2], images[-1]

    def _layers(self, kind: type[Layer]) -> Sequence[Layer]:
        view = self._comparison.view
        own = view.layers if isinstance(view, Swipe) else ()
        return [x for x in self._viewer.layers if isinstance(x, kind) and x not in own]

    def _say(self, error: Exception) -> None:
        """One plain sentence, in the panel and as a notification."""
        self.status.value = sentence(str(error))
        show_warning(self.status.value)


def _side_by_side(*widgets: Any) -> Container[Any]:
    row: Container[Any] = Container(widgets=widgets, layout="horizontal", labels=False)
    row.margins = (0, 0, 0, 0)
    return row
