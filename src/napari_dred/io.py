"""Image files in and out: TIFF, PNG and JPEG, one plane each, with what lies beside the samples.

What is in the files' pixels but not for the solver (alpha) and what is not in
the pixels at all (resolution, ICC profile) travels in a `Picture`. No solver here.
"""

from __future__ import annotations

import dataclasses
import math
import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_dred.core.errors import InputError

if TYPE_CHECKING:
    from PIL import Image
    from tifffile import TiffFile, TiffPage

TIFF_SUFFIXES = (".tif", ".tiff")
PNG_SUFFIX = ".png"

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_JPEG_MAGIC = b"\xff\xd8\xff"

_CENTIMETRES = {"nm": 1e-7, "um": 1e-4, "mm": 0.1, "cm": 1.0, "inch": 2.54, "m": 100.0}
_SPELLINGS = {
    "\N{MICRO SIGN}m": "um",
    "\N{GREEK SMALL LETTER MU}m": "um",
    "\\u00B5m": "um",  # as ImageJ escapes it
    "micron": "um",
    "microns": "um",
    "in": "inch",
}


@dataclass(frozen=True)
class Resolution:
    """How large a pixel is.

    Attributes
    ----------
    x, y : float
        Pixels per unit along the columns and along the rows.
    unit : str
        'inch', 'cm', another name of a length ('um', 'nm', ...), or 'none'
        where only the ratio of the two means something.
    """

    x: float
    y: float
    unit: str

    def scaled(self, factor: float) -> Resolution:
        """Give the resolution of the same scene with `factor` times the pixels a side."""
        return Resolution(self.x * factor, self.y * factor, self.unit)

    def per_centimetre(self) -> tuple[float, float] | None:
        """Pixels per centimetre along x and y, None where the unit is no known length."""
        size = _CENTIMETRES.get(self.unit)
        return None if size is None else (self.x / size, self.y / size)


@dataclass(frozen=True)
class Picture:
    """One plane of an image file.

    Attributes
    ----------
    samples : (H, W) or (H, W, 3) array
        Gray or RGB, in the file's own dtype and values.
    alpha : (H, W) array or None
    premultiplied : bool
        Whether the samples were multiplied by alpha (TIFF's "associated" alpha).
    icc_profile : bytes or None
        As it stands in the file.
    resolution : Resolution or None
    notes : tuple of str
        Sentences for the user on what was converted.
    """

    samples: NDArray[Any]
    alpha: NDArray[Any] | None = None
    premultiplied: bool = False
    icc_profile: bytes | None = None
    resolution: Resolution | None = None
    notes: tuple[str, ...] = ()

    def restored(self, samples: NDArray[Any], factor: int = 1) -> Picture:
        """Give the picture with other samples, and with all the rest made to fit them.

        Parameters
        ----------
        samples : (H * factor, W * factor) or (H * factor, W * factor, C) array
            Any dtype; an integer alpha keeps its fraction of full scale in it.
        factor : int
            Pixels along each side for one of this picture.
        """
        alpha = self.alpha
        if alpha is not None:
            alpha = _converted_alpha(_enlarged(alpha, factor), samples.dtype)
        resolution = self.resolution and self.resolution.scaled(factor)
        return dataclasses.replace(self, samples=samples, alpha=alpha, resolution=resolution)


def read_picture(path: str | os.PathLike[str]) -> Picture:
    """Read one plane from a TIFF, PNG or JPEG file.

    The orientation that the file asks for is applied. Palette and CMYK images
    become RGB, one-bit images 8-bit gray.

    Parameters
    ----------
    path : path-like
        The content decides what kind of file it is, not the suffix.

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        If the file is missing, empty, damaged, of another kind, too large for
        the machine, or holds more than one plane.
    """
    path = Path(path)
    with _reading(path):
        if _kind(path) == "TIFF":
            picture = _read_tiff(path)
        else:
            picture = _read_with_pillow(path, ("PNG", "JPEG"))
    return picture


