"""The page that shows what a batch made: a row for each image, with thumbnails."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_dred.core.errors import InputError
from napari_dred.core.values import sample_value
from napari_dred.io.axes import Place
from napari_dred.io.stack import open_stack
from napari_dred.io.write import replace_file
from napari_dred.text import duration

SIDE = 192  # pixels of a thumbnail
#: Of the samples, what is shown black and white: a few may lie far off.
SHOWN = (0.5, 99.8)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Restored images</title><style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }}
table {{ border-collapse: collapse }}
th, td {{ text-align: left; vertical-align: top; padding: .4em 1em .4em 0 }}
td {{ border-top: 1px solid #ccc }}
img {{ image-rendering: pixelated; display: block }}
.failed {{ color: #a00 }}
</style></head><body>
<h1>Restored images</h1>
<p>{count}</p>
<table><tr><th>Image</th><th>Before</th><th>After</th><th>Noise level</th><th>Time</th></tr>
{rows}
</table></body></html>
"""

Row = tuple[Path, Path | None, Mapping[str, Any], str]


def write_report(path: Path, rows: Sequence[Row]) -> None:
    """Write one page that needs no other file.

    Parameters
    ----------
    path : Path
    rows : sequence of (source, target, record, why)
        The target is None, and `why` says why, where an image could not be restored.
    """
    failed = sum(target is None for _, target, _, _ in rows)
    count = f"{len(rows) - failed} of {len(rows)} images were restored."
    page = _PAGE.format(count=count, rows="\n".join(_row(*row) for row in rows))
    replace_file(path, page.encode())


def _row(source: Path, target: Path | None, record: Mapping[str, Any], why: str) -> str:
    name = f"<td>{escape(source.as_posix())}</td>"
    if target is None:
        return f'<tr>{name}<td colspan="4" class="failed">{escape(why)}</td></tr>'
    levels = [c["sigma"] for c in record.get("channels", [])] or [record.get("sigma", 0.0)]
    noise = ", ".join(sample_value(level) for level in levels)
    time = duration(record["seconds"]) if "seconds" in record else ""
    pictures = "".join(f"<td>{tag}</td>" for tag in _pair(source, target, record))
    return f"<tr>{name}{pictures}<td>{noise}</td><td>{escape(time)}</td></tr>"


def _pair(source: Path, target: Path, record: Mapping[str, Any]) -> tuple[str, str]:
    """Both images with the same black and white."""
    planes = record.get("planes") or dict.fromkeys("TCZ", (0, 1))
    middle = Place(planes["T"][0], planes["C"][0], sum(planes["Z"]) // 2)
    here = Place(0, 0, middle.z - planes["Z"][0])
    try:
        before, after = _small(source, middle, record.get("axes")), _small(target, here, None)
    except InputError as e:
        return escape(str(e)), ""
    finite = before[np.isfinite(before)]
    low, high = np.percentile(finite, SHOWN) if finite.size else (0.0, 1.0)
    return _tag(before, low, high), _tag(after, low, high)


def _small(path: Path, place: Place, axes: str | None) -> NDArray[np.float64]:
    with open_stack(path, axes) as stack:
        step = max(1, -(-max(stack.shape) // SIDE))
        data = stack.plane(place, (slice(None, None, step), slice(None, None, step)))
    data = data[..., :3] if data.ndim == 3 and data.shape[2] > 2 else data
    return np.asarray(data[..., 0] if data.ndim == 3 and data.shape[2] == 2 else data, float)


def _tag(image: NDArray[np.float64], low: float, high: float) -> str:
    unit = np.nan_to_num((image - low) / max(high - low, 1e-12))
    buffer = BytesIO()
    Image.fromarray(np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)).save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="" width="{image.shape[1]}" src="data:image/png;base64,{text}">'
