"""A whole session in napari's window, with mouse and keys, and a picture of each stage.

`python docs/session.py --image FILE --out FOLDER`, behind `xvfb-run -a` where there is no display.
Without `--mask FILE`, a mask is painted with the brush along `--stroke`; `--wrong` names what is to
be ticked. A stage whose widgets are not there ends the session with a message that says so.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from napari.layers import Labels
from pictures.window import (
    NotThereError,
    Window,
    choose,
    click,
    click_in_menu,
    drag,
    enter,
    find,
    slide,
    tick,
    wait_until,
)
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QSlider, QWidget

RESTORE, COMPARE = "Restore image", "Compare images"
MENU = "DRED restoration"
OPEN, SAVE = "Open File(s)", "Save Selected Layers"


class Session:
    """One window, and the folder of its pictures."""

    def __init__(self, out: Path) -> None:
        self.out, self.count = out, 0
        self.window = Window()
        self.viewer = self.window.viewer

    def shoot(self, stage: str) -> Path:
        """Save a picture of the window, numbered in the order of the session."""
        self.count += 1
        path = self.out / f"{self.count:02d}-{stage}.png"
        self.window.shoot(path)
        print(path, flush=True)
        return path

    def open(self, image: Path, mask: Path | None, strokes: list[list[float]]) -> None:
        """Open the image; open the mask as labels, or paint one."""
        dialog = self.out / "dialog-open.png"
        self.window.file_dialog(OPEN, image, lambda: self.window.shoot_screen(dialog))
        layer = self.viewer.layers[-1]
        self.shoot("opened")
        if mask is not None:
            self.window.file_dialog(OPEN, mask)
            self.window.select(self.viewer.layers[-1])
            self.window.menu("Layers", "Layer Type", "Convert to Labels")
        else:
            self.window.select(layer)
            click(self._labels_button())
            labels = self.viewer.layers[-1]
            assert isinstance(labels, Labels), "the button made no Labels layer"
            self.window.key(Qt.Key.Key_2)
            height, width = layer.data.shape[:2]
            for stroke in strokes:
                points = zip(stroke[::2], stroke[1::2], strict=True)
                self.window.paint(labels, [(r * height, c * width) for r, c in points])
            if not labels.data.any():
                raise NotThereError("painted pixel on the mask", ["none"])
        self.window.select(layer)
        self.shoot("mask")

    def say_what_is_wrong(self, wrong: list[str], iterations: int | None) -> Any:
        """Open the panel and tick."""
        self.window.menu("Plugins", MENU, RESTORE)
        panel = self.window.panel(RESTORE)
        for name in wrong:
            tick(find(panel, name))
        if iterations is not None:
            tick(find(panel, "Advanced"))
            enter(find(panel, "iterations"), iterations)
        self.shoot("what-is-wrong")
        return panel

    def preview(self, panel: Any) -> None:
        """Press Preview and wait for it."""
        click(find(panel, "Preview"))
        wait_until(lambda: panel.worker is None, what="the preview")
        self.shoot("preview")

    def restore(self, panel: Any, keep: bool) -> None:
        """Press Restore, watch, pause and go on, look at an earlier image, end."""
        click(find(panel, "Restore"))
        wait_until(lambda: panel.worker is None or panel.bar.value > 0.25 * panel.bar.max)
        self._runs(panel)
        self.shoot("running")
        click(find(panel, "Pause"))
        self.shoot("paused")
        click(find(panel, "Resume"))
        wait_until(lambda: panel.worker is None or panel.bar.value > 0.5 * panel.bar.max)
        self._runs(panel)
        slide(_only(panel.native, QSlider), 0.3)
        self.shoot("earlier-iteration")
        if keep:
            click(find(panel, "Stop & keep"))
        wait_until(lambda: panel.worker is None, what="the end of the run")
        self.shoot("restored")

    def compare(self) -> None:
        """Drag the swipe over the image."""
        self.window.menu("Plugins", MENU, COMPARE)
        panel = self.window.panel(COMPARE)
        choose(find(panel, "view"), "swipe")
        self.shoot("swipe")
        canvas = self.window.canvas
        middle = canvas.rect().center()
        drag(canvas, [middle, middle - (middle - canvas.rect().topLeft()) / 2])
        self.shoot("swiped")

    def copy_command(self, panel: Any) -> None:
        """Press *Copy as command* and write what is on the clipboard."""
        click_in_menu(find(panel, "Settings"), "Copy as command")
        text = QApplication.clipboard().text()
        (self.out / "command.txt").write_text(f"{text}\n", "utf-8")
        self.shoot("copied-command")

    def save(self) -> None:
        """Save the layer that is selected."""
        restored = [x for x in self.viewer.layers if "restored" in x.name]
        if not restored:
            raise NotThereError("restored layer", (x.name for x in self.viewer.layers))
        self.window.select(restored[-1])
        target = self.out / "restored.tif"
        dialog = self.out / "dialog-save.png"
        self.window.file_dialog(SAVE, target, lambda: self.window.shoot_screen(dialog))
        wait_until(target.exists, 30, f"{target} to be written")
        self.shoot("saved")

    def _labels_button(self) -> QWidget:
        for button in self.window.main.findChildren(QWidget):
            if "new labels layer" in button.toolTip().lower():
                return button
        raise NotThereError("button 'New labels'", [])

    def _runs(self, panel: Any) -> None:
        if panel.worker is None:
            raise NotThereError(f"run under way ({panel.status.value})", [])


def _only(parent: QWidget, kind: type[QWidget]) -> Any:
    found = [w for w in parent.findChildren(kind) if w.isVisible()]
    if len(found) != 1:
        raise NotThereError(f"single {kind.__name__}", (w.objectName() for w in found))
    return found[0]


def _stroke(text: str) -> list[float]:
    return [float(x) for x in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--mask", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the pictures")
    parser.add_argument(
        "--stroke",
        type=_stroke,
        action="append",
        help="row,column,row,column,... of a brush stroke, in parts of the image's size",
    )
    parser.add_argument("--wrong", default="Holes,Noise", help="what to tick, with commas")
    parser.add_argument("--iterations", type=int, help="in place of the preset's")
    parser.add_argument("--keep", action="store_true", help="end the run with Stop & keep")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    session = Session(given.out)
    try:
        strokes = given.stroke or [[0.2, 0.3, 0.45, 0.4, 0.6, 0.7]]
        session.open(given.image, given.mask, strokes)
        panel = session.say_what_is_wrong(given.wrong.split(","), given.iterations)
        session.preview(panel)
        session.restore(panel, given.keep)
        session.compare()
        session.copy_command(panel)
        session.save()
    except (NotThereError, TimeoutError) as e:
        session.shoot("failed")
        print(f"The session ended: {e}", file=sys.stderr)
        return 1
    finally:
        session.window.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
