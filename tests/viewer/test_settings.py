"""The preferences: what napari gives is used, and without napari's page the defaults are."""

from __future__ import annotations

from importlib.resources import files

import pytest
from npe2 import PluginManifest

from napari_dred import Parameters
from napari_dred.core.parameters import OUTPUT_DTYPES
from napari_dred.viewer import settings


@pytest.fixture
def page(plugin_settings, npe2pm):
    from napari.settings import get_plugin_settings

    npe2pm.register(PluginManifest.from_file(str(files("napari_dred") / "napari.yaml")))
    return get_plugin_settings("napari-dred").restoration


def test_the_preview_interval_is_that_of_the_preferences(page):
    assert settings.preview_interval() == settings.PREVIEW_INTERVAL
    page.preview_interval = 3
    assert settings.preview_interval() == 3


def test_the_limits_are_those_of_the_page(page):
    for wrong in (settings.SHORTEST / 2, settings.LONGEST * 2):
        with pytest.raises(ValueError, match="preview_interval"):
            page.preview_interval = wrong


def test_without_the_page_the_default_is_taken(plugin_settings):
    assert settings.preview_interval() == settings.PREVIEW_INTERVAL


def test_a_new_panel_begins_as_the_preferences_say(page, make_panel, tmp_path, heard):
    assert settings.preferred() == Parameters()
    weights = tmp_path / "w.pth"
    weights.touch()
    page.device, page.output_dtype, page.weights = "cpu", "float32", str(weights)
    asked = make_panel()[0].form.parameters()
    assert (asked.device, asked.output_dtype, asked.weights) == ("cpu", "float32", str(weights))
    assert asked.replace(threads=None) == settings.preferred()
    assert heard == []
    page.device = "tpu"
    assert settings.preferred() == Parameters(output_dtype="float32", weights=str(weights))
    assert "device is 'tpu'" in heard[0].message


def test_the_page_has_the_parameters_defaults_and_choices(page):
    for name in ("device", "output_dtype"):
        assert getattr(page, name) == getattr(Parameters(), name)
    assert page.weights == ""
    for choice in OUTPUT_DTYPES:
        page.output_dtype = choice
    with pytest.raises(ValueError, match="output_dtype"):
        page.output_dtype = "float64"
