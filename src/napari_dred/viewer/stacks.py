"""Several planes of an open image: how they are read, and the array of what is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Shapes
from numpy.typing import ArrayLike, NDArray

from napari_dred.core.control import Control
from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Result
from napari_dred.text import memory, plural
from napari_dred.viewer.layers import Plane, planes_reader, with_alpha
from napari_dred.viewer.masks import mask_reader
from napari_dred.viewer.sliders import Sliders, at_plane, shown_plane
from napari_dred.volumes import Record, Region, Solver
from napari_dred.volumes.planes import Index, PlaneDone, Planes, solve_planes

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
    planes : Planes
        Reads them, as it is their turn.
    read : callable
        Gives a plane as the layer has it, by its index.
    """

    ranges: tuple[range, ...]
    axes: tuple[int, int]
    planes: Planes = field(compare=False, repr=False)
    read: Callable[[Index], Plane] = field(compare=False, repr=False)

    def __len__(self) -> int:
        return math.prod(map(len, self.ranges))

    @property
    def first(self) -> Plane:
        """The first plane, read now."""
        return self.read(self.planes.indices[0])

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
    """Get ready to read planes of a layer.

    Parameters
    ----------
    image : Image
    mask : Labels or Shapes or None
        Taken as for the plane that is shown, with the sliders at each plane in turn.
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
    axes, _ = shown_plane(image, viewer)
    known = tuple(range(1) if r is None else r for r in ranges)
    indices = tuple(product(*known))
    read = planes_reader(image, axes)
    masks: dict[Index, Callable[[], NDArray[np.bool_]]] = {}
    if mask is not None and mask.ndim == 2:
        masks = dict.fromkeys(indices, mask_reader(mask, image, viewer, label))
    elif mask is not None:
        for index in indices:
            masks[index] = mask_reader(mask, image, at_plane(image, viewer, index), label)
    channels = [n for n, name in enumerate(image.axis_labels) if name.casefold() in _CHANNEL]
    planes = Planes(
        indices,
        read(indices[0]).shape,
        image=lambda index: read(index).image,
        mask=(lambda index: masks[index]()) if masks else None,
        channel=channels[0] if channels and channels[0] not in axes else None,
    )
    return OpenStack(known, axes, planes, read)


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
    until then a plane is there as it was, or black where the result is larger.
    """
    p = parameters or Parameters()
    whole: NDArray[Any] | None = None
    for record in solve_planes(
        stack.planes, region, psf=psf, parameters=p, control=control, solve=solve
    ):
        if isinstance(record, PlaneDone):
            assert record.image is not None
            plane = stack.read(record.index)
            made = with_alpha(plane, record.image, p.scale, region)
            if whole is None:
                whole = _room_for_all(stack, made)
                if p.scale == 1:
                    for index in stack.planes.indices[1:]:
                        other = stack.read(index)
                        whole[stack.place(index)] = with_alpha(
                            other, other.image.astype(record.image.dtype), 1, None
                        )
            whole[stack.place(record.index)] = made
            yield replace(record, image=whole)
        elif isinstance(record, Result):
            assert whole is not None
            yield replace(record, image=whole)
        else:
            yield record


def _room_for_all(stack: OpenStack, plane: NDArray[Any]) -> NDArray[Any]:
    from napari_dred.core.devices import choose_device, free_memory  # brings torch

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
