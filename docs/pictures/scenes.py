"""Every picture by its name, and the function that makes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_dred import samples
from pictures import made
from pictures.panels import make_compared, make_running
from pictures.results import make_animation, make_before_after

#: Name of a file, what makes it (given its path and the iterations), and its suffix.
PICTURES: dict[str, tuple[Callable[[Path, int | None], None], str]] = {}

for _name, _sample in {
    "before-after": samples.damaged_scan,
    "confocal-before-after": made.noisy_confocal,
    "wide-field-before-after": made.blurred_wide_field,
    "low-resolution-before-after": samples.low_resolution,
}.items():
    PICTURES[_name] = (lambda p, n, s=_sample: make_before_after(p, s(), n)), ".png"
PICTURES["restoring"] = (lambda p, n: make_animation(p, samples.damaged_scan(), n)), ".webp"
PICTURES["window"] = make_running, ".png"
PICTURES["compare"] = make_compared, ".png"
