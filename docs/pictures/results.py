"""Pictures of results, without a window: before and after."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import napari_dred
from napari_dred.before_after import before_after
from napari_dred.samples import Sample
from pictures.files import save_png


def make_before_after(path: Path, sample: Sample, iterations: int | None) -> None:
    """The sample beside its restoration; an enlarged one beside the pixels it came from."""
    result = napari_dred.restore(
        sample.image, mask=sample.mask, iterations=iterations, **sample.parameters
    )
    scale = result.parameters.scale
    before, after = _eight_bit(sample.image, result.image)
    picture = before_after(before.repeat(scale, 0).repeat(scale, 1), after)
    save_png(path, Image.open(BytesIO(picture)), exact=True)


def _eight_bit(*images: NDArray[Any]) -> list[NDArray[np.uint8]]:
    """All with the contrast of the last, the cleanest one; 8-bit images as they are."""
    if all(image.dtype == np.uint8 for image in images):
        return list(images)
    low, high = np.percentile(images[-1], (0.5, 99.8))
    return [np.clip(255 * (x - low) / (high - low), 0, 255).astype(np.uint8) for x in images]
