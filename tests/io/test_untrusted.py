"""Files that are damaged, that lie, or that are no single image: refused in words."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_dred.core.errors import InputError
from napari_dred.io import read_picture

from .conftest import GRAY, saved


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def huge_png() -> bytes:
    head = struct.pack(">IIBBBBB", 2**30, 2**30, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
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
    data = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
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

    head = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    (tmp_path / "a.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )
    with pytest.raises(InputError, match="16-bit TIFF"):
        read_picture(tmp_path / "a.png")
