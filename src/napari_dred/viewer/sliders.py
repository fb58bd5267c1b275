"""Which plane of a layer the sliders show, and how a layer's axes meet the viewer's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray

from napari_dred.core.errors import InputError


class Position(Protocol):
    """What is read of napari's `Dims`: where the sliders are, and what is displayed."""

    @property
    def ndim(self) -> int:
        """Number of axes."""

    @property
    def ndisplay(self) -> int:
        """How many of them are displayed."""

    @property
    def order(self) -> tuple[int, ...]:
        """The axes, the displayed ones last."""

    @property
    def point(self) -> tuple[float, ...]:
        """Where the sliders are, in the world."""

    @property
    def units(self) -> tuple[Any, ...] | None:
        """The units of the axes."""

    @property
    def axis_labels(self) -> tuple[str, ...]:
        """Their names."""


class Sliders(Protocol):
    """A viewer, or what stands for one whose sliders are elsewhere."""

    @property
    def dims(self) -> Position:
        """Where the sliders are."""


def shown_plane(
    layer: Image | Labels, viewer: Sliders
) -> tuple[tuple[int, int], tuple[int | None, ...]]:
    """The layer's two displayed axes in their own order, and the plane on each other axis.

    Raises
    ------
    InputError
        In 3-D display, or where the layer shows nothing.
    """
    axes = displayed_axes(layer, viewer)
    others = [axis for axis in range(layer.ndim) if axis not in axes]
    index: list[int | None] = [None] * layer.ndim
    if others:
        for axis, at in zip(others, position(layer, viewer, others), strict=True):
            if not 0 <= at < size_of(layer)[axis]:
                raise InputError(
                    f"the layer {layer.name!r} shows nothing at this position of the sliders; "
                    "move them to one of its planes"
                )
            index[axis] = int(at)
    return axes, tuple(index)


def displayed_axes(layer: Layer, viewer: Sliders) -> tuple[int, int]:
    """The layer's two displayed axes in their own order.

    Raises
    ------
    InputError
        In 3-D display.
    """
    if viewer.dims.ndisplay == 3:
        raise InputError(
            "planes are restored, and the viewer is in 3-D display; "
            "go back to 2-D with the button below the layer list"
        )
    offset = viewer.dims.ndim - layer.ndim
    order = [axis - offset for axis in viewer.dims.order if axis >= offset]
    rows, columns = sorted(order[-2:])
    return rows, columns


def axis_names(layer: Layer, viewer: Sliders) -> tuple[str, ...]:
    """What the layer's axes are called: by itself, or else at the sliders.

    An axis without a name has its number, such as '-3', as in napari.
    """
    shown = viewer.dims.axis_labels[-layer.ndim :]
    return tuple(
        there if own.lstrip("-").isdigit() else own
        for own, there in zip(layer.axis_labels, shown, strict=True)
    )


def position(layer: Layer, viewer: Sliders, axes: Sequence[int]) -> NDArray[np.int_]:
    """Where the viewer's sliders stand on these axes of the layer, which are not displayed."""
    axes = list(axes)
    matrix, origin = _to_place(layer, axes)
    point = np.array(viewer.dims.point, float)[viewer.dims.ndim - layer.ndim :]
    point = point * unit_ratios(layer, viewer)
    place: NDArray[np.float64] = matrix @ point[axes] + origin
    return np.round(place).astype(int)


def at_plane(layer: Image, viewer: Sliders, index: Sequence[int]) -> Sliders:
    """What stands for the viewer with its sliders at that plane of the layer."""
    axes = displayed_axes(layer, viewer)
    others = [axis for axis in range(layer.ndim) if axis not in axes]
    matrix, origin = _to_place(layer, others)
    dims = viewer.dims
    point = np.array(dims.point, float)
    own = np.linalg.solve(matrix, np.array(index, float)[others] - origin)
    offset = dims.ndim - layer.ndim
    point[[axis + offset for axis in others]] = own / unit_ratios(layer, viewer)[others]
    # Not a copy of napari's own: that would tell the viewer's listeners when it is moved.
    return _Sliders(
        _Position(dims.ndim, dims.ndisplay, dims.order, tuple(point), dims.units, dims.axis_labels)
    )


@dataclass(frozen=True)
class _Position:
    ndim: int
    ndisplay: int
    order: tuple[int, ...]
    point: tuple[float, ...]
    units: tuple[Any, ...] | None
    axis_labels: tuple[str, ...]


@dataclass(frozen=True)
class _Sliders:
    dims: _Position


def _to_place(layer: Layer, axes: list[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The affine map from the world to the layer's samples on these axes, as napari slices.

    What the displayed axes mix into the others is left out.
    """
    origin = layer.world_to_data(np.zeros(layer.ndim))
    inverse = np.array([layer.world_to_data(e) - origin for e in np.eye(layer.ndim)]).T
    return inverse[np.ix_(axes, axes)], np.asarray(origin)[axes]


def unit_ratios(layer: Layer, viewer: Sliders) -> NDArray[np.float64]:
    """How many of the layer's units make one of the viewer's, on each axis of the layer."""
    units = viewer.dims.units
    if units is None or len(units) < layer.ndim:
        return np.ones(layer.ndim)
    return np.array(
        [
            (1 * shown).to(own).magnitude
            for shown, own in zip(units[-layer.ndim :], layer.units, strict=True)
        ],
        float,
    )


def full_resolution(layer: Image | Labels) -> Any:
    """The layer's data; of a pyramid, its finest level."""
    return layer.data[0] if layer.multiscale else layer.data


def size_of(layer: Image | Labels) -> tuple[int, ...]:
    """The layer's size on each of its axes (colour is not an axis), at full resolution."""
    return tuple(int(n) for n in full_resolution(layer).shape[: layer.ndim])


def index_of_plane(ndim: int, axes: Sequence[int], index: Sequence[int | None]) -> tuple[Any, ...]:
    """The index of a plane in the layer's data."""
    return tuple(
        slice(None) if axis in axes else (i or 0)
        for axis, i in zip(range(ndim), index, strict=True)
    )
