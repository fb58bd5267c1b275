"""What the user chose on the plugin's page of napari's preferences."""

from __future__ import annotations

from typing import Any

from napari.settings import get_plugin_settings

#: Seconds between two previews: the default, the shortest and the longest.
PREVIEW_INTERVAL, SHORTEST, LONGEST = 0.5, 0.1, 60.0


def preview_interval() -> float:
    """Seconds between two images of a run, as the preferences say."""
    return min(max(float(_chosen("preview_interval", PREVIEW_INTERVAL)), SHORTEST), LONGEST)


def _chosen(name: str, default: Any) -> Any:
    try:
        return getattr(get_plugin_settings("napari-dred").restoration, name)
    except KeyError:  # used as a library: napari has not registered the plugin
        return default
