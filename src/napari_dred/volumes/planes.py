"""An open stack of planes, and the records of its run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Result, Step
from napari_dred.volumes.regions import Region

Index = tuple[int, ...]


@dataclass(frozen=True)
class Planes:
    """A stack, of which a plane is read when it is its turn.

    Attributes
    ----------
    indices : tuple of tuple of int
        Every plane's place in the stack.
    shape : (int, int)
        Height and width of each.
    image : callable
        Gives a plane by its index, (H, W) or (H, W, 3).
    mask : callable or None
        Gives the plane of the mask, (H, W) bool.
    channel : int or None
        Which number of an index is the channel: each has its own noise and intensity scale.
    """

    indices: tuple[Index, ...]
    shape: tuple[int, int]
    image: Callable[[Index], NDArray[Any]] = field(repr=False)
    mask: Callable[[Index], NDArray[np.bool_]] | None = field(default=None, repr=False)
    channel: int | None = None

    def channel_of(self, index: Index) -> int:
        """The plane's channel, 0 where there is no such axis."""
        return 0 if self.channel is None else index[self.channel]

    def read(self, index: Index) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        """A plane and its mask.

        Raises
        ------
        RestorationError
            If they cannot be read: a file is gone, say.
        """
        try:
            return self.image(index), None if self.mask is None else self.mask(index)
        except (InputError, MemoryError):
            raise
        except Exception as e:
            raise RestorationError(f"it could not be read: {e}") from e


@dataclass(frozen=True)
class PlaneStep(Step):
    """A step of a stack's run: `iteration` and `total` count those of all planes.

    Attributes
    ----------
    plane, planes : int
        Which one is at work, from 1, and how many there are.
    looking : bool
        Whether it is only looked at; `iteration` and `total` then count planes.
    """

    plane: int = 0
    planes: int = 0
    looking: bool = False

    @property
    def of_plane(self) -> tuple[int, int]:
        """The iteration and the number of them, counted within the plane."""
        each = self.total // self.planes
        return self.iteration - (self.plane - 1) * each, each


@dataclass(frozen=True)
class PlaneDone(PlaneStep):
    """The end of a plane, whose `image` is its result.

    Attributes
    ----------
    index : tuple of int
    """

    index: Index = ()


@dataclass(frozen=True)
class PlanesResult(Result):
    """The end of a stack's run; its `steps` are those of the last plane.

    Attributes
    ----------
    done : int
        How many planes are restored.
    channels : tuple of dict
        What was measured of each channel, JSON-able.
    """

    done: int = 0
    channels: tuple[dict[str, Any], ...] = ()

    def provenance(self) -> dict[str, Any]:
        """As of an image, `iterations` being those of a plane, with each channel's noise."""
        return {**super().provenance(), "planes": self.done, "channels": list(self.channels)}


def unrestored(image: NDArray[Any], p: Parameters, region: Region | None) -> NDArray[Any]:
    """A plane, or a part of it, as it was, in the size and dtype of its result."""
    part = image if region is None or p.scale == 1 else image[region.slices]
    dtype = image.dtype if p.output_dtype == "same" else np.dtype(p.output_dtype)
    return part.astype(dtype).repeat(p.scale, axis=0).repeat(p.scale, axis=1)
