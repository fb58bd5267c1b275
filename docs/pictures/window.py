"""napari's window, driven as a person does it: with the mouse, with keys, and by looking.

Nothing here calls what a click would call. What cannot be found is an error that says what there
is instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import napari
from napari.layers import Layer
from PIL import Image
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialogButtonBox,
    QDockWidget,
    QFileDialog,
    QGroupBox,
    QLineEdit,
    QMainWindow,
    QSlider,
    QTabBar,
    QWidget,
)

from pictures.files import save_png

SIZE = 1280, 800
LEFT_WIDTH = 320
LEFT = Qt.MouseButton.LeftButton
CONTROL, NO_KEY = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier


class NotThereError(LookupError):
    """What is to be used is not in the window."""

    def __init__(self, wanted: str, there: Iterable[str]) -> None:
        super().__init__(f"there is no {wanted}; there are: {', '.join(sorted(set(there)))}")


class Window:
    """A new window of napari."""

    def __init__(self, size: tuple[int, int] = SIZE) -> None:
        self.viewer = napari.Viewer(title="napari")
        self.viewer.window.resize(*size)
        self.main = next(
            w
            for w in QApplication.topLevelWidgets()
            if isinstance(w, QMainWindow) and w.isVisible()
        )
        # A long text would widen them, and leave little of the canvas.
        for dock in self.main.findChildren(QDockWidget):
            if self.main.dockWidgetArea(dock) == Qt.DockWidgetArea.LeftDockWidgetArea:
                dock.setMaximumWidth(LEFT_WIDTH)
        self.main.activateWindow()
        QTest.qWait(1000)

    # What there is.

    def panel(self, title: str) -> Any:
        """A docked panel, by what its title begins with."""
        docked = dict(self.viewer.window.dock_widgets)
        for name, panel in docked.items():
            if name.startswith(title):
                return panel
        raise NotThereError(f"panel {title!r}", docked)

    @property
    def canvas(self) -> QWidget:
        """Where the layers are drawn."""
        kind = "CanvasBackendDesktop"
        return next(w for w in self.main.findChildren(QWidget) if type(w).__name__ == kind)

    def on_canvas(self, layer: Layer, row: float, column: float) -> QPoint:
        """Where a pixel of a layer is drawn."""
        place = list(self.viewer.dims.point)
        shown = self.viewer.dims.displayed
        data = list(layer.world_to_data(place))
        data[-2:] = row, column
        world = layer.data_to_world(data)
        camera, size = self.viewer.scene.camera, self.viewer.canvas.size
        y, x = (
            (world[axis - len(place)] - centre) * camera.zoom + length / 2
            for axis, centre, length in zip(shown, camera.center[-2:], size, strict=True)
        )
        return QPoint(round(x), round(y))

    # What a person does.

    def menu(self, *path: str) -> None:
        """Choose an entry of the menus."""
        bar: Any = self.main.menuBar()
        for step, name in enumerate(path):
            action = _action(bar, name)
            click(bar, bar.actionGeometry(action).center())
            if step < len(path) - 1:
                bar = action.menu()
                wait_until(bar.isVisible, 10, f"the menu {name!r} to open")
                QTest.qWait(150)

    def to_front(self, title: str) -> None:
        """Click on the tab of a docked panel, by what its title begins with; not if it has none."""
        for bar in self.main.findChildren(QTabBar):
            for i in range(bar.count()):
                if bar.isVisible() and bar.tabText(i).startswith(title):
                    click(bar, bar.tabRect(i).center())
                    return

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = NO_KEY) -> None:
        """Press a key."""
        QTest.keyClick(self.main, key, modifier)
        QTest.qWait(100)

    def file_dialog(self, entry: str, path: Path, look: Callable[[], None] = lambda: None) -> None:
        """Choose an entry of the menu File, paste a file's name into its dialog, press its button.

        `look` is called while the dialog shows the name.
        """
        answered: list[Exception | None] = []
        end = time.monotonic() + 15

        def answer() -> None:
            dialog: Any = QApplication.activeModalWidget()
            if dialog is None and time.monotonic() < end:
                QTimer.singleShot(100, answer)
                return
            try:
                if not isinstance(dialog, QFileDialog):
                    raise NotThereError("file dialog", [type(dialog).__name__])
                name = dialog.findChild(QLineEdit, "fileNameEdit")
                # At once: while a name is typed, the dialog selects whatever begins with it.
                QApplication.clipboard().setText(str(path.resolve()))
                name.selectAll()
                QTest.keyClick(name, Qt.Key.Key_V, CONTROL)
                QTest.qWait(500)
                look()
                click(dialog.findChild(QDialogButtonBox).buttons()[0])
                answered.append(None)
            except Exception as e:  # noqa: BLE001 (raised below, out of the dialog's own loop)
                answered.append(e)
                if dialog is not None:
                    dialog.reject()

        QTimer.singleShot(300, answer)
        self.menu("File", entry)
        wait_until(lambda: bool(answered), 20, f"the dialog for {path.name}")
        if answered[0] is not None:
            raise answered[0]
        QTest.qWait(500)

    def select(self, layer: Layer) -> None:
        """Click on a layer in the list."""
        kind = "QtLayerList"
        view: Any = next(w for w in self.main.findChildren(QWidget) if type(w).__name__ == kind)
        row = len(self.viewer.layers) - 1 - self.viewer.layers.index(layer)
        click(view.viewport(), view.visualRect(view.model().index(row, 0)).center())
        if self.viewer.layers.selection.active is not layer:
            raise NotThereError(f"layer {layer.name!r} in the list", map(str, self.viewer.layers))

    def paint(self, layer: Layer, points: Sequence[tuple[float, float]]) -> None:
        """Drag the mouse over pixels of a layer."""
        drag(self.canvas, [self.on_canvas(layer, *point) for point in points])

    # What a person sees.

    def shoot(self, path: Path) -> None:
        """Save a picture of the window, once it stands still."""
        QTest.qWait(400)
        picture = self.viewer.screenshot(canvas_only=False, flash=False)
        save_png(path, Image.fromarray(picture).convert("RGB"))

    def shoot_screen(self, path: Path) -> None:
        """The same with the menus and dialogs that lie over it."""
        QTest.qWait(200)
        place = self.main.frameGeometry()
        screen = self.main.screen()
        pixmap = screen.grabWindow(0, place.x(), place.y(), place.width(), place.height())
        path.parent.mkdir(parents=True, exist_ok=True)
        pixmap.save(str(path))
        with Image.open(path) as picture:
            picture.load()
        save_png(path, picture)

    def close(self) -> None:
        """Close the window."""
        self.viewer.close()


# Widgets, in any panel.


def find(panel: Any, name: str) -> Any:
    """The widget of a panel by the text on it, its label's text, or the panel's name for it.

    Parameters
    ----------
    panel : magicgui or Qt widget
    name : str
        "Restore" for a button, "Noise" for a check box; or "restore_button", an attribute of the
        panel or of one of its parts.

    Returns
    -------
    QWidget
    """
    native = _native(panel)
    texts = {}
    for widget in native.findChildren(QWidget):
        text = _text(widget)
        if text and (text not in texts or widget.isVisible()):
            texts[text] = widget
    if name in texts:
        return texts[name]
    parts = dict(_attributes(panel))
    if name in parts:
        return _native(parts[name])
    raise NotThereError(f"{name!r} in {type(panel).__name__}", [*texts, *parts])


def click(widget: QWidget, at: QPoint | None = None) -> None:
    """Press and release the left button in the middle of a widget, or at a point of it."""
    if isinstance(widget, QAbstractButton) and not widget.isEnabled():
        raise NotThereError(f"button that can be pressed: {_text(widget)!r} is disabled", [])
    if at is None and isinstance(widget, QAbstractButton):
        at = QPoint(min(12, widget.width() // 2), widget.height() // 2)
    QTest.mouseClick(widget, LEFT, NO_KEY, at if at is not None else widget.rect().center())
    QTest.qWait(150)


def click_in_menu(button: Any, entry: str) -> None:
    """Open the menu of a button, and click on an entry of it."""
    menu = button.menu()
    # By hand: a press would not come back before the menu is closed again.
    menu.popup(button.mapToGlobal(button.rect().bottomLeft()))
    wait_until(menu.isVisible, 10, "the menu to open")
    click(menu, menu.actionGeometry(_action(menu, entry)).center())


def tick(box: QWidget, ticked: bool = True) -> None:
    """Click on a check box or a foldable part, unless it is as it should be."""
    is_ticked = box.isChecked()
    if is_ticked != ticked:
        click(box)
        if box.isChecked() != ticked:
            raise NotThereError(f"way to tick {_text(box)!r}", [])


def choose(box: QComboBox, text: str) -> None:
    """Open a combo box and click on a choice."""
    row = box.findText(text)
    if row < 0:
        raise NotThereError(f"choice {text!r}", (box.itemText(i) for i in range(box.count())))
    click(box)
    view = box.view()
    wait_until(view.isVisible, 10, f"the choices of {text!r} to open")
    QTest.qWait(100)
    click(view.viewport(), view.visualRect(view.model().index(row, 0)).center())
    if box.currentIndex() != row:  # some styles take a click on a fresh popup for the opening one
        QTest.keyClicks(view, text)
        QTest.keyClick(view, Qt.Key.Key_Return)
        QTest.qWait(150)
    if box.currentIndex() != row:
        raise NotThereError(f"way to choose {text!r}", [box.currentText()])


def enter(box: QAbstractSpinBox, value: float) -> None:
    """Type a number into a spin box."""
    edit = box.findChild(QLineEdit)
    QTest.mouseDClick(edit, LEFT, NO_KEY, edit.rect().center())
    edit.selectAll()
    QTest.keyClicks(edit, f"{value:g}")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    QTest.qWait(100)


def slide(slider: QSlider, part: float) -> None:
    """Drag the handle of a slider to a part of its way, 0 to 1."""
    along = slider.maximum() - slider.minimum() or 1
    y, margin = slider.height() // 2, 8

    def at(share: float) -> QPoint:
        return QPoint(round(margin + share * (slider.width() - 2 * margin)), y)

    drag(slider, [at((slider.value() - slider.minimum()) / along), at(part)])


def drag(
    widget: QWidget,
    points: Sequence[QPoint],
    steps: int = 12,
    look: Callable[[QPoint], None] = lambda _: None,
) -> None:
    """Press the left button at the first point, move along the others, release at the last.

    `look` is called after every move, with the place of the mouse.
    """
    QTest.mouseMove(widget, points[0])
    QTest.qWait(50)
    QTest.mousePress(widget, LEFT, NO_KEY, points[0])
    for start, end in zip(points[:-1], points[1:], strict=True):
        for i in range(1, steps + 1):
            place = start + (end - start) * (i / steps)
            QTest.mouseMove(widget, place)
            QTest.qWait(15)
            look(place)
    QTest.mouseRelease(widget, LEFT, NO_KEY, points[-1])
    QTest.qWait(150)


def wait_until(done: Callable[[], bool], seconds: float = 1800, what: str = "something") -> None:
    """Let the window live until something is so."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        QTest.qWait(20)


