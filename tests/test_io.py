"""Image files: what goes in comes out, metadata too; what cannot be read is refused in words."""

from __future__ import annotations

import io
import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from napari_dred.core.errors import InputError
from napari_dred.io import (
    Picture,
    Resolution,
    check_output,
    read_mask,
    read_picture,
    read_psf,
    read_record,
    write_picture,
)
from napari_dred.io.record import PNG_KEY, TIFF_TAG

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (11, 7), dtype=np.uint8)
RGB = RNG.integers(0, 256, (11, 7, 3), dtype=np.uint8)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(path: Path, data: np.ndarray | Image.Image, **options: Any) -> Path:
    """Write with the libraries themselves, not with the code under test."""
    if path.suffix == ".tif":
        tifffile.imwrite(path, data, **options)
    else:
        image = data if isinstance(data, Image.Image) else Image.fromarray(data)
        image.save(path, **options)
    return path


# Round trips


def channels(draw: st.DrawFn, dtypes: list[Any], with_alpha: bool) -> Picture:
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    height, width = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    shape = draw(st.sampled_from([(height, width), (height, width, 3)]))
    elements = st.floats(-1e3, 1e3, width=16) if dtype.kind == "f" else None
    samples = draw(hnp.arrays(dtype, shape, elements=elements))
    alpha = None
    if with_alpha and draw(st.booleans()):
        alpha = draw(hnp.arrays(dtype, (height, width), elements=elements))
    icc_profile = draw(st.sampled_from([None, ICC]))
    unit = draw(st.sampled_from(["inch", "cm", "um", "nm", "mm", "none"]))
    x, y = draw(st.tuples(st.integers(2, 5000), st.integers(2, 5000)))
    resolution = draw(st.sampled_from([None, Resolution(x, y, unit)]))
    premultiplied = alpha is not None and draw(st.booleans())
    return Picture(samples, alpha, premultiplied, icc_profile, resolution)


@st.composite
def tiff_pictures(draw: st.DrawFn) -> Picture:
    kinds = ["u1", "u2", "u4", "i1", "i2", "i4", "f4", "f8"]
    return channels(draw, kinds, with_alpha=True)


@given(tiff_pictures(), st.sampled_from(["out.tif", "out.tiff", "out.ome.tif"]))
def test_tiff_gives_back_every_sample_and_what_lies_beside(
    tmp_path_factory: pytest.TempPathFactory, picture: Picture, name: str
) -> None:
    path = tmp_path_factory.mktemp("io") / name
    write_picture(path, picture)
    back = read_picture(path)
    assert back.samples.dtype == picture.samples.dtype
    np.testing.assert_array_equal(back.samples, picture.samples)
    np.testing.assert_array_equal(back.alpha, picture.alpha)  # None equals None
    assert back.premultiplied == picture.premultiplied
    assert back.icc_profile == picture.icc_profile
    if picture.resolution is None:
        assert back.resolution is None
    elif picture.resolution.unit == "none":
        assert back.resolution == picture.resolution
    elif max(picture.resolution.per_centimetre() or ()) < 2**32:  # what a TIFF can hold
        assert back.resolution is not None
        assert back.resolution.per_centimetre() == pytest.approx(
            picture.resolution.per_centimetre(), rel=1e-5
        )


@st.composite
def png_pictures(draw: st.DrawFn) -> Picture:
    if draw(st.booleans()):
        shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
        return Picture(draw(hnp.arrays(np.uint16, shape)))
    picture = channels(draw, ["u1"], with_alpha=True)
    return Picture(picture.samples, picture.alpha, False, picture.icc_profile, picture.resolution)


@given(png_pictures())
def test_png_gives_back_every_sample_and_what_lies_beside(
    tmp_path_factory: pytest.TempPathFactory, picture: Picture
) -> None:
    path = tmp_path_factory.mktemp("io") / "out.png"
    write_picture(path, picture)
    back = read_picture(path)
    assert back.samples.dtype == picture.samples.dtype
    np.testing.assert_array_equal(back.samples, picture.samples)
    np.testing.assert_array_equal(back.alpha, picture.alpha)
    assert back.icc_profile == picture.icc_profile
    wanted = picture.resolution and picture.resolution.per_centimetre()
    if wanted and max(wanted) < 2**32 / 100:  # what a PNG can hold
        assert back.resolution is not None
        # A PNG counts whole pixels a metre.
        assert back.resolution.per_centimetre() == pytest.approx(wanted, abs=0.0051)
    else:
        assert back.resolution is None


