"""The table that shows the figures, and its ways out: the clipboard and a CSV file."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_dred.core.errors import InputError
from napari_dred.io import replace_file
from napari_dred.viewer.compare.figures import Row, as_text


class FiguresTable(QTableWidget):
    """The figures of both planes, a row each; hidden while there are none.

    Attributes
    ----------
    figures : sequence of (name, before, after)
        What it shows.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 3, parent)
        self.figures: list[Row] = []
        self.setHorizontalHeaderLabels(["Figure", "Before", "After"])
        header, side = self.horizontalHeader(), self.verticalHeader()
        assert header is not None
        assert side is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        side.hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        # As high as its rows.
        self.setSizeAdjustPolicy(QAbstractItemView.SizeAdjustPolicy.AdjustToContents)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setWordWrap(True)
        self.hide()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Wrap the text anew."""
        super().resizeEvent(event)
        self._fit()

    def show_figures(self, rows: list[Row]) -> None:
        """Show these and no others."""
        self.figures = rows
        self.setRowCount(len(rows))
        for i, row in enumerate(rows):
            for j, text in enumerate(row):
                self.setItem(i, j, QTableWidgetItem(text))
        self.setVisible(bool(rows))
        self._fit()

    def copy(self) -> None:
        """Put the table on the clipboard, as a spreadsheet takes it."""
        clipboard = QGuiApplication.clipboard()
        assert clipboard is not None
        clipboard.setText(as_text(self.figures, "\t"))

    def save(self, path: Path) -> None:
        """Write the table as CSV, whole or not at all.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        try:
            replace_file(path, as_text(self.figures, ",").encode("utf-8-sig"))
        except OSError as e:
            raise InputError(f"{path}: {e.strerror or e}") from None

    def _fit(self) -> None:
        """Make the rows as high as their text, and the table as its rows."""
        self.resizeRowsToContents()
        self.updateGeometry()
