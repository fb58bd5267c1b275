"""Layers of signed values to look at: the difference of two planes and the residual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray

from napari_dred.core.errors import InputError
from napari_dred.residual import parameters_of, residual
from napari_dred.text import plural
from napari_dred.viewer.layers import Plane, result_layer
from napari_dred.volumes import Region

# The share of the values that the colours tell apart.
_SHOWN = 0.998
_SIDES = ("top", "bottom", "left", "right")


@dataclass(frozen=True)
class Signed:
    """Values around zero, to become a layer.

    Attributes
    ----------
    name : str
        Of the layer.
    plane : Plane
        Where the layer is to lie.
    values : (H, W) or (H, W, 3) float32 array
        NaN where there is none.
    region : Region or None
        The part of the plane that they cover; None for all of it.
    note : str
        What the user should know about them; usually empty.
    """

    name: str
    plane: Plane
    values: NDArray[np.float32] = field(repr=False)
    region: Region | None = None
    note: str = ""


def difference_work(before: Plane, after: Plane) -> Callable[[], Signed]:
    """Give the function that subtracts two planes; it may run in any thread.

    Raises
    ------
    InputError
        If they have not the same size and channels.
    """
    if before.image.shape != after.image.shape:
        raise InputError(
            f"the layer {before.name!r} has the shape {before.image.shape} and "
            f"{after.name!r} {after.image.shape}; only images of the same size and "
            "channels have a difference"
        )

    def work() -> Signed:
        difference = after.image.astype(np.float64) - before.image
        return Signed(f"{after.name} − {before.name}", before, difference.astype(np.float32))

    return work


def residual_work(
    observed: Plane,
    restored: Plane,
    lost: NDArray[np.bool_] | None,
    psf: NDArray[Any] | None = None,
) -> Callable[[], Signed]:
    """Give the function that computes the residual; it may run in any thread.

    Parameters
    ----------
    observed : Plane
        What was restored.
    restored : Plane
        The result, with its history.
    lost : (H, W) array, optional
        True where a pixel of `observed` was missing.
    psf : (k, l) array, optional
        The measured PSF, if the run had one.

    Raises
    ------
    InputError
        If the result's history does not tell how it was made. The function itself raises
        one if the sizes do not fit.
    """
    parameters = parameters_of(restored.history, psf)
    try:
        told = (restored.history or {}).get("source", {}).get("region")
        region = None if told is None else Region(**{k: int(told[k]) for k in _SIDES})
        filled = int((restored.history or {}).get("missing_pixels", 0))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise InputError("the layer's record of its run is damaged") from None

    def work() -> Signed:
        part: Any = ... if region is None else region.slices
        if region is not None and parameters.scale == 1:
            noise = residual(observed.image, restored.image, parameters, lost, psf)[part]
        else:
            hidden = None if lost is None else lost[part]
            noise = residual(observed.image[part], restored.image, parameters, hidden, psf)
        note = "" if lost is not None else _unmasked(observed.image[part], filled)
        return Signed(f"{restored.name}: residual", observed, noise, region, note)

    return work


def add_signed(viewer: ViewerModel, signed: Signed) -> None:
    """Add the layer, in colours around zero.

    Of colour the root mean square of the channels, with the sign of their sum: napari has
    colormaps for one channel only.
    """
    values = signed.values
    if values.ndim == 3:
        size = np.sqrt(np.square(values).mean(axis=-1))
        values = np.where(values.sum(axis=-1) < 0, -size, size)
    sizes = np.abs(values[np.isfinite(values)])
    # A few outliers must not make all the rest pale.
    limit = float(np.quantile(sizes, _SHOWN) or sizes.max()) if sizes.any() else 1.0
    plane = signed.plane
    _, state, _ = result_layer(plane, plane.image, name=signed.name, region=signed.region)
    axes = tuple(axis for axis in range(len(plane.index)) if axis not in plane.axes)
    state |= {
        "colormap": "PiYG",
        "contrast_limits": (-limit, limit),
        "gamma": 1.0,
        "rgb": False,
    }
    viewer.add_image(np.expand_dims(values.astype(np.float32), axes), **state)


def _unmasked(observed: NDArray[Any], filled: int) -> str:
    """Say that pixels were filled in which now count as if something was removed there."""
    finite = np.isfinite(observed)
    known = finite if finite.ndim == 2 else finite.all(axis=-1)
    filled -= int(np.count_nonzero(~known))
    if filled <= 0:
        return ""
    return (
        f"The restoration filled in {plural(filled, 'pixel')} under a mask and no mask is chosen; "
        "choose it, or they count in the residual."
    )
