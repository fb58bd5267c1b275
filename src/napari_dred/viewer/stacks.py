"""Several planes of an open image: how they are read, and the array of what is made of them."""

from __future__ import annotations

import hashlib
import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer, Shapes
from numpy.typing import ArrayLike, NDArray

from napari_dred.core.control import Control
from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Result
from napari_dred.text import memory, plural
from napari_dred.viewer.layers import Plane, planes_reader, with_alpha
from napari_dred.viewer.masks import check_mask, read_mask
from napari_dred.viewer.sliders import Sliders, at_plane, axis_names, displayed_axes
from napari_dred.volumes import Record, Region, Solver
from napari_dred.volumes.planes import Index, PlaneDone, Planes, unrestored
from napari_dred.volumes.restore_planes import solve_planes

#: What the axis of the channels is called.
_CHANNEL = {"c", "ch", "channel", "channels"}


@dataclass(frozen=True)
class OpenStack:
    """The planes of a layer that are to be restored.

    Attributes
    ----------
    ranges : tuple of range
        On each axis of the layer; a single 0 on the rows and the columns.
    axes : (int, int)
        The layer's axes of the rows and the columns.
    mask : weak reference or None
        To the layer that marks what is missing.
    label : int or None
        The only label that is missing.
    drawn : str
        A digest of the mask's shapes; empty for labels, which are read with their plane.
    first : Plane
    planes : Planes
        Reads them, as it is their turn.
    read : callable
        Gives a plane as the layer has it, by its index.
    """

    ranges: tuple[range, ...]
    axes: tuple[int, int]
    mask: weakref.ref[Labels | Shapes] | None
    label: int | None
    drawn: str
    first: Plane = field(compare=False, repr=False)
    planes: Planes = field(compare=False, repr=False)
    read: Callable[[Index], Plane] = field(compare=False, repr=False)

    def __len__(self) -> int:
        return math.prod(map(len, self.ranges))

    def closed(self) -> OpenStack:
        """It without what reads the layers, which then may go."""

        def read(index: Index) -> Any:
            raise RuntimeError(f"plane {index} was asked for after the end of the run")

        return replace(self, planes=replace(self.planes, image=read, mask=None), read=read)

    def to_list(self) -> list[list[int] | None]:
        """First plane and the one after the last on each axis, JSON-able."""
        return [
            None if axis in self.axes else [r.start, r.stop] for axis, r in enumerate(self.ranges)
        ]

    def place(self, index: Index) -> tuple[Any, ...]:
        """Where a plane lies in the array of the results."""
        return tuple(
            slice(None) if axis in self.axes else i - r.start
            for axis, (i, r) in enumerate(zip(index, self.ranges, strict=True))
        )


def open_stack(
    image: Image,
    mask: Labels | Shapes | None,
    viewer: Sliders,
    ranges: Sequence[range | None],
    label: int | None = None,
) -> OpenStack:
    """Get ready to read planes of a layer, in a thread.

    Parameters
    ----------
    image : Image
    mask : Labels or Shapes or None
        Taken as for the plane that is shown, with the sliders at each plane in turn. Of shapes,
        those that there are now count; labels are read with their plane.
    viewer : napari viewer
    ranges : sequence of range or None
        On each axis of the layer that is not displayed.
    label : int, optional
        The only label that is missing.

    Raises
    ------
    InputError
        If the layers do not fit together.
    """
    axes = displayed_axes(image, viewer)
    known = tuple(range(1) if r is None else r for r in ranges)
    indices = tuple(product(*known))
    read = planes_reader(image, axes)
    marks: Callable[[Index], NDArray[np.bool_]] | None = None
    if mask is not None:
        for index in (indices[0], indices[-1]):
            check_mask(mask, image, at_plane(image, viewer, index))
        marks = _marks(mask, image, at_plane(image, viewer, indices[0]), label)
    channels = [n for n, name in enumerate(axis_names(image, viewer)) if name.lower() in _CHANNEL]
    first = read(indices[0])
    planes = Planes(
        indices,
        first.shape,
        image=lambda index: read(index).image,
        mask=marks,
        channel=channels[0] if channels and channels[0] not in axes else None,
    )
    layer = None if mask is None else weakref.ref(mask)
    drawn = ""
    if isinstance(mask, Shapes):
        vertices = [np.asarray(v, float).tobytes() for v in mask.data]
        drawn = hashlib.blake2b(b"".join([repr(mask.shape_type).encode(), *vertices])).hexdigest()
    return OpenStack(known, axes, layer, label, drawn, first, planes, read)


def _marks(
    mask: Labels | Shapes, image: Image, sliders: Sliders, label: int | None
) -> Callable[[Index], NDArray[np.bool_]]:
    """Give a function that reads the mask of a plane; the sliders are nobody else's."""
    if mask.ndim == 2:
        flat = read_mask(mask, image, sliders, label)
        return lambda _: flat
    layer: Any = Layer.create(*mask.as_layer_data_tuple()) if isinstance(mask, Shapes) else mask
    return lambda index: read_mask(layer, image, at_plane(image, sliders, index), label)


def solve_stack(
    stack: OpenStack,
    region: Region | None = None,
    *,
    psf: ArrayLike | None = None,
    parameters: Parameters | None = None,
    control: Control | None = None,
    solve: Solver,
) -> Iterator[Record]:
    """Restore the planes as `solve_planes` does, and put them together.

    Each `PlaneDone`, and the `Result`, has the array of all planes, which is filled as they come:
    until then a plane is there as it was, each of its pixels repeated where the result is larger.

    Raises
    ------
    InputError
        If there is no room for the array; and as `solve_planes` does.
    """
    p = parameters or Parameters()
    whole = _room_for_all(stack, p, region)
    looked_at = set[Index]()

    def image(index: Index) -> NDArray[Any]:
        plane = stack.read(index)
        if index not in looked_at:
            looked_at.add(index)
            whole[stack.place(index)] = _unrestored(plane, p, region)
        return plane.image

    planes = replace(stack.planes, image=image)
    options: Any = {"psf": psf, "parameters": p, "control": control, "solve": solve}
    for record in solve_planes(planes, region, **options):
        if isinstance(record, PlaneDone):
            assert record.image is not None
            here = whole[stack.place(record.index)]
            if stack.first.alpha is not None:  # which is there already
                here = here[..., :-1]
            here[...] = record.image
        if isinstance(record, PlaneDone | Result):
            yield replace(record, image=whole)
        else:
            yield record


def _unrestored(plane: Plane, p: Parameters, region: Region | None) -> NDArray[Any]:
    return with_alpha(plane, unrestored(plane.image, p, region), p.scale, region)


def _room_for_all(stack: OpenStack, p: Parameters, region: Region | None) -> NDArray[Any]:
    from napari_dred.core.devices import choose_device, free_memory  # brings torch

    plane = _unrestored(stack.first, p, region)
    shape = [len(r) for r in stack.ranges]
    for axis, length in zip(stack.axes, plane.shape, strict=False):
        shape[axis] = length
    needed, free = len(stack) * plane.nbytes, free_memory(choose_device("cpu"))
    if needed > free:
        raise InputError(
            f"the result of {plural(len(stack), 'plane')} needs {memory(needed)} and "
            f"{memory(free)} are free; choose fewer planes, or restore the file with "
            "`napari-dred restore`, which writes each plane as it is done"
        )
    return np.zeros((*shape, *plane.shape[2:]), plane.dtype)
