"""Layers to arrays and back: planes, regions, and where a result lies. No widget, no mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Shapes
from napari.utils.transforms import Affine
from numpy.typing import NDArray

from napari_dred.core.errors import InputError
from napari_dred.io import enlarged
from napari_dred.viewer.sliders import (
    Sliders,
    displayed_axes,
    full_resolution,
    index_of_plane,
    shown_plane,
    size_of,
    unit_ratios,
)
from napari_dred.volumes import Region

#: The key of everything this plugin writes into a layer's metadata.
METADATA_KEY = "napari-dred"
#: The key that marks a layer as part of a view of this plugin: nobody's input.
HELPER_KEY = "napari-dred-helper"

# What a result takes over from its input. Not `blending` and `opacity`: it lies over the
# input and is to be seen, not added to it.
_KEPT = (
    *("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels"),
    *("colormap", "contrast_limits", "gamma", "interpolation2d", "interpolation3d"),
    *("custom_interpolation_kernel_2d", "projection_mode", "rgb"),
    *("rendering", "depiction", "attenuation", "iso_threshold"),
)


@dataclass(frozen=True)
class Plane:
    """A plane of an image layer, and all it takes to put a result back.

    Attributes
    ----------
    image : (H, W) or (H, W, 3) array
        A copy, so that the layer may change or go.
    alpha : (H, W) array or None
        The layer's alpha channel.
    axes : tuple of two int
        The layer's axes of the rows and the columns.
    index : tuple of int
        The plane's place on each of the layer's axes; 0 on `axes`.
    state : dict
        The layer's transform and display settings, as its constructor takes them.
    name : str
        The layer's name at the time.
    history : dict or None
        What this plugin had written about the layer, if it made it.
    """

    image: NDArray[Any] = field(repr=False)
    alpha: NDArray[Any] | None = field(repr=False)
    axes: tuple[int, int]
    index: tuple[int, ...]
    state: dict[str, Any] = field(repr=False)
    name: str
    history: dict[str, Any] | None = field(repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.image.shape[:2]
        return height, width


def read_plane(layer: Image, viewer: Sliders) -> Plane:
    """Take the plane of an image layer that the viewer shows, at full resolution.

    Raises
    ------
    InputError
        In 3-D display, where the layer shows no plane, and for complex or boolean samples.
    """
    return plane_reader(layer, viewer)()


def plane_reader(layer: Image, viewer: Sliders) -> Callable[[], Plane]:
    """Give a function that does what is slow of `read_plane`, and may be called in a thread.

    Raises
    ------
    InputError
        As `read_plane`.
    """
    axes, index = shown_plane(layer, viewer)
    read = planes_reader(layer, axes)
    return partial(read, tuple(0 if i is None else i for i in index))


def planes_reader(layer: Image, axes: tuple[int, int]) -> Callable[[tuple[int, ...]], Plane]:
    """Give a function that reads a plane by its index, and may be called in a thread.

    Parameters
    ----------
    layer : Image
    axes : (int, int)
        The layer's axes of the rows and the columns.

    Raises
    ------
    InputError
        For complex or boolean samples.
    """
    data = full_resolution(layer)
    dtype = np.dtype(str(data.dtype)) if not isinstance(data.dtype, np.dtype) else data.dtype
    if dtype.kind not in "uif":
        kind = {"c": "complex", "b": "boolean"}.get(dtype.kind, str(dtype))
        raise InputError(
            f"the layer {layer.name!r} has {kind} samples; "
            "convert it to whole or floating-point numbers first"
        )
    state = layer.as_layer_data_tuple()[1]
    kept = {key: state[key] for key in _KEPT if key in state}
    name, rgb, history = layer.name, layer.rgb, layer.metadata.get(METADATA_KEY)

    def read(index: tuple[int, ...]) -> Plane:
        image, alpha = np.array(data[index_of_plane(len(index), axes, index)]), None
        if rgb and image.shape[-1] == 4:
            image, alpha = np.ascontiguousarray(image[..., :3]), image[..., 3].copy()
        return Plane(
            image=image,
            alpha=alpha,
            axes=axes,
            index=index,
            state=kept,
            name=name,
            history=history if isinstance(history, dict) else None,
        )

    return read


def visible_region(layer: Image, viewer: ViewerModel) -> Region:
    """Give the rectangle of the layer's pixels that the canvas shows.

    Raises
    ------
    InputError
        If the canvas shows no pixel of it.
    """
    axes = viewer.dims.displayed
    camera = viewer.scene.camera
    half = np.array(viewer.canvas.size, float) / 2 / camera.zoom
    centre = np.array(camera.center[-2:], float)
    corners = np.tile(np.array(viewer.dims.point, float), (4, 1))
    signs = np.array([(-1, -1), (-1, 1), (1, -1), (1, 1)])
    corners[:, axes] = centre + signs * half
    return _region_of(corners, layer, viewer, "the visible part of the canvas")


def shapes_region(shapes: Shapes, layer: Image, viewer: ViewerModel) -> Region:
    """Give the rectangle around the selected shapes (around all of them if none is selected).

    Raises
    ------
    InputError
        If there is no shape or none of the layer's pixels in it.
    """
    chosen = sorted(shapes.selected_data) or range(len(shapes.data))
    if not chosen:
        raise InputError(f"the layer {shapes.name!r} has no shape; draw a rectangle on it")
    vertices = np.concatenate([np.asarray(shapes.data[i], float) for i in chosen])
    world = np.tile(np.array(viewer.dims.point, float), (len(vertices), 1))
    ratios = unit_ratios(shapes, viewer)
    placed = np.array([shapes.data_to_world(vertex) for vertex in vertices])
    world[:, -shapes.ndim :] = placed / ratios
    return _region_of(world, layer, viewer, f"the rectangle on {shapes.name!r}")


def result_layer(
    plane: Plane,
    image: NDArray[Any],
    *,
    name: str,
    scale: int = 1,
    region: Region | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> tuple[NDArray[Any], dict[str, Any], str]:
    """Make a layer that lies exactly over the plane it came from.

    The plane of a stack gives a slab with one plane, (1, ..., H, W), at that plane's place:
    the stack's sliders stay as they are, and it shows where its input does and nowhere else.
    Of several planes, the slab begins at the plane that is given.

    Parameters
    ----------
    plane : Plane
    image : (H, W) or (H, W, 3) array, or one with all axes of the layer, alpha included
        In the sample values of the plane, of its dtype or floating-point.
    name : str
    scale : int
        Pixels of `image` to one of the plane, on both axes.
    region : Region, optional
        The part of the plane that `image` shows; all of it if left out.
    metadata : mapping, optional
        JSON-able; goes under 'napari-dred'.

    Returns
    -------
    tuple of array, dict and 'image'
        As napari's `LayerDataTuple`.
    """
    data = image
    if image.ndim == plane.image.ndim:
        others = tuple(axis for axis in range(len(plane.index)) if axis not in plane.axes)
        data = np.expand_dims(with_alpha(plane, image, scale, region), others)
    # The centre of the first pixel, in the data coordinates of the input layer.
    first = np.array(plane.index, float)
    origin = (0, 0) if region is None else (region.top, region.left)
    first[list(plane.axes)] = np.array(origin) + (1 - scale) / (2 * scale)
    state = dict(plane.state)
    # Without the layer's extra `affine`, which the new layer has as well.
    own = Affine(**{key: state[key] for key in ("scale", "translate", "rotate", "shear")})
    state["translate"] = own(first)
    steps = np.array(state["scale"], float)
    steps[list(plane.axes)] /= scale
    state["scale"] = steps
    state["metadata"] = {} if metadata is None else {METADATA_KEY: dict(metadata)}
    return data, {**state, "name": name}, "image"


def with_alpha(
    plane: Plane, image: NDArray[Any], scale: int, region: Region | None
) -> NDArray[Any]:
    """Give an image that was made of a plane, or of a part of it, the plane's alpha."""
    if plane.alpha is None:
        return image
    pasted = scale == 1 and image.shape[:2] == plane.shape  # the part into the whole
    alpha = plane.alpha if region is None or pasted else plane.alpha[region.slices]
    if image.dtype.kind == "f" and alpha.dtype.kind in "ui":
        # The contrast limits, which are the plane's, hold for the colours alone.
        alpha = alpha / np.iinfo(alpha.dtype).max
    return np.dstack([image, enlarged(alpha.astype(image.dtype), scale)])


