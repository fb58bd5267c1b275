"""Layers to arrays and back: planes, masks, regions, and where a result lies. No widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image, Labels, Shapes
from napari.utils.transforms import Affine
from numpy.typing import NDArray

from napari_dred.core.errors import InputError
from napari_dred.core.values import ValueRange
from napari_dred.io import enlarged
from napari_dred.text import plural
from napari_dred.volumes import Region

#: The key of everything this plugin writes into a layer's metadata.
METADATA_KEY = "napari-dred"

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
    """The plane of an image layer that is shown, and all it takes to put a result back.

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


def read_plane(layer: Image, viewer: ViewerModel) -> Plane:
    """Take the plane of an image layer that the viewer shows, at full resolution.

    Raises
    ------
    InputError
        In 3-D display, where the layer shows no plane, and for complex or boolean samples.
    """
    axes, index = _shown(layer, viewer)
    data = _full_resolution(layer)
    dtype = np.dtype(str(data.dtype)) if not isinstance(data.dtype, np.dtype) else data.dtype
    if dtype.kind not in "uif":
        kind = {"c": "complex", "b": "boolean"}.get(dtype.kind, str(dtype))
        raise InputError(
            f"the layer {layer.name!r} has {kind} samples; "
            "convert it to whole or floating-point numbers first"
        )
    image = np.array(data[_at(layer.ndim, axes, index)])
    alpha = None
    if layer.rgb and image.shape[-1] == 4:
        image, alpha = np.ascontiguousarray(image[..., :3]), image[..., 3].copy()
    state = layer.as_layer_data_tuple()[1]
    history = layer.metadata.get(METADATA_KEY)
    return Plane(
        image=image,
        alpha=alpha,
        axes=axes,
        index=tuple(0 if i is None else i for i in index),
        state={key: state[key] for key in _KEPT if key in state},
        name=layer.name,
        history=history if isinstance(history, dict) else None,
    )


def read_mask(labels: Labels, image: Image, viewer: ViewerModel) -> NDArray[np.bool_]:
    """Take the mask for the plane of the image that is shown: non-zero is missing.

    The mask is matched pixel by pixel. One with fewer axes than the image holds for all of its
    planes; on the axes that it shares with the image, the plane is the one of the image.

    Returns
    -------
    (H, W) bool array

    Raises
    ------
    InputError
        If the mask has another size.
    """
    place = check_mask(labels, image, viewer)
    return np.asarray(_full_resolution(labels)[place]).astype(bool)


def check_mask(labels: Labels, image: Image, viewer: ViewerModel) -> tuple[Any, ...]:
    """Find the plane that `read_mask` takes, without reading it.

    Returns
    -------
    tuple
        Its index in the mask's data.

    Raises
    ------
    InputError
        If the mask has another size.
    """
    axes, index = _shown(image, viewer)
    size = tuple(_shape(image)[axis] for axis in axes)
    extra = labels.ndim - image.ndim
    if extra > 0:  # the image has fewer axes: the mask's plane is the one that is shown
        mask_axes, mask_index = _shown(labels, viewer)
    else:
        mask_axes = (axes[0] + extra, axes[1] + extra)
        mask_index = tuple(index[-extra:])
    shape = _shape(labels)
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
                f"{image.name!r} shows plane {i}; they must have the same number of planes"
            )
    return _at(labels.ndim, mask_axes, mask_index)


def mask_statement(mask: NDArray[np.bool_], region: Region | None = None) -> str:
    """What a run will do to the pixels under the mask, in words."""
    part = mask if region is None else mask[region.clipped(*mask.shape).slices]
    count = int(np.count_nonzero(part))
    if count == 0:
        where = "" if region is None else " in the region"
        return f"The mask is empty{where}: paint over what is to be replaced, with any label."
    share = 100 * count / part.size
    percent = "less than 0.1 %" if share < 0.05 else f"{share:.1f} %"
    return f"{plural(count, 'pixel')} ({percent}) will be replaced."