def read_mask(path: str | os.PathLike[str], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Read a mask: a pixel that is not zero in any colour channel is missing.

    Parameters
    ----------
    path : path-like
        TIFF or PNG; alpha is ignored.
    shape : tuple of int
        That of the image, (H, W) or (H, W, C).

    Returns
    -------
    (H, W) bool array
        True = missing.

    Raises
    ------
    InputError
        If the file cannot be read, is a JPEG, or has another size.
    """
    path = Path(path)
    with _reading(path):
        if _kind(path) == "JPEG":
            raise InputError(
                f"{path}: a JPEG cannot be a mask, its zeros do not stay zero; use PNG or TIFF"
            )
    samples = read_picture(path).samples
    mask: NDArray[np.bool_] = np.any(np.atleast_3d(samples) != 0, axis=-1)
    if mask.shape != shape[:2]:
        raise InputError(
            f"{path}: the mask is {_size(mask.shape)} but the image is {_size(shape)}; "
            "they must have the same size"
        )
    return mask


def read_psf(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read a blur kernel.

    Parameters
    ----------
    path : path-like
        A gray TIFF or PNG, or a two-dimensional .npy array.

    Returns
    -------
    (h, w) array

    Raises
    ------
    InputError
        If the file cannot be read or is not two-dimensional and gray.
    """
    path = Path(path)
    if path.suffix.lower() == ".npy":
        with _reading(path):
            # A memory map refuses a header that promises more than the file holds.
            psf = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    else:
        psf = read_picture(path).samples
    if psf.ndim != 2 or psf.size == 0:
        raise InputError(f"{path}: a PSF must be one gray plane, not of shape {psf.shape}")
    if psf.dtype.kind not in "buif":
        raise InputError(f"{path}: a PSF must hold real numbers, not {psf.dtype}")
    return psf


def check_output(
    path: str | os.PathLike[str],
    dtype: DTypeLike,
    *,
    colour: bool = False,
    alpha: bool = False,
    premultiplied: bool = False,
) -> None:
    """Refuse what `write_picture` could not write, before anything is computed.

    Parameters
    ----------
    path : path-like
    dtype : dtype-like
        Of the samples.
    colour, alpha, premultiplied : bool
        Whether there are three channels, an alpha channel, and one that the
        samples are multiplied by.

    Raises
    ------
    InputError
        For a suffix, or samples, that cannot be written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*TIFF_SUFFIXES, PNG_SUFFIX):
        raise InputError(f"{path}: the output's name must end in .tif, .tiff or .png")
    dtype = np.dtype(dtype)
    if suffix in TIFF_SUFFIXES:
        if _is_ome(path) and (dtype == np.float16 or dtype in (np.int64, np.uint64)):
            raise InputError(f"{path}: OME-TIFF cannot hold {dtype} samples; write a plain .tif")
        return
    if dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"{path}: PNG cannot hold {dtype} samples; write a TIFF (.tif), "
            "or choose another output dtype"
        )
    if dtype == np.uint16 and (colour or alpha):
        what = "colour" if colour else "transparency"
        raise InputError(
            f"{path}: PNG with 16 bits is written for gray only, without alpha, "
            f"and this image has {what}; write a TIFF (.tif)"
        )
    if premultiplied:
        raise InputError(
            f"{path}: PNG cannot hold samples multiplied by their alpha; write a TIFF (.tif)"
        )


def write_picture(path: str | os.PathLike[str], picture: Picture) -> None:
    """Write a TIFF or PNG file, whole or not at all; a file of that name is replaced.

    Parameters
    ----------
    path : path-like
        Ends in .tif, .tiff or .png.
    picture : Picture

    Raises
    ------
    InputError
        If the kind of file cannot hold these samples.
    OSError
        If it cannot be written.
    """
    path = Path(path).resolve()  # a link stays a link, what it points to is replaced
    check_output(
        path,
        picture.samples.dtype,
        colour=picture.samples.ndim == 3,
        alpha=picture.alpha is not None,
        premultiplied=picture.premultiplied,
    )
    encode = _png_bytes if path.suffix.lower() == PNG_SUFFIX else _tiff_bytes
    replace_file(path, encode(path, picture))


def replace_file(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary one beside it, so that it is whole or not there.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    part = path.with_name(f".{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        part.replace(path)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


# Reading


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn all that a file can do to a decoder into an `InputError` that names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders warn of much that does no harm
            yield
    except (InputError, MemoryError):
        raise
    except OSError as e:
        raise InputError(f"{path}: {e.strerror or e}") from e
    except Exception as e:  # on a damaged file a decoder may raise anything
        raise InputError(f"{path}: cannot be read, it may be damaged ({e})") from e


def _kind(path: Path) -> str:
    with path.open("rb") as f:
        head = f.read(8)
    if not head:
        raise InputError(f"{path}: the file is empty")
    if head.startswith(_TIFF_MAGIC):
        return "TIFF"
    if head == _PNG_MAGIC:
        return "PNG"
    if head.startswith(_JPEG_MAGIC):
        return "JPEG"
    raise InputError(f"{path}: this is not a TIFF, PNG or JPEG file")


def _check_memory(path: Path, shape: tuple[int, ...], bytes_per_sample: int) -> None:
    """Refuse what a header promises before memory is taken for it."""
    import psutil

    need, have = math.prod(shape) * bytes_per_sample, psutil.virtual_memory().available
    # Decoding holds a copy; a restoration needs many times this, which its plan tells.
    if 2 * need > have:
        raise InputError(
            f"{path}: an image of shape {shape} takes {need / 2**30:.3g} GiB, and only "
            f"{have / 2**30:.3g} GiB of memory are free; crop it"
        )


def _read_with_pillow(path: Path, formats: tuple[str, ...]) -> Picture:
    from PIL import Image, ImageOps

    with Image.open(path, formats=formats) as opened:
        kind, frames = opened.format, getattr(opened, "n_frames", 1)
        # A camera's MPO holds previews behind the image; a TIFF was counted before.
        if frames > 1 and kind not in ("MPO", "TIFF"):
            raise InputError(
                f"{path}: the file holds {frames} images of {_size(opened.size[::-1])}; "
                "give one image"
            )
        _check_memory(path, opened.size, 4 * len(opened.getbands()))
        deep = kind == "PNG" and any("16B" in str(tile[3]) for tile in opened.tile)
        if deep and opened.mode not in ("I;16", "I"):  # Pillow would cut it down to 8 bits
            raise InputError(
                f"{path}: PNG with 16 bits is read for gray only, without alpha; "
                "save the image as a 16-bit TIFF"
            )
        icc_profile = opened.info.get("icc_profile")
        x, y = opened.info.get("dpi", (0, 0))
        resolution = _resolution(x, y, "inch")
        if resolution and opened.getexif().get(0x0112, 1) in (5, 6, 7, 8):
            resolution = Resolution(resolution.y, resolution.x, resolution.unit)
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
    wanted = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "YCbCr": "RGB"}.get(image.mode)
    wanted = {"LA": "LA", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}.get(image.mode, wanted)
    if image.mode in ("RGBA", "RGBX"):
        wanted = image.mode[:3] + "A"
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
    from PIL import ImageCms

    if icc_profile:
        with suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if converted is not None:
                return converted
    return image.convert("RGB")


def _read_tiff(path: Path) -> Picture:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page, shape, axes = _only_plane(path, tiff)
        _check_memory(path, shape, max(1, page.dtype.itemsize if page.dtype else 1))
        end = max((o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False)))
        if end > path.stat().st_size:
            raise InputError(
                f"{path}: the file is truncated, {path.stat().st_size} bytes of at least {end}"
            )
        tags = {name: page.tags.valueof(name) for name in ("Orientation", "InterColorProfile")}
        resolution = _tiff_resolution(tiff, page)
        picture = _tiff_samples(path, page, axes)
    if picture is None:  # what tifffile leaves to Pillow, which also turns it upright
        picture = _read_with_pillow(path, ("TIFF",))
        if page.bitspersample >= 8 and picture.samples.dtype != page.dtype:
            raise InputError(
                f"{path}: {page.dtype} samples are not read from this kind of TIFF; "
                "save the image uncompressed"
            )
        profile = picture.icc_profile
    else:
        profile = tags["InterColorProfile"]
        turn = tags["Orientation"] or 1
        samples, alpha = (
            None if a is None else np.ascontiguousarray(_upright(a, turn))
            for a in (picture.samples, picture.alpha)
        )
        assert samples is not None
        picture = dataclasses.replace(picture, samples=samples, alpha=alpha)
    if resolution and (tags["Orientation"] or 1) in (5, 6, 7, 8):
        resolution = Resolution(resolution.y, resolution.x, resolution.unit)
    return dataclasses.replace(
        picture, icc_profile=bytes(profile) if profile else None, resolution=resolution
    )


def _only_plane(path: Path, tiff: TiffFile) -> tuple[TiffPage, tuple[int, ...], str]:
    """The page, shape and axes of the one plane that the file holds."""
    import tifffile

    # Reduced images behind the first are thumbnails.
    series = [s for s in tiff.series if s is tiff.series[0] or not s.keyframe.is_reduced]
    plane, page = series[0], series[0].keyframe
    shape, axes = plane.shape, plane.axes
    if len(series) > 1:
        raise InputError(
            f"{path}: the file holds {len(series)} images, the first of shape {shape}; give one"
        )
    if axes not in ("YX", "YXS", "SYX") or not isinstance(page, tifffile.TiffPage):
        raise InputError(
            f"{path}: the file holds a stack of shape {shape} (axes {axes}); give a single plane"
        )
    if 0 in shape:
        raise InputError(f"{path}: the image is empty, its shape is {shape}")
    return page, shape, axes


def _tiff_samples(path: Path, page: TiffPage, axes: str) -> Picture | None:
    """What tifffile makes of the page, or None if that is Pillow's part."""
    from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC

    photometric, bits, dtype = page.photometric, page.bitspersample, page.dtype
    if dtype is None or dtype.kind not in "buif" or (bits > 8 and dtype.itemsize * 8 != bits):
        raise InputError(f"{path}: {bits}-bit samples ({dtype}) are not read; use 8 or 16 bits")
    plain = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB)
    built_in = (COMPRESSION.NONE, COMPRESSION.ADOBE_DEFLATE, COMPRESSION.DEFLATE)
    if (
        photometric not in plain
        or bits < 8
        or page.compression not in built_in
        or page.predictor not in (1, 2)
    ):
        if bits > 8 and page.samplesperpixel > 1:  # Pillow would cut it down to 8 bits
            raise InputError(
                f"{path}: {bits}-bit colour compressed by {COMPRESSION(page.compression).name} "
                "is not read; save the image uncompressed or with Deflate"
            )
        return None
    data = page.asarray()
    if axes == "SYX":
        data = np.moveaxis(data, 0, -1)
    colours = 3 if photometric == PHOTOMETRIC.RGB else 1
    extra = page.extrasamples
    if page.samplesperpixel - colours != len(extra) or len(extra) > 1:
        raise InputError(
            f"{path}: {page.samplesperpixel} channels (shape {data.shape}) are not read; "
            "give gray or RGB, with or without alpha"
        )
    alpha = data[..., -1] if extra else None
    samples = data if data.ndim == 2 else data[..., :3] if colours == 3 else data[..., 0]
    if photometric == PHOTOMETRIC.MINISWHITE and dtype.kind == "u":
        samples = (2**bits - 1 - samples).astype(samples.dtype)
    return Picture(samples, alpha, EXTRASAMPLE.ASSOCALPHA in extra)


