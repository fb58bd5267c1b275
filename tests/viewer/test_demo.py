"""The demo's window: what it shows, and when it is not opened."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dred import Parameters, Plan, Result, Step
from napari_dred.samples import damaged_scan
from napari_dred.viewer import demo
from napari_dred.viewer.layers import METADATA_KEY


@pytest.fixture
def result():
    clean = damaged_scan().clean
    plan = Plan("inpaint", clean.shape, Parameters(), 12.0, False, 1, 1, "cpu", 1, 1.0)
    return Result(clean, plan, (Step(7, 7, 0.0, 0.0),), "iterations", 1.0, (), "9")


def check(viewer, result):
    image, mask, restored = viewer.layers
    np.testing.assert_array_equal(image.data, damaged_scan().image)
    np.testing.assert_array_equal(mask.data != 0, damaged_scan().mask)
    np.testing.assert_array_equal(restored.data, result.image)
    assert restored.rgb
    assert restored.metadata[METADATA_KEY]["iterations"] == 7
    np.testing.assert_array_equal(restored.extent.world, image.extent.world)


def test_the_layers(result):
    viewer = ViewerModel()
    demo.add_layers(viewer, result)
    check(viewer, result)


@pytest.mark.window
def test_a_window_opens(result, make_napari_viewer, monkeypatch):
    import napari

    assert demo.why_no_window() is None
    viewers = []

    def viewer(title):
        viewers.append(make_napari_viewer(title=title, show=True))
        return viewers[0]

    monkeypatch.setattr(napari, "Viewer", viewer)
    monkeypatch.setattr(napari, "run", lambda: None)
    demo.show(result)
    check(viewers[0], result)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names its display")
def test_no_display(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert demo.why_no_window() == "there is no display"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux names its display")
def test_a_display_that_does_not_answer(monkeypatch):
    monkeypatch.setenv("DISPLAY", "no-such-host:7")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert demo.why_no_window()  # whatever Qt does there, this process lives


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (0, b"", None),
        (1, b"qtpy.QtBindingsNotFoundError: No Qt bindings could be found", "no Qt binding"),
        (1, b"ModuleNotFoundError: No module named 'qtpy'", "no Qt binding"),
        (1, b"\nthere is no OpenGL\n", "(there is no OpenGL)"),
        (-6, b"qt.qpa.xcb: no display\nSorry.\n", "(qt.qpa.xcb: no display)"),
        (-6, b"", "(exit status -6)"),
    ],
)
def test_what_the_trial_tells(monkeypatch, status, error, said):
    monkeypatch.setenv("DISPLAY", ":99")
    done = subprocess.CompletedProcess([], status, b"", error)
    monkeypatch.setattr(demo.subprocess, "run", lambda *args, **kwargs: done)
    reason = demo.why_no_window()
    assert reason is None if said is None else said in reason


@pytest.mark.window
@pytest.mark.skipif(sys.platform != "linux", reason="only there can GLX be taken away")
def test_a_display_without_opengl(monkeypatch):
    monkeypatch.setenv("QT_XCB_GL_INTEGRATION", "none")
    assert "no OpenGL" in demo.why_no_window()


def test_qt_that_hangs(monkeypatch):
    def hang(*args, timeout, **kwargs):
        raise subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(demo.subprocess, "run", hang)
    assert demo.why_no_window() == "Qt does not answer"
