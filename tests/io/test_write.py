"""Image files: what goes in comes out, metadata too, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_dred.core.errors import InputError
from napari_dred.io import Picture, Resolution, check_output, read_picture, write_picture

from .conftest import GRAY, ICC, RGB


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
