"""The record of a run in the file of its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL.PngImagePlugin import PngInfo

from napari_dred.core.errors import InputError
from napari_dred.io import Picture, Resolution, read_picture, read_record, write_picture
from napari_dred.io.record import PNG_KEY, TIFF_TAG

from .conftest import GRAY, ICC, saved


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
