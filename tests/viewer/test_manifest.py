"""The manifest: valid, complete, and what it names is there."""

from __future__ import annotations

from importlib.resources import files

import pytest
from npe2 import PluginManifest
from npe2.manifest.contributions import SampleDataGenerator

MENUS = {
    "napari/layers/filter",
    "napari/layers/visualize",
}  # of those that napari lets plugins add to


@pytest.fixture
def manifest():
    return PluginManifest.from_file(str(files("napari_dred") / "napari.yaml"))


def test_it_is_valid_and_its_name_is_the_distributions(manifest):
    manifest.validate_imports()
    assert manifest.name == "napari-dred"
    assert PluginManifest.from_distribution("napari-dred").contributions == manifest.contributions


def test_every_command_is_offered_somewhere(manifest):
    contributions = manifest.contributions
    offered = {item.command for items in contributions.menus.values() for item in items}
    offered |= {widget.command for widget in contributions.widgets}
    offered |= {sample.command for sample in contributions.sample_data}
    assert offered == {command.id for command in contributions.commands}
    assert set(contributions.menus) <= MENUS


def test_npe2_finds_the_widget_and_opens_the_samples(npe2pm, manifest):
    with npe2pm.tmp_plugin(manifest=manifest):
        names = {widget.display_name for widget in npe2pm.iter_widgets()}
        assert names >= {"Restore image", "Compare images", "Compare methods"}
        opened = {}
        for _, contributed in npe2pm.iter_sample_data():
            for sample in contributed:
                assert isinstance(sample, SampleDataGenerator)
                opened[sample.key] = sample.open(_registry=npe2pm.commands)
        assert len(opened) == 4
        assert [kind for *_, kind in opened["damaged_scan"]] == ["image", "labels"]


@pytest.mark.window
def test_napari_opens_the_panel_from_the_menu_and_the_samples(make_napari_viewer, npe2pm, manifest):
    from napari._app_model import get_app_model

    with npe2pm.tmp_plugin(manifest=manifest):
        viewer = make_napari_viewer()
        viewer.open_sample("napari-dred", "damaged_scan")
        assert len(viewer.layers) == 2
        menu = get_app_model().menus.get_menu("napari/layers/filter")
        assert "napari-dred.restore" in [item.command.id for item in menu]
        _, panel = viewer.window.add_plugin_dock_widget("napari-dred", "Restore image")
        assert type(panel).__name__ == "RestoreWidget"
        assert panel.form.image.value is viewer.layers[0]
        assert panel.form.mask.value is viewer.layers[1]
