"""The demo's window: the damaged scan and its restoration as layers of a new viewer."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_dred.core.records import Result


# napari draws with OpenGL, and ends with a traceback where there is none.
TRIAL = """
import sys
from qtpy.QtGui import QOffscreenSurface, QOpenGLContext
from qtpy.QtWidgets import QApplication
app = QApplication([])
surface, context = QOffscreenSurface(), QOpenGLContext()
surface.create()
if not (context.create() and context.makeCurrent(surface)):
    sys.exit("there is no OpenGL")
import napari.layers
"""


def why_no_window() -> str | None:
    """Say why no window of napari can be opened here, None if one can.

    Qt ends the whole process where it cannot reach a display or lacks a library,
    so it is tried in a process of its own.
    """
    displays = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not any(os.environ.get(d) for d in displays):
        return "there is no display"
    try:
        done = subprocess.run(
            [sys.executable, "-c", TRIAL], capture_output=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return "Qt does not answer"
    if done.returncode == 0:
        return None
    if b"QtBindingsNotFoundError" in done.stderr or b"ModuleNotFound" in done.stderr:
        return "no Qt binding is installed"
    lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines()]
    lines = [line for line in lines if line] or [f"exit status {done.returncode}"]
    said = [line for line in lines if line.startswith("qt.")][:1] or lines[-1:]
    return f"Qt cannot open one here ({said[0]})"


def add_layers(viewer: ViewerModel, result: Result) -> None:
    """Add the damaged scan, its mask, and what the demo made of it.

    Parameters
    ----------
    viewer : napari viewer
    result : Result
        Of restoring the damaged scan.
    """
    from napari.layers import Layer

    from napari_dred.viewer.layers import METADATA_KEY
    from napari_dred.viewer.samples import damaged_scan

    for data in damaged_scan():
        viewer.add_layer(Layer.create(*data))
    viewer.add_image(
        result.image,
        name=f"{viewer.layers[0].name} (restored)",
        rgb=True,
        metadata={METADATA_KEY: result.provenance()},
    )


def show(result: Result) -> None:
    """Open napari with the layers, and wait until it is closed."""
    import napari

    add_layers(napari.Viewer(title="napari-dred demo"), result)
    napari.run()
