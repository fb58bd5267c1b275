"""Ways to look at two layers: side by side, with a divider, in turn; and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from napari.components import ViewerModel
from napari.experimental import link_layers, unlink_layers
from napari.layers import Image, Layer
from qtpy.QtCore import QTimer

from napari_dred.viewer.compare.swipe import Swipe

SIDE_BY_SIDE, SWIPE, BLINK = "side by side", "swipe", "blink"


class View(Protocol):
    """One way to look at two layers; made when it begins."""

    def close(self) -> None:
        """End it, and take away all that it put into the viewer."""


class SideBySide:
    """One pane a layer; the cameras move together."""

    def __init__(
        self, viewer: ViewerModel, layers: Sequence[Layer], shape: tuple[int, int] = (1, -1)
    ) -> None:
        for layer in viewer.layers:
            layer.visible = layer in layers
        order = [layer for layer in viewer.layers if layer in layers]
        grid = viewer.canvas.grid
        # napari begins with the lowest layer, by a negative stride with the uppermost.
        grid.stride = 1 if order[0] == layers[0] else -1
        grid.shape = shape
        grid.enabled = True
        for layer in layers:
            layer.name_overlay.visible = True
        viewer.fit_to_view(layers=layers)

    def close(self) -> None:
        """Nothing of its own stays in the viewer."""


class Blink:
    """Both layers in turn."""

    def __init__(self, viewer: ViewerModel, before: Image, after: Image, rate: float) -> None:
        hide_images(viewer, [before, after])
        self._pair = (before, after)
        for layer in self._pair:
            layer.name_overlay.visible = True
        self._timer = QTimer()
        self._timer.timeout.connect(self.turn)
        self.set_rate(rate)
        after.visible = False
        self._timer.start()

    def set_rate(self, rate: float) -> None:
        """Change `rate` times a second."""
        self._timer.setInterval(round(1000 / rate))

    def turn(self) -> None:
        """Show the other one."""
        before, after = self._pair
        # The one that is to be seen first, so that the canvas is never empty in between.
        if after.visible:
            before.visible, after.visible = True, False
        else:
            after.visible, before.visible = True, False

    def close(self) -> None:
        """Stop the clock."""
        self._timer.stop()


class Snapshot:
    """How the viewer was, to be restored: what is shown, the grid, the camera, the selection."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers = [
            (layer, layer.visible, layer.name_overlay.visible, layer.name_overlay.position)
            for layer in viewer.layers
        ]
        grid, camera = viewer.canvas.grid, viewer.scene.camera
        self._grid = (grid.stride, grid.shape, grid.enabled)
        self._camera = (camera.center, camera.zoom, camera.angles)
        self._selection = set(viewer.layers.selection)

    def restore(self) -> None:
        """Bring back what was; layers that came later stay as they are."""
        present = list(self._viewer.layers)
        for layer, visible, named, position in self._layers:
            if layer in present:
                layer.visible = visible
                layer.name_overlay.visible, layer.name_overlay.position = named, position
        grid, camera = self._viewer.canvas.grid, self._viewer.scene.camera
        grid.enabled = self._grid[2]
        grid.stride, grid.shape = self._grid[:2]
        camera.center, camera.zoom, camera.angles = self._camera
        selection = self._viewer.layers.selection
        selection.clear()
        selection.update(layer for layer in self._selection if layer in present)


class SameContrast:
    """The contrast limits of one layer for several, as long as it lasts."""

    def __init__(self, layers: Sequence[Image]) -> None:
        self._layers = list(layers)
        self._before = [tuple(layer.contrast_limits) for layer in layers]
        for layer in layers[1:]:
            layer.contrast_limits = self._before[0]
        link_layers(self._layers, ("contrast_limits",))

    def close(self) -> None:
        """Give each its own limits back."""
        unlink_layers(self._layers, ("contrast_limits",))
        for layer, limits in zip(self._layers, self._before, strict=True):
            layer.contrast_limits = limits


class Comparison:
    """At most one view at a time, and how the viewer was before.

    Parameters
    ----------
    viewer : napari viewer

    Attributes
    ----------
    view : View or None
        The one that is shown.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._snapshot: Snapshot | None = None
        self._pair: list[Layer] = []
        self.view: SideBySide | Blink | Swipe | None = None

    def show(
        self,
        kind: str,
        before: Image,
        after: Image,
        reference: Image | None = None,
        *,
        rate: float = 2.0,
        position: float = 0.5,
    ) -> None:
        """Begin a view, in place of the one that is shown.

        Parameters
        ----------
        kind : 'side by side', 'swipe' or 'blink'
        before, after : Image
        reference : Image, optional
            Shown side by side as well.
        rate : float
            Changes a second, in turn.
        position : float
            Of the divider, from 0 to 1.

        Raises
        ------
        InputError
            If the layers cannot be shown that way; the viewer is then as it was.
        """
        self.leave()
        self._snapshot = Snapshot(self._viewer)
        self._pair = [before, after]
        try:
            before.visible = after.visible = True
            # Its mouse does nothing but move the camera.
            self._viewer.layers.selection.select_only(after)
            if kind == SIDE_BY_SIDE:
                shown = [before, after] + ([] if reference is None else [reference])
                self.view = SideBySide(self._viewer, list(dict.fromkeys(shown)))
            elif kind == BLINK:
                self.view = Blink(self._viewer, before, after, rate)
            else:
                hide_images(self._viewer, [before, after])
                self.view = Swipe(self._viewer, before, after, position)
        except Exception:
            self.leave()
            raise

    def spread(self, layers: Sequence[Layer]) -> None:
        """Show any number of layers in a grid, in the order of the layer list."""
        self.leave()
        self._snapshot = Snapshot(self._viewer)
        order = [layer for layer in self._viewer.layers if layer in layers]
        self._pair = list(order)
        self.view = SideBySide(self._viewer, order, shape=(-1, -1))

    @property
    def layers(self) -> list[Layer]:
        """What the view needs: the layers that it shows and those that it has added."""
        return self._pair + (list(self.view.layers) if isinstance(self.view, Swipe) else [])

    def leave(self) -> None:
        """End the view; the viewer is as it was before."""
        view, self.view = self.view, None
        self._pair = []
        snapshot, self._snapshot = self._snapshot, None
        if view is not None:
            view.close()
        if snapshot is not None:
            snapshot.restore()


def hide_images(viewer: ViewerModel, but: Sequence[Any]) -> None:
    """Hide the image layers that would cover, or shine through, the two."""
    for layer in viewer.layers:
        if isinstance(layer, Image) and layer not in but:
            layer.visible = False
