"""The fields that say which planes of a stack are restored."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from magicgui.widgets import ComboBox, FloatSpinBox
from napari.components import ViewerModel
from napari.layers import Image, Labels, Shapes

from napari_dred.core.errors import InputError
from napari_dred.viewer.sliders import (
    Sliders,
    at_plane,
    axis_names,
    displayed_axes,
    shown_plane,
    size_of,
)
from napari_dred.viewer.stacks import OpenStack, open_stack

SHOWN, ALL = "the one shown", "all"


class PlaneFields:
    """The plane that is shown, a range along one axis, or all of them.

    Parameters
    ----------
    viewer : napari viewer
    image : callable
        Gives the image layer; None if there is none.
    """

    def __init__(self, viewer: ViewerModel, image: Callable[[], Image | None]) -> None:
        self._viewer, self._image = viewer, image
        self.which = ComboBox(
            name="planes",
            label="Planes",
            choices=self._choices,
            tooltip="Which planes of the stack are restored, each by itself; the noise is measured "
            "once for all of them (where an axis is called channel: for each channel).",
        )
        self.first, self.last = (
            FloatSpinBox(
                name=f"{name}_plane",
                label=label,
                min=0,
                max=0,
                value=0,
                tooltip=f"The {name} plane, counted from 0 as at the slider.",
            )
            for name, label in (("first", "From"), ("last", "To"))
        )
        for box in (self.first, self.last):
            box.native.setDecimals(0)
        self.widgets: list[Any] = [self.which, self.first, self.last]
        self._seen: tuple[int, int] | None = None  # the axis of the range, and its length
        self._asked: Any = SHOWN
        self._offered: Sequence[tuple[str, Any]] = ()
        self.which.changed.connect(self._on_which)

    def open(
        self, image: Image, mask: Labels | Shapes | None, label: int | None
    ) -> OpenStack | None:
        """Get ready to read the planes; None for the plane that is shown alone.

        Raises
        ------
        InputError
            If the range is empty, no plane is shown, or the layers do not fit together.
        """
        self.refresh()
        ranges = self._ranges(image)
        return None if ranges is None else open_stack(image, mask, self._viewer, ranges, label)

    def look_at(self, image: Image) -> tuple[int, Sliders]:
        """How many planes are restored, and what stands for the viewer at the first of them.

        Raises
        ------
        InputError
            If the range is empty, or no plane is shown.
        """
        ranges = self._ranges(image)
        if ranges is None:
            return 1, self._viewer
        index = [0 if r is None else r.start for r in ranges]
        count = math.prod(len(r) for r in ranges if r is not None)
        return count, at_plane(image, self._viewer, index)

    def _ranges(self, image: Image) -> tuple[range | None, ...] | None:
        """The planes on each axis of the image, None on the displayed ones.

        Returns
        -------
        tuple or None
            None for the plane that is shown alone.

        Raises
        ------
        InputError
            If the range is empty, or no plane is shown.
        """
        which, sizes = self.which.value, size_of(image)
        if which == SHOWN or not self._stacked(image):
            return None
        if which == ALL:
            axes = displayed_axes(image, self._viewer)
            return tuple(None if axis in axes else range(n) for axis, n in enumerate(sizes))
        along = which + image.ndim
        first, last = int(self.first.value), int(self.last.value)
        if first > last:
            raise InputError(
                f"the planes from {first} to {last} are none; the first must not be after the last"
            )
        _, index = shown_plane(image, self._viewer)
        some = range(first, min(last + 1, sizes[along]))
        return tuple(
            None if at is None else some if axis == along else range(at, at + 1)
            for axis, at in enumerate(index)
        )

    def refresh(self) -> None:
        """Bring what depends on the image and the sliders up to date."""
        image = self._image()
        stacked = [] if image is None else self._stacked(image)
        before = self.which.value
        with self.which.changed.blocked():
            offered = self._choices()
            if offered != self._offered:
                self._offered = offered
                self.which.native.clear()  # else what is new would come last
                self.which.reset_choices()
            # What was asked for is so again once there is a stack again.
            self.which.value = self._asked if self._asked in self.which.choices else SHOWN
        if self.which.value != before:
            asked = self._asked
            self.which.changed.emit(self.which.value)
            self._asked = asked
        axis = self.which.value
        along = image is not None and axis in stacked
        if image is not None and along and self._seen != (axis, size_of(image)[axis]):
            self._seen = axis, size_of(image)[axis]
            for box, value in ((self.first, 0), (self.last, self._seen[1] - 1)):
                box.max = self._seen[1] - 1
                box.value = value
        self.which.visible = bool(stacked)
        self.first.visible = self.last.visible = along

    def _choices(self, _: Any = None) -> Sequence[tuple[str, Any]]:
        image = self._image()
        if image is None:
            return [(SHOWN, SHOWN)]
        stacked, names = self._stacked(image), axis_names(image, self._viewer)
        some = [(f"a range along {_spoken(names[axis])}", axis) for axis in stacked]
        return [(SHOWN, SHOWN), *some, *([(ALL, ALL)] if stacked else [])]

    def _stacked(self, image: Image) -> list[int]:
        """The axes of the image along which there is more than one plane, counted from the last."""
        dims = self._viewer.dims
        offset, sizes = dims.ndim - image.ndim, size_of(image)
        shown = {axis - offset for axis in dims.displayed}
        stacked = [axis for axis, n in enumerate(sizes) if axis not in shown and n > 1]
        return [axis - image.ndim for axis in stacked]

    def _on_which(self, which: Any) -> None:
        self._asked = which


def _spoken(label: str) -> str:
    """An axis by its name; napari calls one without a name by its number, such as '-3'."""
    return f"axis {label}" if label.lstrip("-").isdigit() else label