def _action(menu: Any, name: str) -> Any:
    there = {_plain(action.text()): action for action in menu.actions() if action.text()}
    # napari writes the plugin's name behind that of a panel.
    found = [
        action for text, action in there.items() if text == name or text.startswith(f"{name} (")
    ]
    if not found:
        raise NotThereError(f"menu entry {name!r}", there)
    return found[0]


def _text(widget: QWidget) -> str:
    if isinstance(widget, QAbstractButton):
        return _plain(widget.text())
    if isinstance(widget, QGroupBox):
        return _plain(widget.title())
    return ""


def _plain(text: str) -> str:
    """A text without the marks of its keyboard shortcut, arrow or dots."""
    text = text.replace("&&", "\0").replace("&", "").replace("\0", "&")
    return text.strip(" .…▸▾▶▼►⏵⏷")


def _native(widget: Any) -> Any:
    return getattr(widget, "native", widget)


def _attributes(panel: Any, depth: int = 3) -> Iterable[tuple[str, Any]]:
    """The widgets that a panel of this plugin has as attributes, and those of its parts."""
    for name, value in vars(panel).items():
        if name.startswith("_"):
            continue
        if isinstance(_native(value), QWidget):
            yield name, value
        if depth and type(value).__module__.startswith("napari_dred"):
            yield from _attributes(value, depth - 1)
