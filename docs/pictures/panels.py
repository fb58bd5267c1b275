"""Pictures of the window: the panels at work on the samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.layers import Labels

from pictures.window import SIZE, Window, choose, click, enter, find, wait_until

MENU = "DRED restoration"
SAMPLE = "Damaged scan with its mask"


def with_panel(
    sample: str, iterations: int | None, size: tuple[int, int] = SIZE
) -> tuple[Window, Any]:
    """Give a window with a sample of the menu and the panel that restores it."""
    window = Window(size)
    window.viewer.theme = "dark"
    window.menu("File", "Open Sample", MENU, sample)
    window.menu("Plugins", MENU, "Restore image")
    panel = window.panel("Restore image")
    if iterations is not None:
        click(find(panel, "Advanced"))
        enter(find(panel, "iterations"), iterations)
        click(find(panel, "Advanced"))
    return window, panel


def make_running(path: Path, iterations: int | None) -> None:
    """The panel in the middle of a run."""
    window, panel = with_panel(SAMPLE, iterations)
    try:
        click(find(panel, "Restore"))
        bar = panel.bar
        wait_until(lambda: bar.value > 0.7 * bar.max and bar.max > 1, what="most of a run")
        window.shoot(path)
        click(find(panel, "Cancel"))
    finally:
        window.close()


def make_compared(
    path: Path,
    iterations: int | None,
    sample: str = SAMPLE,
    press: str = "Restore",
    front: str = "Compare images",
) -> None:
    """A sample and what a button made of it beside the divider, and one of the panels."""
    window, panel = with_panel(sample, iterations)
    try:
        click(find(panel, press))
        wait_until(lambda: panel.worker is None, what="the end of the run")
        window.menu("Plugins", MENU, "Compare images")
        compare = window.panel("Compare images")
        for layer in window.viewer.layers:
            layer.visible = not isinstance(layer, Labels)
        choose(find(compare, "view"), "swipe")
        window.to_front(front)
        window.shoot(path)
    finally:
        window.close()
