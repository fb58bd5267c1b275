"""The table that shows the figures, and its ways out: the clipboard and a CSV file."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QSize, Qt
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
from napari_dred.viewer.compare.figures import HEAD, Row, as_text

_MARGIN = 4  # pixels around a text


class FiguresTable(QTableWidget):
    """Rows of figures; hidden while there are none.

    Parameters
    ----------
    head : sequence of str
        What stands above each column.
    squeezed : bool
        Whether the first column takes the width that the others leave, be it narrow; else the
        table scrolls sideways.

    Attributes
    ----------
    figures : sequence of tuple of str
        What it shows; the last text of a short row has the rest of it to itself.
    """

    def __init__(
        self, head: Row = HEAD, *, squeezed: bool = True, parent: QWidget | None = None
    ) -> None:
        super().__init__(0, 0, parent)
        self.figures: list[Row] = []
        self._head = head
        self.setColumnCount(len(head))
        # In two lines, so that the columns are narrow.
        self.setHorizontalHeaderLabels([text.replace(" ", "\n", 1) for text in head])
        header, side = self.horizontalHeader(), self.verticalHeader()
        assert header is not None
        assert side is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        if squeezed:
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
        self.clearSpans()
        self.setRowCount(len(rows))
        for i, row in enumerate(rows):
            for j, text in enumerate(row):
                self.setItem(i, j, QTableWidgetItem(text))
            if len(row) < len(self._head):
                self.setSpan(i, len(row) - 1, 1, len(self._head) - len(row) + 1)
        self.setVisible(bool(rows))
        self._fit()

    def copy(self) -> None:
        """Put the table on the clipboard, as a spreadsheet takes it."""
        clipboard = QGuiApplication.clipboard()
        assert clipboard is not None
        clipboard.setText(as_text(self.figures, "\t", self._head))

    def save(self, path: Path) -> None:
        """Write the table as CSV, whole or not at all.

        Raises
        ------
        InputError
            If the file cannot be written.
        """
        try:
            replace_file(path, as_text(self.figures, ",", self._head).encode("utf-8-sig"))
        except OSError as e:
            raise InputError(f"{path}: {e.strerror or e}") from None

    def _fit(self) -> None:
        """Make the rows as high as their text, and the table as its rows."""
        shown = [self.columnWidth(j) for j in range(self.columnCount())]
        for i, row in enumerate(self.figures):
            last, item = len(row) - 1, self.item(i, len(row) - 1)
            if len(row) < len(self._head) and item is not None:
                # A text over many columns must make none of them wide.
                width = sum(shown[last:]) - 2 * _MARGIN
                wrapped = Qt.TextFlag.TextWordWrap
                box = self.fontMetrics().boundingRect(0, 0, width, 0, wrapped, row[last])
                item.setToolTip(row[last])
                item.setSizeHint(QSize(0, box.height() + 2 * _MARGIN))
        self.resizeRowsToContents()
        self.updateGeometry()