def provenance(
    plane: Plane,
    region: Region | None,
    made: Mapping[str, Any],
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What goes into a result's metadata: how it was made, and of what.

    `more` is what else is known of what it was made of.
    """
    source: dict[str, Any] = {"layer": plane.name, **(more or {})}
    if len(plane.index) > 2:
        source["axes"] = list(plane.axes)
        source["plane"] = [None if axis in plane.axes else i for axis, i in enumerate(plane.index)]
    if region is not None:
        source["region"] = region.to_dict()
    if plane.history is not None:
        source["made_by"] = plane.history
    return {**made, "source": source}


def _region_of(world: NDArray[np.float64], layer: Image, viewer: ViewerModel, what: str) -> Region:
    """The rectangle of pixels whose centres lie in the bounding box of some world points."""
    axes = displayed_axes(layer, viewer)
    ratios = unit_ratios(layer, viewer)
    points = np.array([layer.world_to_data(p[-layer.ndim :] * ratios) for p in world])
    low, high = (extreme(points[:, list(axes)], axis=0) for extreme in (np.min, np.max))
    size = tuple(size_of(layer)[axis] for axis in axes)
    start = np.ceil(np.clip(low, 0, np.array(size))).astype(int)
    stop = np.floor(np.clip(high, -1, np.array(size) - 1)).astype(int) + 1
    if (stop <= start).any():
        raise InputError(f"{what} holds no pixel of the layer {layer.name!r}")
    return Region(int(start[0]), int(stop[0]), int(start[1]), int(stop[1]))
