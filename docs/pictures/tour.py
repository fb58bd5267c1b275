"""The animation at the head of the README: a stain painted over, a run, and the swipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QWidget
from skimage.measure import label, regionprops

from pictures.files import save_animation
from pictures.panels import MENU, with_panel
from pictures.window import Window, choose, click, drag, find, wait_until

SIZE = 1280, 960
WIDTH = 880
STEP_MS, RUN_MS, PAUSE_MS = 90, 130, 1300
#: Frames of the run: more of its beginning, where much happens.
RUN_FRAMES = 22
BRUSH = 22
_POINTER = ((0, 0), (0, 17), (4, 13), (7, 19), (10, 18), (7, 12), (12, 12))


class Camera:
    """Takes the frames of an animation of a window, with the mouse's pointer in them."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._frames: list[Image.Image] = []
        self._times: list[int] = []

    def take(self, milliseconds: int, at: tuple[QWidget, QPoint] | None = None) -> None:
        """Add the window as it is, with the pointer at a point of a widget."""
        picture = self._window.viewer.screenshot(canvas_only=False, flash=False)
        frame = Image.fromarray(picture).convert("RGB")
        if at is not None:
            place = at[0].mapTo(self._window.main, at[1])
            shape = [(place.x() + x, place.y() + y) for x, y in _POINTER]
            ImageDraw.Draw(frame).polygon(shape, fill="white", outline="black")
        frame = frame.crop((0, 0, *SIZE))  # the window may grow with its panels
        height = round(frame.height * WIDTH / frame.width)
        self._frames.append(frame.resize((WIDTH, height), Image.Resampling.LANCZOS))
        self._times.append(milliseconds)

    def press(self, widget: Any) -> None:
        """Show the pointer on a button, and click on it."""
        self.take(PAUSE_MS // 2, (widget, QPoint(min(12, widget.width() // 2), 8)))
        click(widget)

    def save(self, path: Path) -> None:
        """Write the animation."""
        save_animation(path, self._frames, self._times)


def make_tour(path: Path, iterations: int | None) -> None:
    """A mask is finished with the brush, the scan restored and compared."""
    window, panel = with_panel("Damaged scan with its mask", iterations, SIZE)
    try:
        camera = Camera(window)
        _paint(window, camera)
        camera.press(find(panel, "Restore"))
        _run(panel, camera)
        _swipe(window, camera)
        camera.save(path)
    finally:
        window.close()


def _paint(window: Window, camera: Camera) -> None:
    """Paint over the largest stains, which the sample's mask has been made to lack."""
    viewer, canvas = window.viewer, window.canvas
    _, mask = viewer.layers
    stains = sorted(regionprops(label(mask.data > 0)), key=lambda r: r.solidity * r.area)[-2:]
    strokes = []
    for stain in stains:
        inside = stain.image_filled & (np.array(stain.image_filled.shape).min() > BRUSH)
        top, left, bottom, right = stain.bbox
        if not inside.any():
            continue
        mask.data[stain.slice][stain.image] = 0
        rows = np.linspace(top + BRUSH / 3, bottom - BRUSH / 3, 4)
        columns = (left + BRUSH / 3, right - BRUSH / 3)
        strokes.append([(r, columns[(i + k) % 2]) for i, r in enumerate(rows) for k in (0, 1)])
    mask.refresh()
    window.select(mask)
    mask.brush_size = BRUSH
    mask.selected_label = 1
    window.key(Qt.Key.Key_2)
    camera.take(PAUSE_MS)
    for stroke in strokes:
        points = [window.on_canvas(mask, *point) for point in stroke]
        drag(canvas, points, steps=1, look=lambda p: camera.take(STEP_MS, (canvas, p)))
    window.key(Qt.Key.Key_1)
    camera.take(PAUSE_MS // 2)


def _run(panel: Any, camera: Camera) -> None:
    """From the press of the button to the result."""
    wait_until(lambda: panel.bar.max > 1, 120, "the first iteration")
    for part in np.linspace(0, 1, RUN_FRAMES, endpoint=False) ** 1.5:
        wait_until(
            lambda part=part: panel.worker is None or panel.bar.value > part * panel.bar.max,
            what="a part of the run",
        )
        camera.take(RUN_MS)
    wait_until(lambda: panel.worker is None, what="the end of the run")
    QTest.qWait(500)
    camera.take(PAUSE_MS)


def _swipe(window: Window, camera: Camera) -> None:
    """Draw the divider over the scan and its restoration."""
    scan, mask, *_ = window.viewer.layers
    mask.visible = False
    window.menu("Plugins", MENU, "Compare images")
    choose(find(window.panel("Compare images"), "view"), "swipe")
    QTest.qWait(300)
    height, width = scan.data.shape[:2]
    stops = [window.on_canvas(scan, 0.5 * height, part * width) for part in (0.5, 0.05, 0.95, 0.5)]
    canvas = window.canvas
    camera.take(PAUSE_MS // 2, (canvas, stops[0]))
    drag(canvas, stops, steps=6, look=lambda p: camera.take(STEP_MS, (canvas, p)))
    camera.take(2 * PAUSE_MS)
