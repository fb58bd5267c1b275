"""What image files are like, those of masks and kernels too, and what is made of them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from napari_dred.core.errors import InputError
from napari_dred.io import Picture, Resolution, read_mask, read_picture, read_psf, write_picture

from .conftest import GRAY, ICC, RGB, saved

# What files are like


@pytest.mark.parametrize("unit", ["Å", "µm ", "parsec ☉", "a\nb=1"])
def test_a_unit_that_imagejs_header_cannot_hold_loses_no_picture(tmp_path: Path, unit: str) -> None:
    write_picture(tmp_path / "a.tif", Picture(GRAY, resolution=Resolution.of(2, 4, unit)))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").samples, GRAY)


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
def test_the_spellings_of_a_micrometre_are_one(tmp_path: Path, unit: str) -> None:
    path = saved(
        tmp_path / "a.tif", GRAY, imagej=True, metadata={"unit": unit}, resolution=(2.0, 4.0)
    )
    assert read_picture(path).resolution == Resolution(2, 4, "um")


def test_ome_pixel_size(tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm"}
    sizes |= {"PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "µm"}
    path = saved(tmp_path / "a.tif", GRAY, ome=True, metadata={"axes": "YX", **sizes})
    assert read_picture(path).resolution == Resolution(2, 4, "um")


@pytest.mark.parametrize("size", ["abc", ""])
def test_a_pixel_size_that_is_no_number_is_left_out_and_said(tmp_path: Path, size: str) -> None:
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25}
    path = saved(tmp_path / "a.tif", GRAY, ome=True, metadata={"axes": "YX", **sizes})
    path.write_bytes(path.read_bytes().replace(b'"0.25"', f'"{size:4}"'.encode()))
    picture = read_picture(path)
    np.testing.assert_array_equal(picture.samples, GRAY)
    assert picture.resolution is None
    assert "How large a pixel is" in picture.notes[0]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_dots_per_inch(tmp_path: Path, suffix: str) -> None:
    resolution = read_picture(saved(tmp_path / f"a{suffix}", GRAY, dpi=(300, 150))).resolution
    assert resolution is not None
    assert (resolution.x, resolution.y) == pytest.approx((300, 150), abs=0.02)
    assert resolution.unit == "inch"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_applied_and_turns_the_resolution(
    tmp_path: Path, orientation: int
) -> None:
    image = Image.fromarray(RGB)
    image.getexif()[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=image.getexif(), dpi=(100, 200))
    upright = np.array(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))
    tag = [(274, "H", 1, orientation, True)]
    saved(tmp_path / "b.tif", RGB, photometric="rgb", extratags=tag, resolution=(100, 200))
    # Pillow's part of the TIFFs, which must not be turned twice.
    image.save(tmp_path / "c.tiff", compression="tiff_lzw", tiffinfo={274: orientation}, dpi=(1, 2))
    for name in ("a.png", "b.tif", "c.tiff"):
        picture = read_picture(tmp_path / name)
        np.testing.assert_array_equal(picture.samples, upright, err_msg=name)
        assert picture.resolution is not None
        assert (picture.resolution.x > picture.resolution.y) == (orientation >= 5), name


def test_palette_becomes_rgb_with_its_transparency(tmp_path: Path) -> None:
    palette = Image.fromarray(RGB).quantize(16)
    opaque = read_picture(saved(tmp_path / "a.png", palette))
    np.testing.assert_array_equal(opaque.samples, np.array(palette.convert("RGB")))
    assert opaque.alpha is None
    clear = read_picture(saved(tmp_path / "b.png", palette, transparency=3))
    np.testing.assert_array_equal(clear.samples, opaque.samples)
    np.testing.assert_array_equal(clear.alpha, np.where(np.array(palette) == 3, 0, 255))
    tiff = read_picture(saved(tmp_path / "c.tiff", palette))
    np.testing.assert_array_equal(tiff.samples, opaque.samples)


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_one_bit_becomes_black_and_white(tmp_path: Path, name: str) -> None:
    bits = GRAY > 100
    picture = read_picture(saved(tmp_path / name, bits))
    np.testing.assert_array_equal(picture.samples, np.where(bits, 255, 0))
    assert picture.samples.dtype == np.uint8


def test_white_is_zero_in_some_tiffs(tmp_path: Path) -> None:
    for i, dtype in enumerate((np.uint8, np.uint16)):
        path = saved(tmp_path / f"{i}.tif", GRAY.astype(dtype), photometric="miniswhite")
        white = np.iinfo(dtype).max
        np.testing.assert_array_equal(read_picture(path).samples, white - GRAY.astype(dtype))


@pytest.mark.parametrize("name", ["a.jpg", "a.tiff"])
def test_cmyk_is_converted_and_says_so(tmp_path: Path, name: str) -> None:
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # red
    picture = read_picture(saved(tmp_path / name, cmyk))
    assert picture.samples.shape == (8, 8, 3)
    assert tuple(picture.samples[4, 4]) == pytest.approx((255, 0, 0), abs=3)
    assert any("CMYK" in note for note in picture.notes)


def test_planar_rgb_and_lzw_tiffs(tmp_path: Path) -> None:
    planar = saved(
        tmp_path / "a.tif", np.moveaxis(RGB, -1, 0), photometric="rgb", planarconfig="separate"
    )
    np.testing.assert_array_equal(read_picture(planar).samples, RGB)
    for i, data in enumerate((RGB, GRAY, GRAY.astype(np.uint16) * 200)):
        lzw = saved(tmp_path / f"{i}.tiff", data, compression="tiff_lzw", icc_profile=ICC)
        picture = read_picture(lzw)
        np.testing.assert_array_equal(picture.samples, data)
        assert picture.samples.dtype == data.dtype
        assert picture.icc_profile == ICC


def test_a_thumbnail_behind_the_image_is_not_a_stack(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(RGB, photometric="rgb")
        tiff.write(RGB[::2, ::2], photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").samples, RGB)


# Masks and kernels


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_masks_of_every_kind(tmp_path: Path, mode: str) -> None:
    missing = GRAY > 128
    if mode == "I;16":
        image = Image.fromarray(missing.astype(np.uint16) * 3)
    elif mode in ("RGB", "RGBA"):
        data = np.zeros((*missing.shape, len(mode)), np.uint8)
        data[..., 1] = missing  # a single channel, and only just
        image = Image.fromarray(data)
    else:
        image = Image.fromarray(missing).convert(mode)
    mask = read_mask(saved(tmp_path / "m.png", image), (11, 7, 3))
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, missing)


def test_alpha_is_no_part_of_a_mask(tmp_path: Path) -> None:
    data = np.zeros((11, 7, 4), np.uint8)
    data[..., 3] = 255
    assert not read_mask(saved(tmp_path / "m.png", data), (11, 7)).any()


def test_label_images_are_masks(tmp_path: Path) -> None:
    labels = GRAY.astype(np.int32) % 3
    np.testing.assert_array_equal(
        read_mask(saved(tmp_path / "m.tif", labels), (11, 7)), labels != 0
    )
    label = int(labels.max())
    one = read_mask(tmp_path / "m.tif", (11, 7), label)
    np.testing.assert_array_equal(one, labels == label)


def test_masks_that_cannot_be(tmp_path: Path) -> None:
    small = saved(tmp_path / "m.png", GRAY)
    with pytest.raises(InputError, match="7x11 pixels but the image is 11x7"):
        read_mask(small, (7, 11))
    with pytest.raises(InputError, match="JPEG cannot be a mask"):
        read_mask(saved(tmp_path / "m.jpg", GRAY), GRAY.shape)


def test_kernels(tmp_path: Path) -> None:
    kernel = np.random.default_rng(0).random((5, 4)).astype(np.float32)
    np.save(tmp_path / "k.npy", kernel)
    np.testing.assert_array_equal(read_psf(tmp_path / "k.npy"), kernel)
    np.testing.assert_array_equal(read_psf(saved(tmp_path / "k.tif", kernel)), kernel)
    np.testing.assert_array_equal(read_psf(saved(tmp_path / "k.png", GRAY)), GRAY)


def test_kernels_that_cannot_be(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    np.save(tmp_path / "line.npy", np.ones(5))
    np.save(tmp_path / "complex.npy", np.ones((3, 3), complex))
    header = io.BytesIO()
    promised = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
    np.lib.format.write_array_header_1_0(header, promised)
    (tmp_path / "huge.npy").write_bytes(header.getvalue() + bytes(64))
    (tmp_path / "junk.npy").write_bytes(b"junk")
    saved(tmp_path / "colour.png", RGB)
    for path in tmp_path.iterdir():
        with pytest.raises(InputError, match=path.name):
            read_psf(path)
