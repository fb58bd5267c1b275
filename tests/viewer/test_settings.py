"""The preferences: what napari gives is used, and without napari's page the defaults are."""

from __future__ import annotations

from importlib.resources import files

import pytest
from npe2 import PluginManifest

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
