"""What the plots of the panels share: a graph that fits into a panel, and the theme's colours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

HEIGHT = 150

# Four hues that people with any colour vision tell apart (Okabe and Ito), as bright or as dark
# as the background needs.
BLUE = {"dark": "#56b4e9", "light": "#0072b2"}
ORANGE = {"dark": "#e69f00", "light": "#b45309"}
PURPLE = {"dark": "#cc79a7", "light": "#a3487f"}
GREEN = {"dark": "#3fc79a", "light": "#007a5a"}

_SIDES = ("left", "bottom", "right")


@dataclass(frozen=True)
class Look:
    """The colours of one of napari's themes that a plot needs.

    Attributes
    ----------
    kind : 'dark' or 'light'
        As the colours of curves are chosen by.
    background, text, axis : str
        As hexadecimal numbers.
    """

    kind: str
    background: str
    text: str
    axis: str

    @classmethod
    def of(cls, theme: str) -> Look:
        """Read it from napari."""
        colours = get_theme(theme)
        return cls(
            "light" if colours.type == "light" else "dark",
            *(x.as_hex() for x in (colours.background, colours.text, colours.secondary)),
        )


def make_graph(tooltip: str, **axes: pg.AxisItem) -> Any:
    """Give a graph of fixed height, on which the wheel still scrolls the panel.

    Parameters
    ----------
    tooltip : str
    **axes
        Axes in place of the usual ones, by their side.
    """
    graph = pg.PlotWidget(axisItems=axes)
    graph.setFixedHeight(HEIGHT)
    graph.setMenuEnabled(False)
    graph.hideButtons()
    graph.setMouseEnabled(x=False, y=False)
    graph.setToolTip(tooltip)
    for widget in (graph, graph.viewport()):  # no keys do anything in it
        widget.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    graph.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    item = graph.getPlotItem()
    # pyqtgraph lets the label at the bottom reach five pixels below the axis.
    item.layout.setContentsMargins(1, 2, 4, 6)
    for side in _SIDES:
        item.getAxis(side).setStyle(tickLength=-4, autoExpandTextSpace=True)
    return graph


def make_legend() -> QLabel:
    """Give a label for the names of the curves, as wide as there is room."""
    legend = QLabel()
    legend.setWordWrap(True)
    legend.setTextFormat(Qt.TextFormat.RichText)
    policy = legend.sizePolicy()
    policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
    legend.setSizePolicy(policy)
    return legend


def legend_entry(name: str, colour: str) -> str:
    """The name of a curve in its colour; rich text."""
    return f'<span style="color:{colour}"><b>━</b> {name}</span>'


def paint(graph: Any, look: Look, lines: Mapping[Any, str]) -> None:
    """Paint a graph, and each of its curves in the colour that is given with it."""
    graph.setBackground(look.background)
    for side in _SIDES:
        axis = graph.getPlotItem().getAxis(side)
        axis.setPen(look.axis)
        axis.setTextPen(look.text)
    for curve, colour in lines.items():
        curve.setPen(pg.mkPen(colour, width=1.5))
