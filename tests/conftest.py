"""For all tests: a fixed number of threads, no settings on disk, and windows only where they work.

A test is a window test if it is marked `window` or asks for one of Qt's fixtures.
Where windows do not work, such tests are skipped with the reason; with CI set, that is an error.
A module with `pytestmark = pytest.mark.window` is then not even imported, and none of
tests/viewer where napari itself cannot be imported.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.metadata import entry_points

import pytest
from hypothesis import settings

from napari_dred.viewer.demo import why_no_window

# Before torch or napari are imported, here and in child processes. One thread: the images are
# small, and where other work shares the cores two threads would wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["NAPARI_CONFIG"] = ""
os.environ["NAPARI_ENSURE_PLUGIN_MAIN_THREAD"] = "1"
if sys.platform == "linux":
    os.environ["QT_QPA_PLATFORM"] = "xcb"  # napari crashes on "offscreen"; Xvfb speaks X11

settings.register_profile("napari-dred", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("napari-dred")

try:
    import napari.layers  # noqa: F401 (needs the system's OpenGL library)
    import qtpy.QtWidgets
except (ImportError, OSError) as e:
    NO_NAPARI = f"napari or Qt cannot be imported: {e}"
else:
    NO_NAPARI = ""
    os.environ["PYTEST_QT_API"] = qtpy.API
    # Their plugins end the whole run where the imports fail: blocked in pyproject.toml.
    pytest_plugins = [entry_points(group="pytest11")[n].value for n in ("napari", "pytest-qt")]

WINDOW_FIXTURES = {"qapp", "qtbot", "make_napari_viewer", "make_napari_viewer_proxy"}


@cache
def reason_to_skip() -> str | None:
    """Why no window can be opened here, None where one can."""
    reason = NO_NAPARI or why_no_window()
    if reason and os.environ.get("CI"):
        raise pytest.UsageError(f"with CI set, the window tests must run, but {reason}")
    return reason


def pytest_pycollect_makemodule(module_path, parent):
    needs_napari = module_path.parent.name == "viewer"
    needs_window = "\npytestmark = pytest.mark.window" in module_path.read_text("utf-8")
    if needs_window or (needs_napari and NO_NAPARI):
        reason = reason_to_skip()
        if reason:
            return _NoWindow.from_parent(parent, path=module_path, reason=reason)
    return None


class _NoWindow(pytest.Module):
    def __init__(self, *, reason, **kwargs):
        super().__init__(**kwargs)
        self.reason = reason

    def collect(self):
        pytest.skip(self.reason, allow_module_level=True)


def pytest_collection_modifyitems(items):
    for item in items:
        if WINDOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("window")
        if item.get_closest_marker("window") and (reason := reason_to_skip()):
            item.add_marker(pytest.mark.skip(reason=reason))