def _upright(a: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply a TIFF or EXIF orientation (1 to 8) to an (H, W) or (H, W, C) array."""
    if orientation in (5, 6, 7, 8):
        a = a.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        a = a[::-1]
    if orientation in (2, 3, 6, 7):
        a = a[:, ::-1]
    return a


def _resolution(x: Any, y: Any, unit: str) -> Resolution | None:
    x, y, unit = float(x), float(y), _SPELLINGS.get(unit, unit)
    if not (0 < x < math.inf and 0 < y < math.inf) or (unit == "none" and x == y == 1):
        return None
    return Resolution(x, y, unit)


def _tiff_resolution(tiff: TiffFile, page: TiffPage) -> Resolution | None:
    if tiff.is_ome and tiff.ome_metadata:
        pixels = ElementTree.fromstring(tiff.ome_metadata).find(".//{*}Pixels")
        sizes = {} if pixels is None else pixels.attrib
        if "PhysicalSizeX" in sizes and "PhysicalSizeY" in sizes:
            unit = sizes.get("PhysicalSizeXUnit", "um")
            if unit == sizes.get("PhysicalSizeYUnit", "um"):
                x, y = (float(sizes[f"PhysicalSize{a}"]) for a in "XY")
                return _resolution(1 / x, 1 / y, unit) if x > 0 and y > 0 else None
    x, y = (_ratio(page.tags.valueof(name)) for name in ("XResolution", "YResolution"))
    unit = {2: "inch", 3: "cm"}.get(int(page.tags.valueof("ResolutionUnit", 2)), "none")
    imagej_unit = (tiff.imagej_metadata or {}).get("unit", "pixel")
    if unit == "none" and isinstance(imagej_unit, str) and imagej_unit not in ("", "pixel"):
        unit = imagej_unit
    return _resolution(x, y, unit)


def _ratio(rational: Any) -> float:
    """A TIFF rational as a number, 0 for none."""
    return rational[0] / rational[1] if rational and rational[1] else 0.0


# Writing


def _png_bytes(path: Path, picture: Picture) -> bytes:
    from PIL import Image

    data = np.ascontiguousarray(picture.samples)
    if picture.alpha is not None:
        data = np.dstack([data, picture.alpha])
    options: dict[str, Any] = {"icc_profile": picture.icc_profile}
    density = picture.resolution and picture.resolution.per_centimetre()
    if density and max(density) * 100 < 2**32:  # pixels a metre, in 32 bits
        options["dpi"] = tuple(2.54 * d for d in density)
    buffer = BytesIO()
    Image.fromarray(data).save(buffer, "PNG", **options)
    return buffer.getvalue()


def _tiff_bytes(path: Path, picture: Picture) -> bytes:
    import tifffile

    data, alpha, resolution = picture.samples, picture.alpha, picture.resolution
    colour = data.ndim == 3
    options: dict[str, Any] = {"metadata": None}
    if alpha is not None:
        data = np.dstack([data, alpha])
        options["extrasamples"] = ["assocalpha" if picture.premultiplied else "unassalpha"]
    if resolution:
        # What tells lengths other than inch and cm, ImageJ reads; the rest is put in cm.
        if resolution.unit in ("inch", "cm", "none"):
            unit = resolution.unit
        elif alpha is None and (
            data.dtype == np.uint8 or (not colour and data.dtype in (np.uint16, np.float32))
        ):
            options |= {"imagej": True, "metadata": {"unit": resolution.unit}}
            unit = "none"
        else:
            density = resolution.per_centimetre()
            if density:
                resolution = Resolution(*density, "cm")
            unit = "cm" if density else "none"
        if all(2**-32 < n < 2**32 for n in (resolution.x, resolution.y)):  # a TIFF rational
            options["resolution"] = (resolution.x, resolution.y)
            options["resolutionunit"] = {"inch": "INCH", "cm": "CENTIMETER"}.get(unit, "NONE")
    if _is_ome(path):
        options |= {"ome": True, "imagej": False, "metadata": _ome_metadata(picture, data.ndim)}
    buffer = BytesIO()
    tifffile.imwrite(
        buffer,
        data,
        photometric="rgb" if colour else "minisblack",
        planarconfig="contig" if data.ndim == 3 else None,
        iccprofile=picture.icc_profile,
        **options,
    )
    return buffer.getvalue()


def _ome_metadata(picture: Picture, ndim: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": "YXS"[:ndim]}
    density = picture.resolution and picture.resolution.per_centimetre()
    if density:
        for axis, d in zip("XY", density, strict=True):
            metadata[f"PhysicalSize{axis}"] = 1e4 / d
            metadata[f"PhysicalSize{axis}Unit"] = "\N{MICRO SIGN}m"
    return metadata


# Alpha


def _enlarged(alpha: NDArray[Any], factor: int) -> NDArray[Any]:
    """Lanczos by a whole factor, within the values that were there."""
    if factor == 1:
        return alpha
    from PIL import Image

    height, width = alpha.shape
    image = Image.fromarray(alpha.astype(np.float32))
    large = np.asarray(image.resize((width * factor, height * factor), Image.Resampling.LANCZOS))
    return _cast(np.clip(large, alpha.min(), alpha.max()), alpha.dtype)


def _converted_alpha(alpha: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give alpha in the samples' dtype; full scale is the largest integer, or 1."""
    if alpha.dtype == dtype:
        return alpha
    full = [np.iinfo(d).max if d.kind in "ui" else 1 for d in (alpha.dtype, dtype)]
    return _cast(np.clip(alpha / full[0], 0, 1) * full[1], dtype)


def _cast(a: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return (np.rint(a) if dtype.kind in "ui" else a).astype(dtype)


def _is_ome(path: Path) -> bool:
    return path.name.lower().endswith((".ome.tif", ".ome.tiff"))


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]} pixels"
