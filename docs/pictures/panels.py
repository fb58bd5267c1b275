"""Pictures of the window: the panels at work on the sample scan."""

from __future__ import annotations

from pathlib import Path

from pictures.window import Window, choose, click, enter, find, wait_until

MENU = "DRED restoration"
SAMPLE = "Damaged scan with its mask"


def _with_panel(iterations: int | None) -> tuple[Window, object]:
    window = Window()
    window.viewer.theme = "dark"
    window.menu("File", "Open Sample", MENU, SAMPLE)
    window.menu("Plugins", MENU, "Restore image")
    panel = window.panel("Restore image")
    if iterations is not None:
        click(find(panel, "advanced"))
        enter(find(panel, "iterations"), iterations)
        click(find(panel, "advanced"))
    return window, panel


def make_running(path: Path, iterations: int | None) -> None:
    """The panel in the middle of a run."""
    window, panel = _with_panel(iterations)
    try:
        click(find(panel, "Restore"))
        bar = panel.bar  # type: ignore[attr-defined]
        wait_until(lambda: bar.value > 0.7 * bar.max and bar.max > 1, what="most of a run")
        window.shoot(path)
        click(find(panel, "Cancel"))
    finally:
        window.close()


def make_compared(path: Path, iterations: int | None) -> None:
    """The scan and its restoration on both sides of the divider."""
    window, panel = _with_panel(iterations)
    try:
        click(find(panel, "Restore"))
        wait_until(lambda: panel.worker is None, what="the end of the run")  # type: ignore[attr-defined]
        window.menu("Plugins", MENU, "Compare images")
        compare = window.panel("Compare images")
        window.viewer.layers[f"{window.viewer.layers[0].name} (mask)"].visible = False
        choose(find(compare, "view"), "swipe")
        window.shoot(path)
    finally:
        window.close()
