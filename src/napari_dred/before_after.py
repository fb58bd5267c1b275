"""Two images side by side under their names: the picture that the demo writes."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

ZOOM, GAP, HEAD = 2, 16, 44


def before_after(before: NDArray[Any], after: NDArray[Any]) -> bytes:
    """Compose both images, each pixel a square of 2 x 2.

    Parameters
    ----------
    before, after : (H, W) or (H, W, 3) uint8 array

    Returns
    -------
    bytes
        Content of a PNG file.
    """
    height, width = (ZOOM * n for n in before.shape[:2])
    sheet = Image.new("RGB", (2 * width + 3 * GAP, height + HEAD + GAP), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(24)
    for column, (name, image) in enumerate((("before", before), ("after", after))):
        left = GAP + column * (width + GAP)
        picture = Image.fromarray(image).convert("RGB")
        sheet.paste(picture.resize((width, height), Image.Resampling.NEAREST), (left, HEAD))
        draw.text((left + width // 2, HEAD // 2), name, "black", font, anchor="mm")
    buffer = BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()
