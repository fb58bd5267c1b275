"""What image layers hold along a line: where it lies, its length, its samples; no widget."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Shapes
from numpy.typing import NDArray

from napari_dred.core.errors import InputError
from napari_dred.viewer.layers import Plane
from napari_dred.viewer.sliders import unit_ratios


def line_of(shapes: Shapes, viewer: ViewerModel) -> NDArray[np.float64]:
    """Give the ends of the selected line, or of the first one if none is selected.

    Returns
    -------
    (2, D) array
        In the viewer's coordinates; on the axes that are not shown, where the sliders are.

    Raises
    ------
    InputError
        If the layer has no line.
    """
    lines = [i for i, kind in enumerate(shapes.shape_type) if kind == "line"]
    if not lines:
        raise InputError(f"the layer {shapes.name!r} has no line; draw one across the image")
    chosen = [i for i in lines if i in shapes.selected_data] or lines
    vertices = np.asarray(shapes.data[chosen[0]], float)
    placed = np.array([shapes.data_to_world(vertex) for vertex in vertices])
    ends = np.tile(np.array(viewer.dims.point, float), (2, 1))
    drawn = ends.copy()
    drawn[:, -shapes.ndim :] = placed / unit_ratios(shapes, viewer)
    shown = list(viewer.dims.displayed)
    ends[:, shown] = drawn[:, shown]
    return ends


def length_of(
    line: NDArray[np.float64], layer: Image, plane: Plane, viewer: ViewerModel
) -> tuple[float, str]:
    """Give the length of a line in the unit of a layer, and that unit.

    In pixels of the layer ('px') if its rows and columns have different units.
    """
    axes = list(plane.axes)
    unit, other = (layer.units[axis] for axis in axes)
    if unit != other:
        ends = _in_pixels(line, layer, plane, viewer)
        return float(np.hypot(*(ends[1] - ends[0]))), "px"
    span = (line[1] - line[0])[-layer.ndim :] * unit_ratios(layer, viewer)
    return float(np.hypot(*span[axes])), "px" if str(unit) == "pixel" else f"{unit:~P}"


def values_along(
    line: NDArray[np.float64], layer: Image, plane: Plane, viewer: ViewerModel
) -> NDArray[np.float64]:
    """Sample a plane along a line, in steps of at most one of its pixels.

    Parameters
    ----------
    line : (2, D) array
        As `line_of` gives it.
    layer : Image
        The layer of the plane, for its transform.
    plane : Plane
    viewer : napari viewer

    Returns
    -------
    (n,) array
        Evenly spaced from end to end, interpolated linearly; NaN beside the image. Of
        colour the luma, in the plane's own sample values: two curves are to be compared, and
        six cannot be told apart.

    Raises
    ------
    InputError
        If the line lies beside the image.
    """
    from skimage.color import rgb2gray
    from skimage.measure import profile_line

    ends = _in_pixels(line, layer, plane, viewer)
    size = np.array(plane.shape)
    low = np.clip(np.floor(ends.min(axis=0)) - 1, 0, size).astype(int)
    high = np.clip(np.ceil(ends.max(axis=0)) + 2, 0, size).astype(int)
    # scikit-image samples in the image's dtype: only what is needed is converted.
    part = plane.image[low[0] : high[0], low[1] : high[1]].astype(np.float64)
    if part.size:
        start, end = ends - low
        values: Any = profile_line(part, start, end, order=1, mode="nearest")
        gray: NDArray[np.float64] = rgb2gray(values) if values.ndim == 2 else values
        places = np.linspace(ends[0], ends[1], len(gray))
        # Pixels reach half of their size beyond their centres.
        gray[((places < -0.5) | (places > size - 0.5)).any(axis=1)] = np.nan
        if np.isfinite(gray).any():
            return gray
    raise InputError(f"the line lies beside the layer {plane.name!r}; draw it across the image")


def _in_pixels(
    line: NDArray[np.float64], layer: Image, plane: Plane, viewer: ViewerModel
) -> NDArray[np.float64]:
    """Rows and columns of the ends, (2, 2), in the layer's pixels."""
    ratios = unit_ratios(layer, viewer)
    ends = np.array([layer.world_to_data(end[-layer.ndim :] * ratios) for end in line])
    rows_and_columns: NDArray[np.float64] = ends[:, list(plane.axes)]
    return rows_and_columns
