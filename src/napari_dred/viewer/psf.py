"""A measured PSF in a layer: read for a run, and found again for another one. No widget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from napari.components import ViewerModel
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_dred.core.errors import InputError
from napari_dred.core.records import PSFRecord
from napari_dred.viewer.layers import plane_reader
from napari_dred.viewer.sliders import shown_plane, size_of


def psf_reader(
    layer: Image, viewer: ViewerModel, image: Image | None = None
) -> Callable[[], NDArray[Any]]:
    """Give a function that reads the plane of the layer that is shown; it may run in a thread.

    Whether its samples can be a PSF is for the solver to say.

    Raises
    ------
    InputError
        If it is the image itself, a colour image, or has no such plane.
    """
    if image is not None and layer is image:
        raise InputError(
            f"the PSF is the image {layer.name!r} itself; choose the layer that shows how the "
            "microscope images a point"
        )
    if layer.rgb:
        raise InputError(f"the PSF {layer.name!r} is a colour image; choose a gray one")
    plane = plane_reader(layer, viewer)
    return lambda: plane().image


def find_psf(record: PSFRecord, viewer: ViewerModel, layers: Iterable[Layer]) -> Image:
    """Find the layer that shows the PSF of an earlier run.

    Parameters
    ----------
    record : PSFRecord
    viewer : napari viewer
    layers : iterable of Layer
        Those that it may be.

    Raises
    ------
    InputError
        If there is none.
    """
    for layer in layers:
        if not isinstance(layer, Image) or layer.rgb:
            continue
        try:
            axes, _ = shown_plane(layer, viewer)
            size = size_of(layer)
            fits = (size[axes[0]], size[axes[1]]) == record.shape
            if fits and PSFRecord.of(psf_reader(layer, viewer)()) == record:
                return layer
        except InputError:  # shows no plane, or no real numbers
            continue
    raise InputError(
        f"the settings are for a {record}, which no layer shows; open that PSF first, then take "
        "the settings again"
    )


def psf_of(history: Mapping[str, Any] | None, viewer: ViewerModel) -> NDArray[Any] | None:
    """Read the PSF that a result was made with, if it had one and a layer shows it."""
    record = None if history is None else PSFRecord.in_provenance(history)
    if record is None:
        return None
    try:
        return psf_reader(find_psf(record, viewer, viewer.layers), viewer)()
    except InputError:  # whoever needs it says so
        return None
