"""What the user chose on the plugin's page of napari's preferences."""

from __future__ import annotations

import os
from typing import Any

from napari.settings import get_plugin_settings
from napari.utils.notifications import show_warning

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.text import sentence

#: Seconds between two previews: the default, the shortest and the longest.
PREVIEW_INTERVAL, SHORTEST, LONGEST = 0.5, 0.1, 60.0


def preview_interval() -> float:
    """Seconds between two images of a run, as the preferences say."""
    return min(max(float(_chosen("preview_interval", PREVIEW_INTERVAL)), SHORTEST), LONGEST)


def threads() -> int:
    """All cores but one, which is left to the window."""
    usable = getattr(os, "sched_getaffinity", None)
    return max(1, (len(usable(0)) if usable else os.cpu_count() or 1) - 1)


def preferred() -> Parameters:
    """What a new panel begins with; a value that is not allowed is said, and not taken."""
    default = Parameters()
    parameters = default
    for name in ("device", "output_dtype", "weights"):
        value = _chosen(name, getattr(default, name))
        try:
            parameters = parameters.replace(**{name: value or None if name == "weights" else value})
        except InputError as e:
            show_warning(sentence(f"in the preferences of napari-dred, {e}"))
    return parameters


def _chosen(name: str, default: Any) -> Any:
    try:
        return getattr(get_plugin_settings("napari-dred").restoration, name)
    except KeyError:  # used as a library: napari has not registered the plugin
        return default
