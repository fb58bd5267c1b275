"""Where a large image, or a stack of them, is looked at for its noise: crops far apart."""

from __future__ import annotations

CROP = 1024  # pixels a side
_CORNERS = (0.5, 0.5), (0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0)  # 0.5: the middle


def crops(shape: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """Top, bottom, left and right of each, of which some coincide in an image hardly larger."""
    height, width = (min(n, CROP) for n in shape)
    corners = [(round(y * (shape[0] - height)), round(x * (shape[1] - width))) for y, x in _CORNERS]
    return [(top, top + height, left, left + width) for top, left in corners]
