"""What Pillow decodes: PNG, JPEG, and the TIFFs that tifffile alone does not."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageOps

from napari_dred.core.errors import InputError
from napari_dred.io.guard import check_memory, of_any_size, size_text
from napari_dred.io.picture import Picture
from napari_dred.io.resolution import Resolution

# What an image of each mode with up to 8 bits becomes.
_WANTED = {
    **{"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "YCbCr": "RGB"},
    **{"LA": "LA", "La": "LA", "PA": "RGBA", "RGBA": "RGBA", "RGBa": "RGBA", "RGBX": "RGBA"},
}


def read_with_pillow(path: Path, formats: tuple[str, ...]) -> Picture:
    """Decode a file, upright.

    Parameters
    ----------
    path : Path
    formats : tuple of str
        What the file may be, in Pillow's names.

    Raises
    ------
    InputError
        For what cannot be taken without a loss.
    """
    with of_any_size(), Image.open(path, formats=formats) as opened:
        kind, frames = opened.format, getattr(opened, "n_frames", 1)
        # A camera's MPO holds previews behind the image; a TIFF was counted before.
        if frames > 1 and kind not in ("MPO", "TIFF"):
            raise InputError(
                f"{path}: the file holds {frames} images of {size_text(opened.size[::-1])}; "
                "give one image"
            )
        check_memory(path, opened.size, 4 * len(opened.getbands()))
        deep = kind == "PNG" and any("16B" in str(tile[3]) for tile in opened.tile)
        if deep and opened.mode not in ("I;16", "I"):  # Pillow would cut it down to 8 bits
            raise InputError(
                f"{path}: PNG with 16 bits is read for gray only, without alpha; "
                "save the image as a 16-bit TIFF"
            )
        icc_profile = opened.info.get("icc_profile") or None
        x, y = opened.info.get("dpi", (0, 0))
        resolution = Resolution.of(x, y, "inch")
        if resolution:
            resolution = resolution.turned(opened.getexif().get(ExifTags.Base.Orientation, 1))
        image = ImageOps.exif_transpose(opened)
        image.load()
    notes: tuple[str, ...] = ()
    if image.mode == "CMYK":
        image, icc_profile = _rgb_from_cmyk(image, icc_profile), None
        notes = ("The CMYK image was converted to RGB.",)
    samples, alpha = _arrays(path, image)
    if deep:
        samples = samples.astype(np.uint16)
    return Picture(samples, alpha, False, icc_profile, resolution, notes)


def _arrays(path: Path, image: Image.Image) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Samples and alpha of a Pillow image, whatever its mode."""
    see_through = image.info.get("transparency")
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        gray = np.array(image).astype(np.uint16 if ";" in image.mode else None, copy=False)
        if see_through is None:
            return gray, None
        return gray, np.where(gray == see_through, 0, 65535).astype(np.uint16)
    wanted = _WANTED.get(image.mode)
    if wanted is None:
        raise InputError(f"{path}: {image.mode} images are not read; convert it to RGB")
    if see_through is not None and not wanted.endswith("A"):
        wanted += "A"
    data = np.array(image if image.mode == wanted else image.convert(wanted))
    if not wanted.endswith("A"):
        return data, None
    samples = data[..., 0] if wanted == "LA" else data[..., :3]
    return np.ascontiguousarray(samples), np.ascontiguousarray(data[..., -1])


def _rgb_from_cmyk(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    if icc_profile:
        with suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if converted is not None:
                return converted
    return image.convert("RGB")
