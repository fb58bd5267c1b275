"""Where the panels are docked: as tabs of one dock. Nothing here knows what is in them."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_dred.viewer.fields import alive

# Marks the widgets of this plugin's panels; other docks are left alone.
_PANEL = "napari-dred-panel"


def dock_with_others(panel: QWidget) -> None:
    """Make the panel a tab beside this plugin's other panels, once it has been docked.

    To be called when it has just got a dock. Below one another, neither would have the height
    that it needs.

    Parameters
    ----------
    panel : QWidget
    """
    panel.setProperty(_PANEL, True)
    # In a moment: the dock itself is not in the window yet.
    QTimer.singleShot(0, lambda: _tabify(panel))


def docked_with(widget: QWidget) -> list[Any]:
    """Give the panels of this plugin that are in the same window, as magicgui's widgets."""
    window = widget.window()
    found = [] if window is None else window.findChildren(QWidget)
    return [x._magic_widget for x in found if x.property(_PANEL) and hasattr(x, "_magic_widget")]


def _tabify(panel: QWidget) -> None:
    dock = _dock_of(panel) if alive(panel) else None
    window = None if dock is None else dock.parent()
    if dock is None or dock.isFloating() or not isinstance(window, QMainWindow):
        return
    area = window.dockWidgetArea(dock)
    for other in window.findChildren(QDockWidget):
        if (
            other is not dock
            and other.isVisible()
            and not other.isFloating()
            and window.dockWidgetArea(other) == area
            and any(x.property(_PANEL) for x in other.findChildren(QWidget))
        ):
            window.tabifyDockWidget(other, dock)
            QTimer.singleShot(0, dock.raise_)  # there is no tab to be raised before
            return


def _dock_of(widget: QWidget) -> QDockWidget | None:
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent
