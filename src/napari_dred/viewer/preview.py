"""The one layer that shows a run's image while it changes, and in the end its result."""

from __future__ import annotations

from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from numpy.typing import NDArray

from napari_dred.viewer.run import LayerData, Run


class Preview:
    """The preview layer of one run: added once, its data replaced, its contrast left alone.

    Parameters
    ----------
    viewer : napari viewer
    run : Run
        Knows where its images lie.
    """

    def __init__(self, viewer: ViewerModel, run: Run) -> None:
        self._viewer = viewer
        self._run = run
        self.layer: Layer | None = None
        self._named = ""  # what the layer was called when it was added

    def show(self, image: NDArray[Any], name: str) -> None:
        """Show an image, unless the user has deleted the layer."""
        if self.layer is None:
            self.bring(image, name)
        elif self.layer in self._viewer.layers:
            self.layer.data = self._run.layer_data(image, name)[0]

    def bring(self, image: NDArray[Any], name: str) -> None:
        """Show an image that the user asked for: the layer comes back if it is gone or hidden."""
        if self.layer is not None and self.layer in self._viewer.layers:
            self.show(image, name)
            self.layer.visible = True
            return
        self.layer = Layer.create(*self._run.layer_data(image, name))
        self._insert(self.layer, len(self._viewer.layers))
        self._named = self.layer.name

    def become(self, result: LayerData) -> bool:
        """Make the layer the result's, as it lies and as the user has set it, and let go of it.

        A layer that is removed costs napari a garbage collection, in which the window stands still.

        Parameters
        ----------
        result : tuple of array, dict and str
            As napari's `LayerDataTuple`.

        Returns
        -------
        bool
            False, and nothing is done, where the layer is gone or has samples of another kind.
        """
        layer, (data, state, _) = self.layer, result
        if layer is None or layer not in self._viewer.layers or layer.data.dtype != data.dtype:
            return False
        layer.data = data
        # Those of a part give way to those of the whole.
        layer.scale, layer.translate = state["scale"], state["translate"]
        layer.metadata.update(state["metadata"])
        layer.visible = True
        self.layer = None
        if layer.name == self._named:
            layer.name = state["name"]
        self._viewer.layers.selection.active = layer
        return True

    def add_below(self, layer: Layer) -> None:
        """Add another layer under this one, on top where there is none."""
        layers = self._viewer.layers
        shown = self.layer is not None and self.layer in layers
        self._insert(layer, layers.index(self.layer) if shown else len(layers))

    def remove(self) -> None:
        """Take the layer away."""
        layer, self.layer = self.layer, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _insert(self, layer: Layer, index: int) -> None:
        # Whoever paints or adjusts another layer stays on it.
        chosen = self._viewer.layers.selection.active
        self._viewer.layers.insert(index, layer)
        if chosen is not None:
            self._viewer.layers.selection.active = chosen
