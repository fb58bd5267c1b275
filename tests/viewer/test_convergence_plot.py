"""The plot of a run: what it draws, how often, and in which colours."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from napari.utils.theme import get_theme

from napari_dred import Step
from napari_dred.viewer.convergence_plot import _COLOURS, INTERVAL, ConvergencePlot

pytestmark = pytest.mark.window


@pytest.fixture
def plot(qtbot):
    plot = ConvergencePlot()
    qtbot.addWidget(plot)
    return plot


def drawn(plot, name):
    return plot._lines[name].getOriginalDataset()


def test_its_curves_are_those_of_the_steps(plot):
    for i in (1, 2, 4):
        plot.add(Step(i, 4, 1 / i, 2 / i, held_out=1.5 if i > 1 else None))
    assert plot.points("loss") == ([1, 2, 4], [1, 0.5, 0.25])
    assert plot.points("residual") == ([1, 2, 4], [2, 1, 0.5])
    assert plot.points("held_out") == ([2, 4], [1.5, 1.5])
    plot.draw()
    np.testing.assert_array_equal(drawn(plot, "loss")[1], [1, 0.5, 0.25])
    assert not plot._lines["psnr"].isVisible()
    assert "Loss" in plot.legend.text()
    assert "0.25" in plot.legend.text()
    assert "1.50 σ" in plot.legend.text()
    assert "PSNR" not in plot.legend.text()
    plot.set_steps([Step(3, 4, 5.0, 6.0)])
    assert plot.points("loss") == ([3], [5])
    assert plot.points("held_out") == ([], [])


def test_the_psnr_has_an_axis_of_its_own_while_there_is_one(plot):
    right = plot._graph.getPlotItem().getAxis("right")
    plot.set_psnr({20: 31.5, 10: 30.0})
    plot.draw()
    assert plot.points("psnr") == ([10, 20], [30, 31.5])
    assert right.isVisible()
    assert "31.50 dB" in plot.legend.text()
    plot.set_psnr({})
    plot.draw()
    assert not right.isVisible()
    assert "PSNR" not in plot.legend.text()


def test_what_has_no_logarithm_and_what_is_endless_leaves_a_gap(plot, qtbot):
    plot.show()
    for i, value in enumerate((0.0, 1e-3, -1.0, np.nan, 1e-4), 1):
        plot.add(Step(i, 5, value, value))
    plot.set_psnr({1: 30.0, 2: np.inf})
    plot.draw()
    qtbot.wait(50)
    np.testing.assert_array_equal(np.isfinite(drawn(plot, "loss")[1]), [0, 1, 0, 0, 1])
    assert "∞ dB" in plot.legend.text()
    for box in (plot._graph.getPlotItem().getViewBox(), plot._right):
        assert np.isfinite(box.viewRange()).all()


def test_it_is_drawn_ten_times_a_second_at_most(plot, qtbot, monkeypatch):
    times = []
    line = plot._lines["loss"]
    set_data = line.setData
    monkeypatch.setattr(line, "setData", lambda *a: (times.append(time.monotonic()), set_data(*a)))
    for i in range(1, 101):
        plot.add(Step(i, 100, 1.0, 1.0))
        qtbot.wait(5)
    qtbot.waitUntil(lambda: len(drawn(plot, "loss")[0]) == 100)
    assert len(times) >= 3
    assert all(b - a > 0.9 * INTERVAL for a, b in pairwise(times))


def test_the_next_run_begins_with_nothing(plot):
    plot.add(Step(1, 2, 1.0, 1.0))
    plot.set_psnr({1: 30.0})
    plot.mark_kept(1)
    plot.mark_shown(1)
    plot.begin()
    assert all(plot.points(name) == ([], []) for name in _COLOURS)
    assert plot.legend.text() == ""
    assert not plot._kept.isVisible()
    assert not plot._shown.isVisible()


@pytest.mark.parametrize(("at", "side"), [(90, 1), (10, 0)])
def test_the_kept_iteration_is_named_on_the_side_where_there_is_room(plot, at, side):
    plot.set_steps([Step(i, 100, 1 / i, 1 / i) for i in range(1, 101)])
    plot.mark_kept(at)
    assert plot._kept.isVisible()
    assert plot._kept.value() == at
    assert plot._kept.label.textItem.toPlainText() == f"kept: {at}"
    assert plot._kept.label.anchors[0][0] == side


def test_the_shown_iteration_is_marked_but_not_the_newest(plot):
    plot.mark_shown(7)
    assert plot._shown.isVisible()
    assert plot._shown.value() == 7
    plot.mark_shown(None)
    assert not plot._shown.isVisible()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_takes_the_themes_colours(plot, theme):
    plot.add(Step(1, 2, 1.0, 1.0))
    plot.set_theme("light" if theme == "dark" else "dark")
    plot.set_theme(theme)
    colours = get_theme(theme)
    assert plot._graph.backgroundBrush().color().name() == colours.background.as_hex(format="long")
    for name, line in plot._lines.items():
        assert line.opts["pen"].color().name() == _COLOURS[name][theme]
    assert _COLOURS["loss"][theme] in plot.legend.text()


def contrast(a, b):
    """The contrast ratio of the Web Content Accessibility Guidelines."""

    def luminance(colour):
        c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return linear @ (0.2126, 0.7152, 0.0722)

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", _COLOURS)
def test_its_colours_are_seen_on_the_background(name, theme):
    background = get_theme(theme).background.as_hex(format="long")
    assert contrast(_COLOURS[name][theme], background) > 3


@pytest.mark.parametrize("low", [-7.3, -2.6, 0.1])
@pytest.mark.parametrize("span", [0.05, 0.2, 0.6, 1.0, 1.6, 3.0, 9.0, 40.0])
@pytest.mark.parametrize("size", [60, 100, 200])
def test_the_numbers_on_the_axis_do_not_run_into_each_other(plot, low, span, size):
    axis = plot._graph.getPlotItem().getAxis("left")
    ((spacing, ticks),) = axis.tickValues(low, low + span, size)
    texts = axis.tickStrings(ticks, 1, spacing)
    pixels = size / span
    assert 1 <= len(ticks) == len(texts)
    assert all((b - a) * pixels >= axis.fontMetrics.height() for a, b in pairwise(sorted(ticks)))
    for tick, text in zip(ticks, texts, strict=True):
        assert float(text) == pytest.approx(10**tick, rel=0.06)
