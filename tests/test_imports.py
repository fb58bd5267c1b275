"""What is not imported: torch, Qt and napari where they are not needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

QT = {"PyQt5", "PyQt6", "PySide2", "PySide6", "qtpy", "superqt"}
NAPARI = {"magicgui", "napari", "vispy"}


def loaded_after(code: str) -> set[str]:
    """Run the code in a fresh interpreter; give the top-level names of what it imported."""
    tell = "\nimport json, sys; print(json.dumps([*sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code + tell], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_the_package_alone():
    loaded = loaded_after("import napari_dred; assert 'restore' in dir(napari_dred)")
    assert "napari_dred" in loaded
    assert loaded.isdisjoint({"torch", "numpy"} | QT | NAPARI)


def test_every_public_name_is_there():
    loaded = loaded_after("from napari_dred import *; import napari_dred\nnapari_dred.solve")
    assert loaded.isdisjoint(QT | NAPARI)


def test_an_unknown_name_is_an_attribute_error():
    import napari_dred

    with pytest.raises(AttributeError, match="nonsense"):
        _ = napari_dred.nonsense


def test_all_of_the_core():
    loaded = loaded_after(
        "import importlib, pkgutil, napari_dred.core as core\n"
        "for m in pkgutil.walk_packages(core.__path__, 'napari_dred.core.'):\n"
        "    importlib.import_module(m.name)"
    )
    assert "torch" in loaded
    assert loaded.isdisjoint(QT | NAPARI)


def test_the_command_line():
    loaded = loaded_after("import napari_dred.cli")
    assert loaded.isdisjoint({"torch"} | QT | NAPARI)


def test_the_plugin_s_manifest():
    loaded = loaded_after(
        "from npe2 import PluginManager\n"
        "pm = PluginManager.instance()\n"
        "pm.discover()\n"
        "assert pm.get_manifest('napari-dred').contributions.widgets"
    )
    assert "torch" not in loaded


@pytest.mark.window
def test_napari_s_start():
    loaded = loaded_after(
        "import napari\n"
        "napari.Viewer(show=False)\n"
        "from npe2 import PluginManager\n"
        "assert PluginManager.instance().get_manifest('napari-dred').contributions.widgets"
    )
    assert "napari" in loaded
    assert "torch" not in loaded