def test_imagej_reads_the_unit_that_was_written(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.tif", Picture(GRAY, resolution=Resolution(4, 5, "um")))
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.imagej_metadata is not None
        assert tiff.imagej_metadata["unit"] == "um"
        assert tiff.pages[0].tags["XResolution"].value == (4, 1)


# The record of a run


@pytest.mark.parametrize("unit", ["um", "inch", "none"])
@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.png"])
def test_a_record_is_given_back_and_disturbs_nothing_else(
    tmp_path: Path, name: str, unit: str
) -> None:
    record = {"parameters": {"lam": 0.5, "weights": "größe\n.pth"}, "notes": ["σ = 3"], "n": None}
    picture = Picture(GRAY, icc_profile=ICC, resolution=Resolution(40, 50, unit))
    with_it, without = tmp_path / name, tmp_path / f"plain-{name}"
    write_picture(with_it, picture, record={**record, "seconds": 2.5})
    write_picture(without, picture)
    assert read_record(with_it) == record  # the same run gives the same file: without its time
    a, b = read_picture(with_it), read_picture(without)
    np.testing.assert_array_equal(a.samples, b.samples)
    assert (a.resolution, a.icc_profile, a.notes) == (b.resolution, b.icc_profile, b.notes)
    if name.endswith(".tif"):
        with tifffile.TiffFile(with_it) as tiff, tifffile.TiffFile(without) as plain:
            assert tiff.imagej_metadata == plain.imagej_metadata
            assert (tiff.is_ome, tiff.is_imagej) == (plain.is_ome, plain.is_imagej)
            tags, plain_tags = tiff.pages.first.tags, plain.pages.first.tags
            assert {t.code for t in tags} == {t.code for t in plain_tags} | {TIFF_TAG}


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "3", "[" * 100_000, "\x00", '{"a": 1' + "1" * 9999]
)
@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_what_is_no_record_is_refused_in_words(tmp_path: Path, name: str, text: str) -> None:
    if name == "a.tif":
        options: dict[str, Any] = {"extratags": [(TIFF_TAG, "s", None, text, True)]}
    else:
        options = {"pnginfo": PngInfo()}
        options["pnginfo"].add_itxt(PNG_KEY, text)
    with pytest.raises(InputError, match="no record of a run"):
        read_record(saved(tmp_path / name, GRAY, **options))


def test_a_tag_of_another_type_or_another_kind_of_file_is_no_record(tmp_path: Path) -> None:
    tag = [(TIFF_TAG, "I", 2, (1, 2), True)]
    for name, options in (("a.tif", {"extratags": tag}), ("a.jpg", {})):
        with pytest.raises(InputError, match="no record of a run"):
            read_record(saved(tmp_path / name, GRAY, **options))
    for name, content, words in (
        ("empty.tif", b"", "the file is empty"),
        ("a.txt", b"{}", "not a TIFF, PNG or JPEG file"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=words):
            read_record(tmp_path / name)
    with pytest.raises(InputError, match="No such file"):
        read_record(tmp_path / "none.tif")


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


# Super-resolution


def test_alpha_and_resolution_grow_with_the_image() -> None:
    alpha = np.zeros((11, 7), np.uint8)
    alpha[:, 3:] = 255
    picture = Picture(RGB, alpha, resolution=Resolution(100, 50, "inch"), icc_profile=ICC)
    large = picture.restored(np.zeros((22, 14, 3), np.uint8), 2)
    assert large.alpha is not None
    assert large.alpha.shape == (22, 14)
    assert large.alpha.dtype == np.uint8
    assert large.alpha[:, 0].max() == 0
    assert large.alpha[:, -1].min() == 255
    assert large.resolution == Resolution(200, 100, "inch")
    assert large.icc_profile == ICC


def test_alpha_keeps_its_meaning_in_another_dtype() -> None:
    alpha = np.array([[0, 51, 255]], np.uint8)
    for dtype, full in ((np.uint16, 65535), (np.float32, 1.0)):
        changed = Picture(np.zeros((1, 3), np.uint8), alpha).restored(np.zeros((1, 3), dtype))
        assert changed.alpha is not None
        assert changed.alpha.dtype == dtype
        np.testing.assert_allclose(changed.alpha, [[0, 0.2 * full, full]], rtol=1e-6)


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
    kernel = RNG.random((5, 4)).astype(np.float32)
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


# Untrusted files


def huge_png() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", 2**30, 2**30, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b""))
        + (chunk(b"IEND", b""))
    )


def huge_tiff() -> bytes:
    tags = [(256, 2**31), (257, 2**31), (258, 8), (259, 1), (262, 1), (273, 200), (277, 1)]
    tags += [(278, 2**31), (279, 2**32 - 1)]
    entries = b"".join(struct.pack("<HHII", t, 4, 1, v) for t, v in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"GIF89a and more", "not a TIFF, PNG or JPEG"),
        (b"\x89PNG\r\n\x1a\n", "b.img"),
        (b"II*\0", "b.img"),
        (b"MM\0*\0\0\0\x08\xff\xff", "b.img"),
        (b"\xff\xd8\xff\xe0", "b.img"),
        (huge_png(), "GiB"),
        (huge_tiff(), "GiB"),
    ],
    ids=[
        "empty",
        "gif",
        "png head",
        "tiff head",
        "tiff tags",
        "jpeg head",
        "huge png",
        "huge tiff",
    ],
)
def test_bad_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "b.img"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_picture(path)


