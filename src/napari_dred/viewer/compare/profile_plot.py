"""The plot of a line profile, and what makes it follow the line and the layers."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.components import ViewerModel
from napari.layers import Image, Layer, Shapes
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_dred.core.errors import InputError
from napari_dred.text import sentence
from napari_dred.viewer.compare.profile import length_of, line_of, values_along
from napari_dred.viewer.fields import alive
from napari_dred.viewer.layers import Plane, read_plane
from napari_dred.viewer.plots import (
    BLUE,
    ORANGE,
    Look,
    legend_entry,
    make_graph,
    make_legend,
    paint,
)

#: Milliseconds between a change and the drawing, so that a line that is drawn makes few of them.
DELAY = 50
_TOOLTIP = (
    "The values of both images along the line, of colour images their luma. The distance is "
    "counted from the end at which the line was begun, in the unit of the image before."
)
_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
# Besides the axis labels, which move nothing.
_MOVED = _PLACE[:-1]


class ProfilePlot(QWidget):
    """Two curves over the distance along a line, and above them their names, or a message."""

    def __init__(self) -> None:
        super().__init__()
        self.legend = make_legend()
        self._graph = make_graph(_TOOLTIP)
        self.setToolTip(_TOOLTIP)
        self._lines = [pg.PlotDataItem(connect="finite") for _ in range(2)]
        for line in self._lines:
            self._graph.getPlotItem().addItem(line)
        self._names = ("", "")
        self._look = Look.of("dark")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.legend)
        layout.addWidget(self._graph)

    def draw(
        self, names: tuple[str, str], values: list[NDArray[np.float64]], length: float, unit: str
    ) -> None:
        """Show two curves, each evenly spaced along the same length."""
        for line, curve in zip(self._lines, values, strict=True):
            line.setData(np.linspace(0, length, len(curve)), curve)
        self._graph.getPlotItem().setLabel("bottom", f"Distance along the line ({unit})")
        self._graph.show()
        self._names = names
        self.set_look(self._look)

    def say(self, text: str) -> None:
        """Show a message and no curve."""
        for line in self._lines:
            line.setData([], [])
        self._graph.hide()
        self._names = ("", "")
        self.legend.setText(html.escape(text))

    def set_look(self, look: Look) -> None:
        """Take these colours."""
        self._look = look
        colours = [hue[look.kind] for hue in (BLUE, ORANGE)]
        paint(self._graph, look, dict(zip(self._lines, colours, strict=True)))
        if any(self._names):
            entries = map(legend_entry, map(html.escape, self._names), colours)
            self.legend.setText(" &nbsp; ".join(entries))

    def points(self, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distances and values of the curve of the layer before, 0, or after, 1."""
        distance, values = self._lines[index].getOriginalDataset()
        return (np.array([]), np.array([])) if distance is None else (distance, values)

    @property
    def x_label(self) -> str:
        """What the axis of the distance says."""
        return str(self._graph.getPlotItem().getAxis("bottom").labelText)


class LineProfile(QWidget):
    """The profile of the two chosen layers along a line that the user draws.

    Hidden until there is a line layer, and again when it is gone.

    Parameters
    ----------
    viewer : napari viewer
    pair : callable
        Gives the layers before and after, or raises an `InputError`.

    Attributes
    ----------
    shapes : Shapes or None
        The layer whose line is followed.
    """

    def __init__(self, viewer: ViewerModel, pair: Callable[[], tuple[Image, Image]]) -> None:
        super().__init__()
        self._viewer, self._pair = viewer, pair
        self.shapes: Shapes | None = None
        self._watched: list[tuple[Any, Callable[[Any], None]]] = []
        # Read once, not with every movement of the line.
        self._planes: tuple[Plane, Plane] | None = None
        self.plot = ProfilePlot()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(DELAY)
        self._later.timeout.connect(self.draw)
        viewer.events.theme.connect(self._on_theme)
        viewer.layers.events.removed.connect(self._on_removed)
        self._on_theme()
        self.hide()

    def begin(self) -> None:
        """Follow the line of the selected Shapes layer, or let the user draw one.

        Raises
        ------
        InputError
            If no plane of both layers is shown.
        """
        before, after = self._pair()
        plane = read_plane(before, self._viewer)
        read_plane(after, self._viewer)
        selection = self._viewer.layers.selection
        # Not the divider of a view, which cannot be edited.
        if isinstance(selection.active, Shapes) and selection.active.editable:
            self.shapes = selection.active
        elif self.shapes is None:
            self.shapes = _line_layer(before, plane)
            self._viewer.layers.append(self.shapes)
        selection.select_only(self.shapes)
        if "line" not in self.shapes.shape_type:
            self.shapes.mode = "add_line"
        self.show()
        self.follow()

    def follow(self) -> None:
        """Take the layers that are chosen now."""
        self._unwatch()
        if self.shapes is None:
            return
        try:
            images: tuple[Image, ...] = self._pair()
        except InputError:
            images = ()  # drawing says why
        # napari refreshes the shapes while one is drawn or dragged; `data` comes at the end only.
        # `highlight`: another line is selected.
        self._watch(self.shapes, ("set_data", "highlight", *_MOVED), self._draw_later)
        for image in images:
            self._watch(image, ("data",), self._on_data)
            self._watch(image, (*_MOVED, "name"), self._draw_later)
        for name in ("point", "order", "ndisplay"):
            self._connect(getattr(self._viewer.dims.events, name), self._on_data)
        self._on_data()

    def end(self) -> None:
        """Follow nothing any longer; the line layer stays."""
        self._unwatch()
        self._later.stop()
        self.shapes = self._planes = None
        self.hide()

    def draw(self) -> None:
        """Bring the plot up to date now."""
        if self.shapes is None or not alive(self):
            return
        try:
            pair = self._pair()
            if self._planes is None:
                before, after = (read_plane(layer, self._viewer) for layer in pair)
                self._planes = before, after
            line = line_of(self.shapes, self._viewer)
            both = list(zip(pair, self._planes, strict=True))
            values = [values_along(line, *one, self._viewer) for one in both]
            length, unit = length_of(line, *both[0], self._viewer)
        except InputError as e:
            self.plot.say(sentence(str(e)))
        else:
            self.plot.draw((pair[0].name, pair[1].name), values, length, unit)

    def _on_data(self, event: Any = None) -> None:
        self._planes = None
        self._draw_later()

    def _draw_later(self, event: Any = None) -> None:
        if alive(self) and not self._later.isActive():
            self._later.start()

    def _on_removed(self, event: Any) -> None:
        if event.value is self.shapes and alive(self):
            self.end()

    def _on_theme(self, event: Any = None) -> None:
        if alive(self):
            self.plot.set_look(Look.of(self._viewer.theme))

    def _watch(self, layer: Layer, names: tuple[str, ...], hear: Callable[[Any], None]) -> None:
        for name in names:
            self._connect(getattr(layer.events, name), hear)

    def _connect(self, emitter: Any, hear: Callable[[Any], None]) -> None:
        emitter.connect(hear)
        self._watched.append((emitter, hear))

    def _unwatch(self) -> None:
        for emitter, hear in self._watched:
            emitter.disconnect(hear)
        self._watched.clear()


def _line_layer(image: Image, plane: Plane) -> Shapes:
    """An empty layer that lies as the image does, whose lines can be seen on it."""
    shapes = Shapes(
        ndim=image.ndim,
        name="profile",
        **{key: plane.state[key] for key in _PLACE if key in plane.state},
    )
    shapes.current_edge_width = max(1, round(max(plane.shape) / 250))
    shapes.current_edge_color = "yellow"
    return shapes
