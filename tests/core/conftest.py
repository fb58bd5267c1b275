"""What the tests of whole runs share: a small image, a mask, and a run that takes no time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage import data

TINY: dict[str, Any] = {
    "iterations": 3,
    "width": 8,
    "depth": 2,
    "sigma": 10,
    "polish": 0,
    "blend": 0,
}


def image_of(dtype: type = np.uint8, channels: int | None = None) -> NDArray[Any]:
    a = data.astronaut()[100:132, 150:190]
    a = a[..., 0] if channels is None else np.concatenate([a, a], -1)[..., :channels]
    return a.astype(dtype)


def stripes_of() -> NDArray[np.bool_]:
    mask = np.zeros(image_of().shape[:2], bool)
    mask[10:15, 3:-3] = True
    return mask
