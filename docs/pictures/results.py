"""Pictures of results, without a window: before and after, and a run as an animation."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import napari_dred
from napari_dred.before_after import before_after
from napari_dred.core.control import Control
from napari_dred.samples import Sample
from pictures.files import save_animation, save_png

FRAMES, FRAME_MS = 34, 130
FIRST_MS, LAST_MS = 1600, 3000


def make_before_after(path: Path, sample: Sample, iterations: int | None) -> None:
    """The sample beside its restoration; an enlarged one beside the pixels it came from."""
    result = napari_dred.restore(
        sample.image, mask=sample.mask, iterations=iterations, **sample.parameters
    )
    scale = result.parameters.scale
    before, after = _eight_bit(sample.image, result.image)
    picture = before_after(before.repeat(scale, 0).repeat(scale, 1), after)
    save_png(path, Image.open(BytesIO(picture)), exact=True)


def make_animation(path: Path, sample: Sample, iterations: int | None) -> None:
    """The sample beside the image of a run, from its first iterations to its result."""
    control = Control()
    images: list[tuple[str, NDArray[Any]]] = [("damaged", sample.image)]
    stops: set[int] = set()
    for record in napari_dred.solve(
        sample.image,
        sample.mask,
        control=control,
        iterations=iterations,
        **sample.parameters,
    ):
        if isinstance(record, napari_dred.Result):
            images.append(("restored", record.image))
        elif isinstance(record, napari_dred.Step):
            # As the eye sees it: much happens at the start, little at the end.
            stops = stops or {
                round(record.total * t**2.2) + 2 for t in np.linspace(0, 1, FRAMES, endpoint=False)
            }
            if record.image is not None:
                name = f"iteration {record.iteration} of {record.total}"
                images.append((name, np.clip(np.rint(record.image), 0, 255).astype(np.uint8)))
            if record.iteration + 1 in stops:
                control.request_image()
    frames = [_frame(sample.image, image, name) for name, image in images]
    times = [FIRST_MS, *[FRAME_MS] * (len(frames) - 2), LAST_MS]
    save_animation(path, frames, times)


def _frame(before: NDArray[np.uint8], now: NDArray[np.uint8], name: str) -> Image.Image:
    """Before | now, the second under the name of what it is."""
    sheet = Image.open(BytesIO(before_after(before, now))).convert("RGB")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(24)
    draw.rectangle((sheet.width // 2, 0, sheet.width, 43), "white")
    draw.text((3 * sheet.width // 4, 22), name, "black", font, anchor="mm")
    return sheet


def _eight_bit(*images: NDArray[Any]) -> list[NDArray[np.uint8]]:
    """All with the contrast of the last, the cleanest one; 8-bit images as they are."""
    if all(image.dtype == np.uint8 for image in images):
        return list(images)
    low, high = np.percentile(images[-1], (0.5, 99.8))
    return [np.clip(255 * (x - low) / (high - low), 0, 255).astype(np.uint8) for x in images]
