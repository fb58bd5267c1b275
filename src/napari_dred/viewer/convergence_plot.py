"""The plot of a run: loss, residual, held-out error and PSNR over its iterations. No layer."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt, QTimer
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from napari_dred.core.records import Step
from napari_dred.viewer.plots import (
    BLUE,
    GREEN,
    HEIGHT,
    ORANGE,
    PURPLE,
    Look,
    legend_entry,
    make_graph,
    make_legend,
    paint,
)
from napari_dred.viewer.psnr import decibels

#: Seconds between two drawings.
INTERVAL = 0.1

_COLOURS = {"loss": BLUE, "residual": ORANGE, "held_out": PURPLE, "psnr": GREEN}
_NAMES = {"loss": "Loss", "residual": "Residual", "held_out": "Held-out", "psnr": "PSNR"}
_TOOLTIP = (
    "Loss: what the run makes small. Residual: how far the image still is from what the network "
    "draws. Held-out error: how well pixels that the network's fit does not see are met, in units "
    "of the noise level; when it rises again, noise is being fitted. All three on a logarithmic "
    "scale. PSNR: closeness to the reference, in dB; higher is better."
)


class _LogAxis(pg.AxisItem):  # type: ignore[misc]
    """A logarithmic axis with so few numbers that they do not run into each other."""

    def logTickValues(
        self, minVal: float, maxVal: float, size: float, stdTicks: Any
    ) -> list[tuple[None, list[float]]]:
        """Give powers of ten, some numbers between them where there is room, or every n-th."""
        decade = size / max(maxVal - minVal, 1e-9)  # its length in pixels
        height = 1.1 * self.fontMetrics.height()
        every = max(1, math.ceil(height / decade))
        digits = next(
            (d for d, gap in (((1, 2, 5), 0.3), ((1, 3), 0.47)) if gap * decade > height), (1,)
        )
        ticks = [
            power + math.log10(digit)
            for power in range(math.floor(minVal), math.ceil(maxVal) + 1)
            if power % every == 0
            for digit in digits
        ]
        ticks = [tick for tick in ticks if minVal <= tick <= maxVal]
        # Within less than a factor of two there is none of them.
        return [(None, ticks if len(ticks) > 1 else list(stdTicks[0][1]))]

    def logTickStrings(self, values: list[float], scale: float, spacing: Any) -> list[str]:
        """Two digits."""
        return [f"{10**value:.2g}" for value in values]

    @property
    def fontMetrics(self) -> QFontMetrics:
        """Those of the numbers."""
        return QFontMetrics(self.style["tickFont"] or QApplication.font())


@dataclass
class _Curve:
    """The points of one quantity, in the order in which they are drawn."""

    at: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def add(self, iteration: int, value: float) -> None:
        self.at.append(iteration)
        self.values.append(value)


class ConvergencePlot(QWidget):
    """The curves of one run, and above them their names and present values.

    It is drawn at most ten times a second, however often something is added.
    """

    def __init__(self) -> None:
        super().__init__()
        self._curves = {name: _Curve() for name in _NAMES}
        self._colours = {name: by_theme["dark"] for name, by_theme in _COLOURS.items()}
        self._drawn = -float("inf")

        self.legend = make_legend()
        left = _LogAxis("left")
        self._graph = make_graph(_TOOLTIP, left=left)
        self.setToolTip(_TOOLTIP)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.legend)
        layout.addWidget(self._graph)

        item = self._graph.getPlotItem()
        item.setLogMode(y=True)
        item.setLabel("bottom", "Iteration")
        # Always as wide as it may need to be, so that the plot does not jump.
        left.setWidth(left.fontMetrics.horizontalAdvance("0.0005") + 8)
        item.getAxis("right").setWidth(left.fontMetrics.horizontalAdvance("100") + 12)
        # PSNR has an axis of its own, on the right.
        self._right = pg.ViewBox(enableMouse=False, enableMenu=False)
        self._right.setXLink(item)
        self._right.setZValue(item.getViewBox().zValue() - 1)  # the markers lie above all curves
        item.scene().addItem(self._right)
        item.getAxis("right").linkToView(self._right)
        item.getAxis("right").setLogMode(y=False)
        item.getViewBox().sigResized.connect(self._follow_size)
        self._lines = {
            name: pg.PlotDataItem(connect="finite", autoDownsample=True, downsampleMethod="peak")
            for name in _NAMES
        }
        for name, line in self._lines.items():
            if name == "psnr":
                self._right.addItem(line)
            else:
                line.setLogMode(False, True)
                item.addItem(line)
        self._kept = pg.InfiniteLine(label="kept", labelOpts={"position": 0.9})
        self._shown = pg.InfiniteLine()
        for marker in (self._kept, self._shown):
            marker.hide()
            item.addItem(marker, ignoreBounds=True)

        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self.draw)
        self.set_theme("dark")

    def sizeHint(self) -> QSize:
        return QSize(280, HEIGHT + 40)

    def begin(self) -> None:
        """Start afresh, for another run."""
        for name in _NAMES:
            self._curves[name] = _Curve()
        self._kept.hide()
        self._shown.hide()
        self.draw()

    def add(self, step: Step) -> None:
        """Add one iteration; drawn in a moment."""
        self._curves["loss"].add(step.iteration, step.loss)
        self._curves["residual"].add(step.iteration, step.residual)
        if step.held_out is not None:
            self._curves["held_out"].add(step.iteration, step.held_out)
        self._draw_later()

    def set_steps(self, steps: Iterable[Step]) -> None:
        """Show these steps and no others."""
        for name in ("loss", "residual", "held_out"):
            self._curves[name] = _Curve()
        for step in steps:
            self.add(step)

    def set_psnr(self, values: dict[int, float]) -> None:
        """Show these values of the PSNR in dB, by iteration, and no others."""
        at = sorted(values)
        self._curves["psnr"] = _Curve(at, [values[i] for i in at])
        self._draw_later()

    def mark_kept(self, iteration: int) -> None:
        """Mark the iteration whose image is the result."""
        self._kept.show()  # first: a label that cannot be seen takes no text
        self._kept.setValue(iteration)
        self._kept.label.setFormat(f"kept: {iteration}")
        # Its label stands on that side of the line where there is room.
        last = max(self._curves["loss"].at, default=iteration)
        self._kept.label.anchors = [(1, 0.5) if 2 * iteration > last else (0, 0.5)] * 2
        self._kept.label.updatePosition()

    def mark_shown(self, iteration: int | None) -> None:
        """Mark the iteration whose image the slider shows; None for the newest."""
        if iteration is not None:
            self._shown.setValue(iteration)
        self._shown.setVisible(iteration is not None)

    def points(self, name: str) -> tuple[list[int], list[float]]:
        """Iterations and values of one curve: 'loss', 'residual', 'held_out' or 'psnr'."""
        curve = self._curves[name]
        return list(curve.at), list(curve.values)

    def draw(self) -> None:
        """Bring the picture up to date now."""
        self._later.stop()
        self._drawn = time.monotonic()
        for name, line in self._lines.items():
            curve = self._curves[name]
            values = np.array(curve.values, float)
            if name != "psnr":
                values[~(values > 0)] = np.nan  # has no logarithm
            line.setData(np.array(curve.at, float), values)
            line.setVisible(bool(curve.at))
        self._graph.getPlotItem().showAxis("right", bool(self._curves["psnr"].at))
        self.legend.setText(self._legend())

    def set_theme(self, theme: str) -> None:
        """Take the colours of one of napari's themes."""
        look = Look.of(theme)
        self._colours = {name: by_theme[look.kind] for name, by_theme in _COLOURS.items()}
        paint(self._graph, look, {self._lines[name]: x for name, x in self._colours.items()})
        for marker, style in ((self._kept, "SolidLine"), (self._shown, "DashLine")):
            marker.setPen(pg.mkPen(look.text, width=1, style=getattr(Qt.PenStyle, style)))
        self._kept.label.setColor(look.text)
        self._kept.label.fill = pg.mkBrush(look.background)  # over the curves
        self.draw()

    def _draw_later(self) -> None:
        if not self._later.isActive():
            wait = max(0.0, self._drawn + INTERVAL - time.monotonic())
            self._later.start(int(1000 * wait))

    def _legend(self) -> str:
        """The names in the colours of their curves, with the newest values."""
        parts = []
        for name, curve in self._curves.items():
            if curve.at:
                value = curve.values[-1]
                told = {"held_out": f"{value:.2f} σ", "psnr": decibels(value)}
                parts.append(
                    f"{legend_entry(_NAMES[name], self._colours[name])}"
                    f"&nbsp;{told.get(name, f'{value:.3g}')}"
                )
        return " &nbsp; ".join(parts)

    def _follow_size(self) -> None:
        self._right.setGeometry(self._graph.getPlotItem().getViewBox().sceneBoundingRect())
