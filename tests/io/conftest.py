"""What the tests of image files share: small images, and files that other libraries wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image, ImageCms

_RNG = np.random.default_rng(0)
GRAY = _RNG.integers(0, 256, (11, 7), dtype=np.uint8)
RGB = _RNG.integers(0, 256, (11, 7, 3), dtype=np.uint8)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(path: Path, data: np.ndarray | Image.Image, **options: Any) -> Path:
    """Write with the libraries themselves, not with the code under test."""
    if path.suffix == ".tif":
        tifffile.imwrite(path, data, **options)
    else:
        image = data if isinstance(data, Image.Image) else Image.fromarray(data)
        image.save(path, **options)
    return path
