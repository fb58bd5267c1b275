"""The demo's window: a sample and its restoration as layers of a new napari viewer."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_dred.samples import Sample

if TYPE_CHECKING:
    from napari.components import ViewerModel


def why_no_window() -> str | None:
    """Say why no window can be opened here, None if one can.

    Qt ends the whole process where it cannot reach a display or lacks a library,
    so it is tried in a process of its own.
    """
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not any(os.environ.get(d) for d in displays):
        return "there is no display"
    trial = "from qtpy.QtWidgets import QApplication; QApplication([])"
    try:
        done = subprocess.run(
            [sys.executable, "-c", trial], capture_output=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return "Qt does not answer"
    if done.returncode == 0:
        return None
    no_binding = b"QtBindingsNotFoundError" in done.stderr or b"ModuleNotFound" in done.stderr
    return "no Qt binding is installed" if no_binding else "Qt cannot open a window here"


def add_layers(viewer: ViewerModel, sample: Sample, restored: NDArray[Any]) -> None:
    """Add the damaged image, its mask and the restored image.

    Parameters
    ----------
    viewer : napari viewer
    sample : Sample
    restored : (H, W) or (H, W, 3) array
    """
    rgb = sample.image.ndim == 3
    viewer.add_image(sample.image, name=sample.name, rgb=rgb)
    if sample.mask is not None:
        viewer.add_labels(sample.mask.astype("uint8"), name="mask", opacity=0.5)
    viewer.add_image(restored, name=f"{sample.name}, restored", rgb=rgb)


def show(sample: Sample, restored: NDArray[Any]) -> None:
    """Open napari with the layers, and wait until it is closed."""
    import napari

    add_layers(napari.Viewer(title="napari-dred demo"), sample, restored)
    napari.run()