def test_only_memory_limits_the_number_of_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "a.png", GRAY)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)
    np.testing.assert_array_equal(read_picture(path).samples, GRAY)
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "z.tif"])
def test_truncated_files_are_refused(tmp_path: Path, name: str) -> None:
    data = RNG.integers(0, 256, (64, 64), dtype=np.uint8)
    options = {"compression": "zlib"} if name == "z.tif" else {}
    path = saved(tmp_path / name, data, **options)
    whole = path.read_bytes()
    for kept in (0.1, 0.5, 0.9):
        path.write_bytes(whole[: int(kept * len(whole))])
        with pytest.raises(InputError, match=name):
            read_picture(path)


@given(st.data())
@settings(max_examples=200)
def test_damaged_files_are_read_or_refused_never_worse(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    name = data.draw(st.sampled_from(["a.png", "a.jpg", "a.tif", "a.tiff"]))
    path = saved(folder / name, GRAY, **({"compression": "tiff_lzw"} if name == "a.tiff" else {}))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with suppress(InputError):
        assert read_picture(path).samples.ndim in (2, 3)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_picture(tmp_path / "none.tif")
    with pytest.raises(InputError, match=tmp_path.name):
        read_picture(tmp_path)


@pytest.mark.parametrize(
    ("shape", "options", "said"),
    [
        ((5, 11, 7), {"photometric": "minisblack"}, r"\(5, 11, 7\)"),
        ((3, 11, 7), {"imagej": True}, r"\(3, 11, 7\)"),
        ((2, 3, 11, 7), {"imagej": True, "metadata": {"axes": "TCYX"}}, r"\(2, 3, 11, 7\)"),
        ((2, 11, 7, 3), {"photometric": "rgb"}, r"\(2, 11, 7, 3\)"),
        ((11, 7, 5), {"photometric": "rgb", "planarconfig": "contig"}, "5 channels"),
    ],
)
def test_stacks_are_refused_with_their_shape(
    tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any], said: str
) -> None:
    path = saved(tmp_path / "a.tif", np.zeros(shape, np.uint8), **options)
    with pytest.raises(InputError, match=said):
        read_picture(path)


def test_an_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.fromarray(GRAY), Image.fromarray(GRAY.T.copy().reshape(GRAY.shape))]
    path = saved(tmp_path / "a.png", frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match="2 images"):
        read_picture(path)


def test_sixteen_bit_colour_is_never_cut_down_to_eight(tmp_path: Path) -> None:
    raw = b"".join(b"\0" + bytes(range(6 * 4)) for _ in range(4))

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(InputError, match="16-bit TIFF"):
        read_picture(tmp_path / "a.png")


# Writing


@pytest.mark.parametrize(
    ("name", "dtype", "picture", "message"),
    [
        ("a.jpg", "u1", None, r"\.tif, \.tiff or \.png"),
        ("a", "u1", None, r"\.tif, \.tiff or \.png"),
        ("a.ome.tif", "i8", None, "OME-TIFF cannot hold int64"),
        ("a.png", "f4", None, "PNG cannot hold float32"),
        ("a.png", "i4", None, "PNG cannot hold int32"),
        ("a.png", "u2", Picture(RGB), "colour; write a TIFF"),
        ("a.png", "u2", Picture(GRAY, GRAY), "transparency; write a TIFF"),
        ("a.png", "u1", Picture(GRAY, GRAY, premultiplied=True), "write a TIFF"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    tmp_path: Path, name: str, dtype: str, picture: Picture | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_output(tmp_path / name, dtype, picture)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.tif"
    target.write_bytes(b"old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_picture(target, Picture(GRAY))
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize(
    ("name", "beside"),
    [("a.b.tif", "a.b-1.tif"), ("a.OME.tif", "a-1.OME.tif"), ("a.png", "a-1.png")],
)
def test_what_is_not_to_be_replaced_is_not(tmp_path: Path, name: str, beside: str) -> None:
    assert write_picture(tmp_path / name, Picture(GRAY), replace=False) == tmp_path / name
    old = (tmp_path / name).read_bytes()
    assert write_picture(tmp_path / name, Picture(GRAY + 1), replace=False) == tmp_path / beside
    assert (tmp_path / name).read_bytes() == old
    np.testing.assert_array_equal(read_picture(tmp_path / beside).samples, GRAY + 1)
    assert {p.name for p in tmp_path.iterdir()} == {name, beside}


def test_a_name_that_was_claimed_in_vain_is_free_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(part: Path, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_picture(tmp_path / "a.tif", Picture(GRAY), replace=False)
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "there" / "real.png")
    write_picture(link, Picture(GRAY))
    assert link.is_symlink()
    np.testing.assert_array_equal(read_picture(tmp_path / "there" / "real.png").samples, GRAY)
