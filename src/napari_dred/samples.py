"""Sample images with known damage, made when asked for from scikit-image's pictures; no network.

The pictures are read from the files that lie in the scikit-image wheel itself,
so that nothing is ever downloaded. No napari here: the plugin turns a `Sample`
into layers, the command line's demo into a file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SEED = 20240630


@dataclass(frozen=True)
class Sample:
    """A damaged image, and what it was made from.

    Attributes
    ----------
    name : str
        For people.
    image : (H, W) or (H, W, 3) uint8 array
    clean : uint8 array
        What a perfect restoration would give; larger than `image` in super-resolution.
    mask : (H, W) bool array or None
        True = missing.
    parameters : dict
        Fields of `Parameters` that describe the damage (`sigma`, `scale`, `blur_sigma`).
    """

    name: str
    image: NDArray[np.uint8] = field(repr=False)
    clean: NDArray[np.uint8] = field(repr=False)
    mask: NDArray[np.bool_] | None = field(default=None, repr=False)
    parameters: dict[str, Any] = field(default_factory=dict)


def damaged_scan() -> Sample:
    """A portrait with scratches, stains and noise: (256, 256, 3), with its mask."""
    from scipy.ndimage import gaussian_filter, gaussian_filter1d
    from skimage.draw import disk

    rng = _rng("damaged scan")
    clean = _resized(_picture("astronaut.png")[:400, 30:430], 256)
    shape = clean.shape[:2]

    scratches = np.zeros(shape, bool)
    for _ in range(12):
        start, length = int(rng.integers(-60, 200)), int(rng.integers(60, 260))
        rows = np.arange(max(start, 0), min(start + length, shape[0]))
        wander = np.cumsum(gaussian_filter1d(rng.normal(0, 1.5, rows.size), 6))
        columns = rng.uniform(0, shape[1]) + rng.normal(0, 0.25) * np.arange(rows.size) + wander
        for shift in range(int(rng.integers(1, 4))):
            inside = (columns + shift >= 0) & (columns + shift < shape[1])
            scratches[rows[inside], (columns + shift)[inside].astype(int)] = True

    texture = gaussian_filter(rng.normal(size=shape), 3)
    texture /= texture.std()
    stains = np.zeros(shape, bool)
    for row, column, radius in ((40, 46, 17), (207, 58, 15), (150, 226, 17), (100, 112, 8)):
        around = np.zeros(shape, bool)
        around[disk((row, column), radius, shape=shape)] = True
        # A soft disk cut where it meets the texture has a ragged edge and no holes.
        stains |= gaussian_filter(around.astype(float), radius / 4) + 0.12 * texture > 0.55

    image = clean.astype(np.float64)
    image[stains] = (104, 76, 48) + 12 * texture[stains, None]
    image[scratches] = 235
    sigma = 12.0
    noisy = _noisy(image, sigma, rng)
    return Sample("Damaged scan", noisy, clean, scratches | stains, {"sigma": sigma})


def noisy_micrograph() -> Sample:
    """Stained tissue with strong noise: (256, 256, 3)."""
    clean = _picture("ihc.png")[100:356, 120:376]
    sigma = 25.0
    noisy = _noisy(clean, sigma, _rng("noisy micrograph"))
    return Sample("Noisy micrograph", noisy, clean, parameters={"sigma": sigma})


def blurred() -> Sample:
    """A printed page out of focus, with a little noise: (179, 372)."""
    from scipy.ndimage import gaussian_filter

    page, blur_sigma, sigma, margin = _picture("page.png"), 1.6, 2.0, 6
    # Cut out after blurring: as in a real picture, what lay outside has blurred into it.
    inside = (slice(margin, -margin), slice(margin, -margin))
    soft = gaussian_filter(page.astype(np.float64), blur_sigma)[inside]
    noisy = _noisy(soft, sigma, _rng("blurred page"))
    parameters = {"blur_sigma": blur_sigma, "sigma": sigma}
    return Sample("Blurred page", noisy, page[inside].copy(), parameters=parameters)


def low_resolution() -> Sample:
    """A retina at half its resolution, with a little noise: (128, 128, 3) for (256, 256, 3)."""
    clean = _resized(_picture("retina.jpg")[200:1224, 180:1204], 256)
    sigma = 3.0
    noisy = _noisy(_resized(clean, 128), sigma, _rng("low resolution"))
    return Sample("Low-resolution retina", noisy, clean, parameters={"scale": 2, "sigma": sigma})


SAMPLES: dict[str, Callable[[], Sample]] = {
    "damaged_scan": damaged_scan,
    "noisy_micrograph": noisy_micrograph,
    "blurred": blurred,
    "low_resolution": low_resolution,
}


def _picture(name: str) -> NDArray[np.uint8]:
    """A picture from the scikit-image wheel: (H, W) or (H, W, 3) uint8."""
    from PIL import Image

    with files("skimage").joinpath("data", name).open("rb") as f, Image.open(f) as image:
        return np.array(image)


def _resized(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Make an RGB image (side, side, 3) with antialiased Lanczos-3."""
    from PIL import Image

    return np.array(Image.fromarray(image).resize((side, side), Image.Resampling.LANCZOS))


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng([_SEED, *name.encode()])


def _noisy(image: NDArray[Any], sigma: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    noisy = np.rint(image + rng.normal(0, sigma, image.shape))
    return np.clip(noisy, 0, 255).astype(np.uint8)
