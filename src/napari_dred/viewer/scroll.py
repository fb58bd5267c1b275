"""An area that is as high as what is in it while there is room, and scrolls when there is not."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QSizePolicy, QStyle, QWidget

#: Pixels that are always left of it.
LEAST_HEIGHT = 120


class Scroll(QScrollArea):
    """The area; what is in it keeps its width."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self._content = content
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the tab key stops at what is in it
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.setWidget(content)

    def sizeHint(self) -> QSize:
        hint = self._content.sizeHint()
        layout = self._content.layout()
        if layout is not None and layout.hasHeightForWidth():
            needed = layout.totalHeightForWidth(self._content.width())
            hint.setHeight(max(hint.height(), needed))
        # The style may draw a border.
        hint.setHeight(hint.height() + self.height() - self.maximumViewportSize().height())
        return hint

    def minimumSizeHint(self) -> QSize:
        style = self.style()
        assert style is not None
        bar = style.pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        width = self._content.minimumSizeHint().width() + bar
        return QSize(width, min(LEAST_HEIGHT, self.sizeHint().height()))

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()  # there is more to show, or less
        return bool(super().eventFilter(watched, event))
