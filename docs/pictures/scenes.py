"""Every picture by its name, and the function that makes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_dred import samples
from pictures import made
from pictures.comparison import make_comparison, make_convergence, make_growth
from pictures.panels import make_compared, make_running
from pictures.results import make_before_after
from pictures.tour import make_tour

#: Name of a file, what makes it (given its path and the iterations), and its suffix.
PICTURES: dict[str, tuple[Callable[[Path, int | None], None], str]] = {}

for _name, _sample in {
    "before-after": samples.damaged_scan,
    "confocal-before-after": made.noisy_confocal,
    "wide-field-before-after": made.blurred_wide_field,
}.items():
    PICTURES[_name] = (lambda p, n, s=_sample: make_before_after(p, s(), n)), ".png"
PICTURES["restoring"] = make_tour, ".webp"
PICTURES["window"] = make_running, ".png"
PICTURES["compare"] = make_compared, ".png"
for _name, _entry in {
    "scratches-and-stains": "Damaged scan with its mask",
    "noisy-confocal": "Noisy micrograph",
    "blurred-wide-field": "Blurred page",
    "low-resolution": "Low-resolution retina",
}.items():
    PICTURES[_name] = (
        (lambda p, n, entry=_entry: make_compared(p, n, entry, "Preview", "Restore image")),
        ".png",
    )
PICTURES["paper-figure-4"] = make_comparison, ".png"
PICTURES["paper-convergence"] = make_convergence, ".png"
PICTURES["growth"] = make_growth, ".png"
