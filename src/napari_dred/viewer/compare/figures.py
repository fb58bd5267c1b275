"""The figures of two planes and a reference as a table of text; no widget, no layer."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_dred import metrics
from napari_dred.core.errors import InputError
from napari_dred.viewer.layers import Plane

#: What stands where there is no figure.
NONE = "–"
Row = tuple[str, ...]
#: The head of a table of two planes.
HEAD = ("Figure", "Before", "After")


def figures(
    before: NDArray[Any],
    after: NDArray[Any],
    reference: NDArray[Any] | None = None,
    residual: NDArray[Any] | None = None,
    pixels: Sequence[tuple[float, str] | None] = (None, None),
) -> tuple[list[Row], list[str]]:
    """Measure both planes.

    Parameters
    ----------
    before, after, reference : (H, W) or (H, W, 3) array
        With a reference PSNR, PSNR-Y (of 8-bit planes) and SSIM are given, without one FRC.
    residual : array, optional
        What the restoration removed; its whiteness is given.
    pixels : two of (float, str) or None
        Size of a pixel of each plane, and its unit.

    Returns
    -------
    rows : list of (name, before, after)
    notes : list of str
        Why figures are missing.
    """
    notes: list[str] = []
    rows: list[Row] = []

    def add(name: str, measure: Callable[[NDArray[Any], int], str]) -> None:
        texts = []
        for i, plane in enumerate((before, after)):
            try:
                texts.append(measure(plane, i))
            except InputError as e:
                texts.append(NONE)
                notes.append(str(e))
        rows.append((name, texts[0], texts[1]))

    if reference is None:
        add("FRC resolution (px)", lambda x, _: period_text(metrics.frc(x).resolution))
        known = [pixel for pixel in pixels if pixel is not None]
        if len(known) == 2 and known[0][1] == known[1][1] != "pixel":

            def in_unit(x: NDArray[Any], i: int) -> str:
                return period_text(metrics.frc(x).resolution, known[i][0])

            add(f"FRC resolution ({known[0][1]})", in_unit)
    else:
        truth = reference
        add("PSNR (dB)", lambda x, _: decibel(metrics.psnr(x, truth)))
        if truth.dtype == np.uint8:
            add("PSNR-Y (dB)", lambda x, _: decibel(metrics.psnr_y(x, truth)))
        add("SSIM", lambda x, _: f"{metrics.ssim(x, truth):.4f}")
    if residual is not None:
        try:
            w = metrics.whiteness(residual)
        except InputError as e:
            notes.append(str(e))
        else:
            rows += [
                ("Residual: next in row", NONE, f"{w.horizontal:+.4f}"),
                ("Residual: next in column", NONE, f"{w.vertical:+.4f}"),
                ("White noise: within ±", NONE, f"{w.bound:.4f}"),
            ]
    return rows, list(dict.fromkeys(notes))


def pixel_of(plane: Plane) -> tuple[float, str] | None:
    """Size of a square pixel and its unit, as 'µm'; None if it is not square."""
    (a, b), (u, v) = ([plane.state[key][axis] for axis in plane.axes] for key in ("scale", "units"))
    return (float(a), f"{u:~P}") if np.isclose(a, b) and u == v else None


def as_text(rows: Sequence[Row], separator: str, head: Row = HEAD) -> str:
    """The table with a head, a line a row, as a spreadsheet takes it."""
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows([head, *rows])
    return text.getvalue()


def decibel(value: float) -> str:
    """A PSNR."""
    return f"{value:.2f}" if math.isfinite(value) else "equal"


def period_text(period: float, pixel: float = 1.0) -> str:
    """A resolution, of pixels of that size."""
    if math.isinf(period):
        return "none"
    return ("≤ " if period == 2 else "") + f"{period * pixel:.3g}"
