"""The panel "Compare images": its fields and buttons, and what each of them sets going."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, Container, FloatSlider, FloatSpinBox, PushButton
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer
from napari.utils.notifications import notification_manager, show_error, show_warning
from numpy.typing import NDArray
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QFrame,
    QHeaderView,
    QScrollArea,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
)

from napari_dred.core.errors import InputError
from napari_dred.io import replace_file
from napari_dred.residual import parameters_of, residual
from napari_dred.text import sentence
from napari_dred.viewer.compare.figures import Row, as_text, figures
from napari_dred.viewer.compare.latest import Latest
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
from napari_dred.viewer.layers import Plane, read_plane, result_layer
from napari_dred.viewer.masks import read_mask
from napari_dred.volumes import Region

NO_VIEW = "as it is"


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
        self._rows: list[Row] = []

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
            text="Difference", tooltip="Add after − before as a layer."
        )
        self.residual_button = PushButton(
            text="Residual",
            tooltip="Add what the restoration removed as a layer: the image before minus the "
            "result, blurred and reduced as the image was.",
        )
        self.measure_button = PushButton(
            text="Measure",
            tooltip="Without a reference, FRC tells how fine the details are, not whether they "
            "are true.",
        )
        self.copy_button = PushButton(text="Copy", tooltip="Copy the table to the clipboard.")
        self.save_button = PushButton(text="Save…", tooltip="Save the table as a CSV file.")
        self.status = line()
        self.table = QTableWidget(0, 3)
        # Not magicgui's own scroll area: napari docks what it holds without it.
        self._form: Container[Any] = Container(labels=True)
        self._form.extend(
            [
                *(self.before, self.after, self.reference),
                *(self.view, self.position, self.rate, self.same_contrast, self.mask),
                _side_by_side(self.difference_button, self.residual_button),
                self.measure_button,
                _side_by_side(self.copy_button, self.save_button),
                self.status,
            ]
        )
        self._make_table()
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
        with_planes = self._planes()
        if with_planes is None:
            return
        before, after = with_planes
        if before.image.shape != after.image.shape:
            self._say(
                InputError(
                    f"the layer {before.name!r} has the shape {before.image.shape} and "
                    f"{after.name!r} {after.image.shape}; only images of the same size and "
                    "channels have a difference"
                )
            )
            return
        name = f"{after.name} − {before.name}"

        def work() -> tuple[str, Plane, NDArray[np.float32], Region | None]:
            difference = after.image.astype(np.float64) - before.image
            return name, before, difference.astype(np.float32), None

        self._start(self._latest_layer, work, self._add_layer)

    def _on_residual(self) -> None:
        try:
            work = self._residual_work()
        except InputError as e:
            self._say(e)
            return
        self._start(self._latest_layer, work, self._add_layer)

    def _on_measure(self) -> None:
        with_planes = self._planes()
        if with_planes is None:
            return
        before, after = with_planes
        reference = removed = None
        try:
            if self.reference.value is not None:
                reference = read_plane(self.reference.value, self._viewer).image
            removed = self._residual_work()
        except InputError as e:
            if self.reference.value is not None and reference is None:
                self._say(e)
                return
        pixels = (_pixel(before), _pixel(after))

        def work() -> tuple[list[Row], list[str]]:
            noise, notes = None, []
            if removed is not None:
                try:
                    noise = removed()[2]
                except InputError as e:
                    notes.append(str(e))
            rows, more = figures(before.image, after.image, reference, noise, pixels)
            return rows, notes + more

        self._start(self._latest_figures, work, self._show_figures)

    def _on_copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        assert clipboard is not None
        clipboard.setText(as_text(self._rows, "\t"))
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
            replace_file(path, as_text(self._rows, ",").encode("utf-8-sig"))
        except OSError as e:
            self._say(InputError(f"{path}: {e.strerror or e}"))
        else:
            self.status.value = f"Saved as {path.name}."

    # What happens to the layers and the window.

    def _on_layers(self, layer: Any = None) -> None:
        self._latest_figures.forget()
        self._show_figures(([], []))
        self.same_contrast.value = False
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
            self.view.value = NO_VIEW
            self.same_contrast.value = False

    # How it is done.

    def _pair(self) -> tuple[Image, Image]:
        before, after = self.before.value, self.after.value
        if before is None or after is None or before == after:
            raise InputError("choose two different image layers to compare, as before and after")
        return before, after

    def _planes(self) -> tuple[Plane, Plane] | None:
        try:
            before, after = self._pair()
            return read_plane(before, self._viewer), read_plane(after, self._viewer)
        except InputError as e:
            self._say(e)
            return None

    def _residual_work(
        self,
    ) -> Callable[[], tuple[str, Plane, NDArray[np.float32], Region | None]]:
        """Read what the residual needs; give the function that computes it."""
        before, after = self._pair()
        observed, restored = read_plane(before, self._viewer), read_plane(after, self._viewer)
        parameters = parameters_of(restored.history)
        mask = self.mask.value
        lost = None if mask is None else read_mask(mask, before, self._viewer)
        told = (restored.history or {}).get("source", {}).get("region")
        region = None if told is None else Region(**told)
        name = f"{after.name}: residual"

        def work() -> tuple[str, Plane, NDArray[np.float32], Region | None]:
            part: Any = ... if region is None else region.slices
            if region is not None and parameters.scale == 1:
                noise = residual(observed.image, restored.image, parameters, lost)[part]
            else:
                hidden = None if lost is None else lost[part]
                noise = residual(observed.image[part], restored.image, parameters, hidden)
            return name, observed, noise, region

        return work

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

    def _add_layer(self, made: tuple[str, Plane, NDArray[np.float32], Region | None]) -> None:
        """Add signed values in colours around zero; of colour the signed root mean square."""
        if not alive(self.native):
            return
        name, plane, values, region = made
        if self.view.value != NO_VIEW:  # the new layer is to be seen
            self.view.value = NO_VIEW
        limit = float(np.nanmax(np.abs(values), initial=0)) or 1.0
        if values.ndim == 3:  # napari has colormaps for one channel only
            values = np.sqrt(np.square(values).mean(axis=-1)) * np.sign(values.sum(axis=-1))
            limit = float(np.nanmax(np.abs(values), initial=0)) or 1.0
        _, state, _ = result_layer(plane, plane.image, name=name, region=region)
        axes = tuple(axis for axis in range(len(plane.index)) if axis not in plane.axes)
        state |= {
            "colormap": "PiYG",
            "contrast_limits": (-limit, limit),
            "gamma": 1.0,
            "rgb": False,
        }
        self._viewer.add_image(np.expand_dims(values.astype(np.float32), axes), **state)
        self.status.value = f"Added the layer {name!r}."

    def _show_figures(self, made: tuple[list[Row], list[str]]) -> None:
        if not alive(self.native):
            return
        self._rows, notes = made
        self.table.setRowCount(len(self._rows))
        for i, row in enumerate(self._rows):
            for j, text in enumerate(row):
                self.table.setItem(i, j, QTableWidgetItem(text))
        self.table.resizeRowsToContents()
        self.status.value = " ".join(sentence(note) for note in notes)
        self._refresh()

    def _make_table(self) -> None:
        self.table.setHorizontalHeaderLabels(["Figure", "Before", "After"])
        header, side = self.table.horizontalHeader(), self.table.verticalHeader()
        assert header is not None
        assert side is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        side.hide()
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setTabKeyNavigation(False)
        self.table.setMinimumHeight(170)
        self.table.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.table.setWordWrap(True)
        self._form.native.layout().addWidget(self.table)

    def _refresh(self) -> None:
        """Show what belongs to the view, and offer what there is."""
        self.position.visible = self.view.value == SWIPE
        self.rate.visible = self.view.value == BLINK
        self.copy_button.enabled = self.save_button.enabled = bool(self._rows)

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


def _pixel(plane: Plane) -> tuple[float, str] | None:
    """Size and unit of a square pixel; None if it is not square."""
    (a, b), (u, v) = ([plane.state[key][axis] for axis in plane.axes] for key in ("scale", "units"))
    return (float(a), str(u)) if np.isclose(a, b) and u == v else None


def _side_by_side(*widgets: Any) -> Container[Any]:
    row: Container[Any] = Container(widgets=widgets, layout="horizontal", labels=False)
    row.margins = (0, 0, 0, 0)
    return row
