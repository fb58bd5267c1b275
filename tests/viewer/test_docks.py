"""The panels of this plugin are tabs of one dock, and nobody else's dock is moved."""

from __future__ import annotations

import pytest
from qtpy.QtWidgets import QLabel, QMainWindow

from napari_dred.viewer.compare.widget import CompareWidget
from napari_dred.viewer.restore_widget import RestoreWidget

pytestmark = pytest.mark.window


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def add(qtbot, viewer):
    """Give a function that docks a widget and lets the window settle; it gives the dock."""

    def add_one(widget, **options):
        dock = viewer.window.add_dock_widget(widget, name=type(widget).__name__, **options)
        qtbot.wait(50)
        return dock

    return add_one


def tabs(dock):
    window = dock.parent()
    assert isinstance(window, QMainWindow)
    return window.tabifiedDockWidgets(dock)


@pytest.mark.parametrize("panels", [(RestoreWidget, CompareWidget), (CompareWidget, RestoreWidget)])
def test_the_second_panel_is_a_tab_beside_the_first_and_is_seen(qtbot, viewer, add, panels):
    other = add(QLabel("another plugin's"))
    first = add(panels[0](viewer))
    assert tabs(first) == []
    second = add(panels[1](viewer))
    assert tabs(second) == [first]
    assert tabs(other) == []
    qtbot.waitUntil(lambda: not second.visibleRegion().isEmpty())
    assert first.visibleRegion().isEmpty()


def test_a_panel_that_the_user_has_put_elsewhere_stays_there(viewer, add):
    left = add(RestoreWidget(viewer), area="left")
    assert tabs(add(CompareWidget(viewer))) == []
    left.setFloating(True)
    assert tabs(add(CompareWidget(viewer), area="left")) == []


def test_a_closed_panel_is_no_place_for_another(viewer, add):
    dock = add(RestoreWidget(viewer))
    dock.destroyOnClose()
    assert tabs(add(CompareWidget(viewer))) == []
