"""Masks: which pixels of the shown plane a Labels or a Shapes layer marks. No widget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Shapes
from numpy.typing import NDArray
from skimage.draw import polygon

from napari_dred.core.errors import InputError
from napari_dred.core.masks import doubts_of_mask
from napari_dred.io import marked
from napari_dred.text import part, times
from napari_dred.viewer.sliders import (
    Sliders,
    full_resolution,
    index_of_plane,
    position,
    shown_plane,
    size_of,
    unit_ratios,
)
from napari_dred.volumes import Region

CORNERS = 64  # of the polygon that stands for an ellipse


def read_mask(
    layer: Labels | Shapes, image: Image, viewer: Sliders, label: int | None = None
) -> NDArray[np.bool_]:
    """Take the mask for the plane of the image that is shown.

    Labels are matched pixel by pixel: a non-zero one is missing. Those with fewer axes than the
    image hold for all of its planes; on the axes that they share with the image, the plane is the
    one of the image.

    Of shapes, those that are shown count, where they lie on the image: the pixels whose centres
    they hold, under a line or a path those that its width covers.

    Parameters
    ----------
    layer : Labels or Shapes
    image : Image
    viewer : napari viewer
    label : int, optional
        The only label that is missing, of a Labels layer; any if left out.

    Returns
    -------
    (H, W) bool array

    Raises
    ------
    InputError
        If labels have another size, shapes lie on other axes, or the label is 0.
    """
    return mask_reader(layer, image, viewer, label)()


def mask_reader(
    layer: Labels | Shapes, image: Image, viewer: Sliders, label: int | None = None
) -> Callable[[], NDArray[np.bool_]]:
    """Give a function that does what is slow of `read_mask`, and may be called in a thread.

    Raises
    ------
    InputError
        As `read_mask`.
    """
    if isinstance(layer, Shapes):
        outlines = list(_outlines_on(layer, image, viewer))
        size = _size(image, viewer)
        return lambda: _filled(outlines, size)
    labels = _labels_reader(layer, image, viewer, label)
    return lambda: marked(labels(), label)


def read_mask_and_labels(
    layer: Labels | Shapes, image: Image, viewer: Sliders, label: int | None = None
) -> tuple[NDArray[np.bool_], bool]:
    """Take the mask as `read_mask`, and tell from the same plane whether there are several labels.

    Returns
    -------
    (H, W) bool array
    bool
        Whether the plane has more than one label besides 0.

    Raises
    ------
    InputError
        As `read_mask`.
    """
    if isinstance(layer, Shapes):
        return read_mask(layer, image, viewer), False
    labels = _labels_reader(layer, image, viewer, label)()
    painted = marked(labels)
    # No copy of the labels, and no sorting: this is looked at after each stroke of the brush.
    first = labels.flat[painted.argmax()] if painted.size else 0
    others = labels != first
    others &= painted
    return painted if label is None else marked(labels, label), bool(others.any())


def check_mask(layer: Labels | Shapes, image: Image, viewer: Sliders) -> None:
    """Check that `read_mask` can take the layer for the image, without reading it.

    Raises
    ------
    InputError
        As `read_mask`.
    """
    if isinstance(layer, Shapes):
        _axes_on(layer, image, viewer)
    else:
        place_of_mask(layer, image, viewer)


def place_of_mask(labels: Labels, image: Image, viewer: Sliders) -> tuple[Any, ...]:
    """Find the plane of a Labels layer that `read_mask` takes.

    Returns
    -------
    tuple
        Its index in the layer's data.

    Raises
    ------
    InputError
        If the mask has another size.
    """
    axes, index = shown_plane(image, viewer)
    size = _size(image, viewer)
    extra = labels.ndim - image.ndim
    if extra > 0:  # the image has fewer axes: the mask's plane is the one that is shown
        mask_axes, mask_index = shown_plane(labels, viewer)
    else:
        mask_axes = (axes[0] + extra, axes[1] + extra)
        mask_index = tuple(index[-extra:])
    shape = size_of(labels)
    mask_size = tuple(shape[axis] if axis >= 0 else 0 for axis in mask_axes)
    if mask_size != size:
        raise InputError(
            f"the mask {labels.name!r} has {times(mask_size)} pixels and the image "
            f"{image.name!r} {times(size)}; they must have the same size"
        )
    mask_index = tuple(
        0 if i is not None and length == 1 else i
        for i, length in zip(mask_index, shape, strict=True)
    )
    for axis, (i, length) in enumerate(zip(mask_index, shape, strict=True)):
        if i is not None and i >= length:
            raise InputError(
                f"the mask {labels.name!r} has {length} planes on axis {axis}, and the image "
                f"{image.name!r} a plane {i}; they must have the same number of planes"
            )
    return index_of_plane(labels.ndim, mask_axes, mask_index)


def mask_statement(mask: NDArray[np.bool_], region: Region | None = None) -> str:
    """What a run will do to the pixels under the mask, in words."""
    if mask.all():
        return "The mask marks every pixel as missing: leave some of them unmarked."
    inside = mask if region is None else mask[region.clipped(*mask.shape).slices]
    count = int(np.count_nonzero(inside))
    if count == 0:
        where = "" if region is None else " in the region"
        return f"The mask is empty{where}: paint or draw over what is to be replaced."
    told = f"{part(count, inside.size, 'pixel')} will be replaced."
    return " ".join([told, *doubts_of_mask(count / inside.size)])


def _labels_reader(
    layer: Labels, image: Image, viewer: Sliders, label: int | None
) -> Callable[[], NDArray[Any]]:
    if label == 0:
        raise InputError("label 0 is what was not painted; choose another label")
    place = place_of_mask(layer, image, viewer)
    data = full_resolution(layer)
    return lambda: np.asarray(data[place])


def _axes_on(shapes: Shapes, image: Image, viewer: Sliders) -> tuple[list[int], list[int]]:
    """The two axes of the shapes that are displayed, and their other ones."""
    axes, _ = shown_plane(image, viewer)
    lacking = viewer.dims.ndim - shapes.ndim
    shown = [axis + viewer.dims.ndim - image.ndim - lacking for axis in axes]
    if min(shown) < 0:
        raise InputError(
            f"the shapes of {shapes.name!r} have {shapes.ndim} axes, the displayed ones not among "
            "them; draw them on the axes that are shown"
        )
    return shown, [axis for axis in range(shapes.ndim) if axis not in shown]


def _outlines_on(shapes: Shapes, image: Image, viewer: Sliders) -> Iterator[NDArray[np.float64]]:
    """Polygons that the shapes on the shown plane fill, (n, 2) in pixels of the image."""
    shown, others = _axes_on(shapes, image, viewer)
    axes, _ = shown_plane(image, viewer)
    here = position(shapes, viewer, others)

    def on_image(point: NDArray[np.float64]) -> NDArray[np.float64]:
        world = np.array(viewer.dims.point, float)
        world[-shapes.ndim :] = shapes.data_to_world(point) / unit_ratios(shapes, viewer)
        own = world[-image.ndim :] * unit_ratios(image, viewer)
        return np.asarray(image.world_to_data(own), float)[list(axes)]

    # All of these transforms are affine: so is what they make together.
    origin = np.zeros(shapes.ndim)
    origin[others] = here
    offset = on_image(origin)
    steps = np.eye(shapes.ndim)[shown]
    matrix = np.array([on_image(origin + step) - offset for step in steps])
    for vertices, kind, width in zip(
        shapes.data, shapes.shape_type, shapes.edge_width, strict=True
    ):
        points = np.asarray(vertices, float)
        if not (np.round(points[:, others]) == here).all():
            continue
        corners = points[:, shown]
        if kind in ("line", "path"):
            yield from (stroke @ matrix + offset for stroke in _strokes(corners, float(width)))
            yield from _strokes(corners @ matrix + offset, 1.0)  # however thin: no gaps
        else:
            yield (_ellipse(corners) if kind == "ellipse" else corners) @ matrix + offset


def _ellipse(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ellipse in a parallelogram of four corners."""
    turn = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)[:, None]
    along, across = (box[1] - box[0]) / 2, (box[3] - box[0]) / 2
    outline: NDArray[np.float64] = box.mean(axis=0) + np.cos(turn) * along + np.sin(turn) * across
    return outline


def _strokes(points: NDArray[np.float64], width: float) -> Iterator[NDArray[np.float64]]:
    """What a pen of that width covers on its way: a band for each step, a disc at each turn."""
    half = width / 2
    for start, end in zip(points[:-1], points[1:], strict=True):
        length = np.linalg.norm(end - start)
        if length > 0:
            aside = np.array([start[1] - end[1], end[0] - start[0]]) * half / length
            yield np.array([start + aside, end + aside, end - aside, start - aside])
    square = half * np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])
    yield from (_ellipse(turn + square) for turn in points[1:-1])


def _filled(outlines: Sequence[NDArray[np.float64]], size: tuple[int, int]) -> NDArray[np.bool_]:
    mask = np.zeros(size, bool)
    for outline in outlines:
        mask[polygon(outline[:, 0], outline[:, 1], size)] = True
    return mask


def _size(image: Image, viewer: Sliders) -> tuple[int, int]:
    """Height and width of the shown plane."""
    axes, _ = shown_plane(image, viewer)
    shape = size_of(image)
    return shape[axes[0]], shape[axes[1]]