def marks_any(plane: Plane, mask: NDArray[np.bool_] | None, region: Region | None) -> bool:
    """Whether there is any pixel to fill in: else none would be left to restore."""
    part = ... if region is None else region.slices
    return (mask is not None and bool(mask[part].any())) or not np.isfinite(plane.image[part]).all()


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

    Parameters
    ----------
    plane : Plane
    image : (H, W) or (H, W, 3) array
        Converted to the plane's dtype if it has another (whole numbers are rounded and clipped).
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
    if data.dtype != plane.image.dtype:  # a preview
        values = ValueRange(0, 1, plane.image.dtype)
        data = values.restore_dtype(image.astype(np.float64), plane.image.dtype)
    if plane.alpha is not None:
        alpha = plane.alpha if region is None else plane.alpha[region.slices]
        data = np.dstack([data, enlarged(alpha, scale)])
    others = tuple(axis for axis in range(len(plane.index)) if axis not in plane.axes)
    data = np.expand_dims(data, others)
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


def provenance(plane: Plane, region: Region | None, made: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into a result's metadata: how it was made, and of what."""
    source: dict[str, Any] = {"layer": plane.name}
    if len(plane.index) > 2:
        source["axes"] = list(plane.axes)
        source["plane"] = [None if axis in plane.axes else i for axis, i in enumerate(plane.index)]
    if region is not None:
        source["region"] = region.to_dict()
    if plane.history is not None:
        source["made_by"] = plane.history
    return {**made, "source": source}


def _shown(
    layer: Image | Labels, viewer: ViewerModel
) -> tuple[tuple[int, int], tuple[int | None, ...]]:
    """The layer's two displayed axes in their own order, and the plane on each other axis."""
    if viewer.dims.ndisplay == 3:
        raise InputError(
            "one plane is restored at a time, and the viewer is in 3-D display; "
            "go back to 2-D with the button below the layer list"
        )
    offset = viewer.dims.ndim - layer.ndim
    order = [axis - offset for axis in viewer.dims.order if axis >= offset]
    axes = tuple(sorted(order[-2:]))
    others = [axis for axis in range(layer.ndim) if axis not in axes]
    index: list[int | None] = [None] * layer.ndim
    if others:
        # As napari slices: what the displayed axes mix into the others is left out.
        origin = layer.world_to_data(np.zeros(layer.ndim))
        inverse = np.array([layer.world_to_data(e) - origin for e in np.eye(layer.ndim)]).T
        point = np.array(viewer.dims.point, float)[offset:] * unit_ratios(layer, viewer)
        place = inverse[np.ix_(others, others)] @ point[others] + origin[others]
        for axis, at in zip(others, np.round(place).astype(int), strict=True):
            if not 0 <= at < _shape(layer)[axis]:
                raise InputError(
                    f"the layer {layer.name!r} shows nothing at this position of the sliders; "
                    "move them to one of its planes"
                )
            index[axis] = int(at)
    return (axes[0], axes[1]), tuple(index)


def _region_of(world: NDArray[np.float64], layer: Image, viewer: ViewerModel, what: str) -> Region:
    """The rectangle of pixels whose centres lie in the bounding box of some world points."""
    axes, _ = _shown(layer, viewer)
    ratios = unit_ratios(layer, viewer)
    points = np.array([layer.world_to_data(p[-layer.ndim :] * ratios) for p in world])
    low, high = (extreme(points[:, list(axes)], axis=0) for extreme in (np.min, np.max))
    size = tuple(_shape(layer)[axis] for axis in axes)
    start = np.ceil(np.clip(low, 0, np.array(size))).astype(int)
    stop = np.floor(np.clip(high, -1, np.array(size) - 1)).astype(int) + 1
    if (stop <= start).any():
        raise InputError(f"{what} holds no pixel of the layer {layer.name!r}")
    return Region(int(start[0]), int(stop[0]), int(start[1]), int(stop[1]))


def unit_ratios(layer: Any, viewer: ViewerModel) -> NDArray[np.float64]:
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


def _full_resolution(layer: Image | Labels) -> Any:
    return layer.data[0] if layer.multiscale else layer.data


def _shape(layer: Image | Labels) -> tuple[int, ...]:
    """The layer's size on each of its axes (colour is not an axis), at full resolution."""
    return tuple(int(n) for n in _full_resolution(layer).shape[: layer.ndim])


def _at(ndim: int, axes: Sequence[int], index: Sequence[int | None]) -> tuple[Any, ...]:
    """The index of a plane in the layer's data."""
    return tuple(
        slice(None) if axis in axes else (i or 0)
        for axis, i in zip(range(ndim), index, strict=True)
    )


def times(size: Sequence[int]) -> str:
    """A size in words, such as '512 x 640'."""
    return " x ".join(map(str, size))
