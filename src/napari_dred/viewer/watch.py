"""Following the edits of a layer that may be exchanged for another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Image, Labels, Layer, Shapes


def edits_of(layer: Image | Labels | Shapes) -> list[Any]:
    """The events that tell of another content."""
    events = layer.events
    if isinstance(layer, Shapes):
        return [events.data, events.set_data, events.edge_width]
    # A pyramid, which cannot be painted on, sends set_data whenever another part is shown.
    if layer.multiscale:
        return [events.data]
    edits = [events.set_data, events.data]
    return [events.paint, *edits] if isinstance(layer, Labels) else edits


class Watch:
    """Calls a function when the layer that is followed is edited.

    Parameters
    ----------
    edited : callable
        A bound method, which takes an event.
    """

    def __init__(self, edited: Callable[[Any], None]) -> None:
        self._edited = edited
        self._layer: Layer | None = None

    def follow(self, layer: Layer | None) -> None:
        """Follow this layer, and no longer the one before."""
        if layer is self._layer:
            return
        if self._layer is not None:
            for event in edits_of(self._layer):
                event.disconnect(self._edited)
        self._layer = layer
        if layer is not None:
            for event in edits_of(layer):
                event.connect(self._edited)
