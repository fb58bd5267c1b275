"""The demo's picture."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from napari_dred.before_after import GAP, HEAD, before_after


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3)])
def test_both_images_are_there_pixel_by_pixel(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(2)]
    with Image.open(BytesIO(before_after(*images))) as picture:
        sheet = np.array(picture)
    for column, image in enumerate(images):
        left = GAP + column * (120 + GAP)
        colour = image if image.ndim == 3 else image[..., None].repeat(3, axis=-1)
        for shift in (0, 1):
            part = sheet[HEAD + shift : HEAD + 80 : 2, left + shift : left + 120 : 2]
            np.testing.assert_array_equal(part, colour)
        assert sheet[:HEAD, left : left + 120].min() < 128  # its name stands above it
