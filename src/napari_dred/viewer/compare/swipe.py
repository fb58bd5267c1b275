"""Two layers with a divider between them that the mouse drags: its layers and its geometry."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.experimental import link_layers, unlink_layers
from napari.layers import Image, Layer, Shapes
from napari.utils.events import EmitterGroup, Event
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_dred.core.errors import InputError
from napari_dred.viewer.layers import HELPER_KEY, Plane, read_plane, result_layer
from napari_dred.viewer.sliders import unit_ratios
from napari_dred.volumes import Region

#: Screen pixels on either side of the divider at which the mouse takes it.
REACH = 8
# Screen pixels: the dark and the light line that make the divider visible on any image.
_DARK, _LIGHT, _KNOB = 4, 1.6, 9
_FOLLOWED = ("contrast_limits", "gamma", "colormap", "opacity", "interpolation2d")
_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


class Swipe:
    """The layer before on the left of the divider, the layer after on its right.

    napari cannot cut off a layer in 2-D. So a layer of this view shows the columns of the
    layer after that lie right of the divider; the layer itself is hidden, and not changed.

    Parameters
    ----------
    viewer : napari viewer
    before, after : Image
    position : float
        Of the divider, from 0, the left edge of the layer after, to 1.

    Attributes
    ----------
    right, divider : Image, Shapes
        The layers of this view.
    events : EmitterGroup
        'moved' when the divider was; 'lost' when there is no plane to show any longer, with
        the reason as `error`.

    Raises
    ------
    InputError
        If no plane of both layers is shown.
    """

    def __init__(self, viewer: ViewerModel, before: Image, after: Image, position: float) -> None:
        self.events = EmitterGroup(source=self, moved=None, lost=Event)
        self._viewer, self._before, self._after = viewer, before, after
        read_plane(before, viewer)
        self._plane: Plane = read_plane(after, viewer)
        self.position = min(max(position, 0.0), 1.0)
        data, state, _ = self._part(0)
        self.right = Image(data, **{**state, "name": f"{after.name} (right of the divider)"})
        self.right.opacity = after.opacity
        self.right.metadata = {HELPER_KEY: True}
        self.divider = Shapes(
            ndim=after.ndim, name="divider", **{key: state[key] for key in _PLACE if key in state}
        )
        self.divider.editable = False
        self.divider.metadata = {HELPER_KEY: True}
        layers = list(viewer.layers)
        above = max(layers.index(before), layers.index(after)) + 1
        chosen = set(viewer.layers.selection)
        for layer in (self.divider, self.right):  # the divider comes to lie on top
            viewer.layers.insert(above, layer)
        viewer.layers.selection.clear()
        viewer.layers.selection.update(chosen)
        after.visible = False
        link_layers([after, self.right], _FOLLOWED)
        # Not side by side: long names would lie on each other.
        for layer, corner in ((before, "top_left"), (self.right, "bottom_right")):
            layer.name_overlay.visible, layer.name_overlay.position = True, corner
        self._draw_divider()
        self.move(self.position)
        viewer.scene.camera.events.zoom.connect(self._draw_divider)
        dims = viewer.dims.events
        self._dims = (dims.point, dims.order, dims.ndisplay)
        for event in self._dims:
            event.connect(self._on_dims)
        viewer.mouse_drag_callbacks.append(self._on_drag)

    @property
    def layers(self) -> tuple[Layer, Layer]:
        """What this view has put into the layer list."""
        return self.right, self.divider

    def move(self, position: float) -> None:
        """Put the divider at a place from 0, the left edge of the layer after, to 1."""
        self.position = min(max(position, 0.0), 1.0)
        column = self._column()
        width = self._plane.shape[1]
        # At the right edge nothing is left to show, but a layer cannot be empty.
        data, state, _ = self._part(min(column, width - 1))
        self.right.translate = state["translate"]
        self.right.data = data
        self.right.visible = column < width
        self.divider.translate = result_layer(
            self._plane, data, name="", region=Region(0, self._plane.shape[0], column, width + 1)
        )[1]["translate"]
        self.events.moved()

    def close(self) -> None:
        """Take the view's layers away and listen no longer."""
        self._viewer.scene.camera.events.zoom.disconnect(self._draw_divider)
        for event in self._dims:
            event.disconnect(self._on_dims)
        if self._on_drag in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_drag)
        unlink_layers([self._after, self.right], _FOLLOWED)
        if self._viewer.layers.selection.isdisjoint(self.layers):
            self._remove_layers()
        else:
            # Perhaps napari is removing what is selected, and would stumble over one that is gone.
            QTimer.singleShot(0, self._remove_layers)

    def _remove_layers(self) -> None:
        for layer in self.layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def _column(self) -> int:
        """The first column of the layer after that is shown."""
        return round(self.position * self._plane.shape[1])

    def _part(self, column: int) -> tuple[NDArray[Any], dict[str, Any], str]:
        """The columns from this one on, as a layer that lies where they do."""
        height, width = self._plane.shape
        part = Region(0, height, column, width)
        return result_layer(self._plane, self._plane.image[part.slices], name="", region=part)

    def _on_dims(self, event: Any = None) -> None:
        """Show the plane that the sliders are at now."""
        try:
            self._plane = read_plane(self._after, self._viewer)
        except InputError as e:
            self.events.lost(error=e)
            return
        self.move(self.position)

    def _draw_divider(self, event: Any = None) -> None:
        """Draw it anew, of the same width on the screen at every zoom."""
        rows, columns = self._plane.axes
        height = self._plane.shape[0]
        unit = 1 / self._pixel_on_screen()

        def at(row: float, column: float) -> NDArray[np.float64]:
            place = np.zeros(self._after.ndim)
            place[[rows, columns]] = row, column - 0.5
            return place

        line = [at(-0.5, 0), at(height - 0.5, 0)]
        middle, knob = (height - 1) / 2, _KNOB * unit
        box = [at(middle + a * knob, b * knob) for a, b in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
        self.divider.data = []
        self.divider.add(
            [line, line, box],
            shape_type=["line", "line", "ellipse"],
            edge_width=[_DARK * unit, _LIGHT * unit, _LIGHT * unit],
            edge_color=["black", "white", "black"],
            face_color=["black", "white", "white"],
        )
        self.divider.selected_data = set()

    def _pixel_on_screen(self) -> float:
        """How many screen pixels one column of the layer after is wide."""
        step = np.zeros(self._after.ndim)
        step[self._plane.axes[1]] = 1
        ends = np.array([self._after.data_to_world(place) for place in (0 * step, step)])
        span = (ends[1] - ends[0]) / unit_ratios(self._after, self._viewer)
        length = float(np.linalg.norm(span[list(self._plane.axes)]))
        return max(length * float(self._viewer.scene.camera.zoom), 1e-9)

    def _place(self, world: Any) -> tuple[float, float]:
        """Row and column, in pixels from the layer's corner, of a place in the world."""
        point = np.asarray(world, float)[-self._after.ndim :]
        data = self._after.world_to_data(point * unit_ratios(self._after, self._viewer))
        row, column = (data[axis] + 0.5 for axis in self._plane.axes)
        return float(row), float(column)

    def _on_drag(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        """Follow the mouse, if it was pressed on the divider."""
        height, width = self._plane.shape
        row, column = self._place(event.position)
        far = abs(column - self._column()) * self._pixel_on_screen() > REACH
        if event.button != 1 or far or not 0 <= row <= height:
            return
        event.handled = True  # the camera stays
        offset = column - self._column()
        yield
        while event.type == "mouse_move":
            event.handled = True
            self.move((self._place(event.position)[1] - offset) / width)
            yield
