"""Make the README's pictures, from scikit-image's pictures alone.

`python docs/make_pictures.py`, behind `xvfb-run -a` where there is no display. The windows are
napari's own: the sample is opened, the panel docked and its button pressed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtTest import QTest

import napari_dred
from napari_dred.before_after import before_after
from napari_dred.samples import damaged_scan
from napari_dred.viewer.restore_widget import RestoreWidget

FOLDER = Path(__file__).parent / "images"
WINDOW = 1280, 800
SHOWN_AT = 0.4  # of all iterations, in the picture of a run


def make_before_after(path: Path, iterations: int | None) -> None:
    """The demo's picture."""
    sample = damaged_scan()
    result = napari_dred.restore(
        sample.image, mask=sample.mask, iterations=iterations, **sample.parameters
    )
    path.write_bytes(before_after(sample.image, result.image))


def make_window(path: Path, iterations: int | None) -> None:
    """After a run: the input under its mask, and below it the result."""
    viewer, panel = started(iterations)
    wait_until(lambda: panel.worker is None)
    assert panel.status.value.startswith("Done"), panel.status.value
    grid = viewer.canvas.grid
    grid.stride, grid.shape, grid.enabled = 2, (2, 1), True
    shoot(viewer, path)


def make_window_running(path: Path, iterations: int | None) -> None:
    """During a run: the preview over the input, progress in the panel."""
    viewer, panel = started(iterations)
    worker = panel.worker
    wait_until(lambda: panel.worker is None or panel.bar.value >= SHOWN_AT * panel.bar.max)
    assert worker is not None, panel.status.value
    assert worker is panel.worker, panel.status.value
    shoot(viewer, path)
    panel.cancel_button.native.click()
    wait_until(lambda: not worker.is_running)


PICTURES: dict[str, Callable[[Path, int | None], None]] = {
    "before-after": make_before_after,
    "window": make_window,
    "window-running": make_window_running,
}


def started(iterations: int | None) -> tuple[napari.Viewer, RestoreWidget]:
    """A window with the damaged scan and the panel, whose run shows its first preview."""
    viewer = napari.Viewer(title="napari")
    viewer.window.resize(*WINDOW)
    viewer.open_sample("napari-dred", "damaged_scan")
    _, panel = viewer.window.add_plugin_dock_widget("napari-dred", "Restore image")
    if iterations is not None:
        panel.form.iterations.value = iterations
    QTest.qWait(1000)
    panel.restore_button.native.click()
    wait_until(lambda: panel.worker is None or len(viewer.layers) == 3)
    return viewer, panel


def shoot(viewer: napari.Viewer, path: Path) -> None:
    """A picture of the whole window, once it stands still."""
    viewer.reset_view()
    QTest.qWait(300)
    viewer.screenshot(path, canvas_only=False, flash=False)


def wait_until(done: Callable[[], bool], seconds: float = 1800) -> None:
    """Let the window live until something is so."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"nothing happened within {seconds:.0f} s")
        QTest.qWait(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PICTURES, help="make this picture alone")
    parser.add_argument("--iterations", type=int, help="in place of the preset's")
    arguments = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for name in [arguments.only] if arguments.only else PICTURES:
        path = FOLDER / f"{name}.png"
        PICTURES[name](path, arguments.iterations)
        print(path)
    napari.Viewer.close_all()


if __name__ == "__main__":
    main()
