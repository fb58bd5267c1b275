"""Missing pixels found by their value, and the widget that makes a Labels layer of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from magicgui.widgets import ComboBox, Container, PushButton
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils.notifications import notification_manager
from numpy.typing import NDArray

from napari_dred.core.errors import InputError
from napari_dred.text import part, sentence
from napari_dred.viewer.compare.latest import Latest
from napari_dred.viewer.fields import alive, line
from napari_dred.viewer.layers import Plane, plane_reader
from napari_dred.viewer.sliders import size_of

ZERO, SATURATED, NOT_FINITE = "zero", "saturated", "NaN or infinite"
#: What a mask's layer takes over from its image's.
_PLACE = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")


def find_missing(image: NDArray[Any], what: str) -> tuple[NDArray[np.bool_], str]:
    """Find the pixels whose value says that nothing was measured there.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
    what : 'zero', 'saturated' or 'NaN or infinite'
        A colour pixel is zero if all of its channels are, the others if one is. Saturated is
        what has the highest value that the dtype can hold, or the image's highest if so many
        pixels have exactly that one that they must have been cut off there.

    Returns
    -------
    mask : (H, W) bool array
    statement : str
        How many there are, in words.
    """
    samples = image if image.ndim == 3 else image[..., None]
    value = ""
    if what == ZERO:
        mask = (samples == 0).all(axis=-1)
    elif what == NOT_FINITE:
        mask = ~np.isfinite(samples).all(axis=-1)
    else:
        limit = _upper_limit(samples)
        mask = (samples >= limit).any(axis=-1) & np.isfinite(samples).all(axis=-1)
        value = f" (at {limit:,g})"
    count = int(np.count_nonzero(mask))
    if count == 0:
        return mask, f"No pixel is {what}."
    verb = "is" if count == 1 else "are"
    return mask, f"{part(count, mask.size, 'pixel')} {verb} {what}{value}."


def _upper_limit(samples: NDArray[Any]) -> float:
    """The value at which samples were cut off; infinite if none seems to be."""
    from napari_dred.core.noise import find_limits  # brings scikit-image's restoration

    finite = np.isfinite(samples)
    high = find_limits(samples, finite)[1] if finite.any() else np.inf
    if np.isinf(high) and samples.dtype.kind in "ui":
        return float(np.iinfo(samples.dtype).max)
    return high


class FindMissing(Container[Any]):
    """Finds missing pixels of the shown plane and adds one Labels layer over the image.

    The layer is as large as the image, so that it marks nothing on another plane of a stack.

    Parameters
    ----------
    viewer : napari viewer
    image : callable
        Gives the image layer to look at; None if there is none.
    found : callable
        Takes the new layer.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        image: Callable[[], Image | None],
        found: Callable[[Labels], None],
    ) -> None:
        super().__init__(labels=False)
        self._viewer, self._image, self._found = viewer, image, found
        self._latest = Latest()
        self.what = ComboBox(
            choices=(ZERO, SATURATED, NOT_FINITE),
            tooltip="The value that stands for nothing measured.",
        )
        self.button = PushButton(
            text="Find", tooltip="Mark the pixels of this value in a new Labels layer."
        )
        self.status = line()
        row: Container[Any] = Container(
            widgets=[self.what, self.button], layout="horizontal", labels=False
        )
        for box in (row, self):
            box.margins = (0, 0, 0, 0)
        self.extend([row, self.status])
        self.button.clicked.connect(self.find)

    def find(self) -> None:
        """Look for what is chosen; a thread reads the image, which may be a file."""
        layer = self._image()
        try:
            if layer is None:
                raise InputError("there is no image layer; open an image first")
            read = plane_reader(layer, self._viewer)
        except InputError as e:
            self.status.value = sentence(str(e))
            return
        what, shape = self.what.value, size_of(layer)

        def work() -> tuple[Plane, NDArray[np.uint8] | None, str]:
            plane = read()
            mask, statement = find_missing(plane.image, what)
            return plane, _labels(plane, mask, shape) if mask.any() else None, statement

        self.button.enabled = False
        self.status.value = "Looking…"
        self._latest.run(work, partial(self._on_found, layer, what), self._on_failed)

    def close_down(self) -> None:
        """Hear nothing of a search that is under way."""
        self._latest.forget()
        self._end("")

    def _on_found(
        self, layer: Image, what: str, result: tuple[Plane, NDArray[np.uint8] | None, str]
    ) -> None:
        plane, labels, statement = result
        if not alive(self.native):
            return
        if layer not in self._viewer.layers:
            self._end("The image is gone.")
            return
        self._end(statement)
        if labels is not None:
            place = {key: plane.state[key] for key in _PLACE if key in plane.state}
            found = self._viewer.add_labels(labels, name=f"{plane.name}: {what}", **place)
            if layer is self._image():  # else the panel has turned to another image
                self._found(found)

    def _on_failed(self, error: Exception) -> None:
        if not alive(self.native):
            return
        if isinstance(error, MemoryError):
            self._end("There is not enough memory for a mask of this size; crop the stack first.")
        elif isinstance(error, OSError):
            self._end(f"The image could not be read: {sentence(str(error))}")
        else:
            self._end(f"Internal error: {error}")
            notification_manager.receive_error(type(error), error, error.__traceback__)

    def _end(self, status: str) -> None:
        if alive(self.native):
            self.button.enabled = True
            self.status.value = status


def _labels(plane: Plane, mask: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Labels of the image's size, 1 where the plane's mask is."""
    labels = np.zeros(shape, np.uint8)
    labels[tuple(slice(None) if a in plane.axes else i for a, i in enumerate(plane.index))] = mask
    return labels
