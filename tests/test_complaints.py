"""What users of such plugins complain about, where no other module has a test for it.

The list with all of them is docs/complaints.md; a test here holds that it names tests that exist.
"""

from __future__ import annotations

import ast
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from napari_dred import Parameters, restore
from napari_dred.volumes import Region, solve_region

ROOT = Path(__file__).parents[1]
LIST = ROOT / "docs" / "complaints.md"


def noisy(sigma=15, size=128, seed=0):
    """A clean 8-bit image and the same with noise."""
    clean = data.camera()[100 : 100 + size, 180 : 180 + size].astype(float)
    given = clean + np.random.default_rng(seed).normal(0, sigma, clean.shape)
    return clean, np.clip(given.round(), 0, 255).astype(np.uint8)


# The list.


def named_tests():
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", LIST.read_text("utf-8"))


def test_the_list_has_eighteen_complaints_and_says_what_covers_each():
    rows = [line for line in LIST.read_text("utf-8").splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(row.split("|")[1]) for row in rows] == list(range(1, 19))
    assert all("::" in row or "not covered yet" in row.lower() for row in rows)


@pytest.mark.parametrize(("file", "name"), named_tests())
def test_the_list_names_tests_that_exist(file, name):
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}


# Hot pixels of 16-bit images.


@pytest.mark.parametrize(
    "options", [{"preset": "preview"}, {"iterations": 20, "width": 16, "depth": 3}]
)
def test_16_bit_images_come_out_without_hot_pixels(options):
    """Both ends of the dtype are reached, where a wrong cast wraps around."""
    clean, _ = noisy(size=64)
    clean = np.interp(clean, (clean.min(), clean.max()), (0, 65535))
    given = clean + np.random.default_rng(0).normal(0, 4000, clean.shape)
    image = np.clip(given.round(), 0, 65535).astype(np.uint16)
    result = restore(image, sigma=4000, noise="gaussian", threads=1, **options).image
    assert result.dtype == np.uint16
    calm = ndimage.median_filter(clean, 5)
    assert np.abs(result - calm).max() < np.abs(clean - calm).max() + 4 * 4000


def test_hot_pixels_of_a_16_bit_camera_are_taken_out():
    rng = np.random.default_rng(1)
    clean = 300 + 20 * noisy(size=64)[0]
    image = np.clip(clean + rng.normal(0, 60, clean.shape), 0, 65535).astype(np.uint16)
    hot = rng.random(image.shape) < 0.01
    image[hot] = 65535
    result = restore(image, noise="impulse", preset="preview", threads=1)
    assert result.image[hot].max() < 2 * clean.max()
    assert np.abs(result.image[hot] - clean[hot]).mean() < 0.1 * clean.max()


# Seams and borders.


def test_the_border_of_a_region_is_no_seam():
    """At its border it is as within the whole image: the margin holds what lies beyond."""
    _, image = noisy()
    region = Region(32, 96, 40, 104)
    parameters = Parameters(preset="preview", sigma=15, threads=1)
    *_, whole = solve_region(image, parameters=parameters)

    def apart_at_the_border(**options):
        *_, part = solve_region(image, None, region, parameters=parameters, **options)
        apart = np.abs(part.image.astype(float) - whole.image)[region.slices]
        return np.concatenate([apart[0], apart[-1], apart[:, 0], apart[:, -1]]).mean()

    assert apart_at_the_border() < 0.5  # of 255
    assert apart_at_the_border(margin=0) > 1  # or this test could not fail


@pytest.mark.parametrize("preset", ["preview", "default"])
def test_the_borders_of_an_image_are_restored_as_well_as_its_middle(preset):
    width = 8
    options = {"iterations": 20} if preset == "default" else {}
    near, middle = [], []
    for seed in range(2):
        flat = np.full((96, 96), 120.0)
        given = flat + np.random.default_rng(seed).normal(0, 20, flat.shape)
        image = np.clip(given.round(), 0, 255).astype(np.uint8)
        result = restore(image, preset=preset, sigma=20, threads=1, **options).image
        error = (result - flat) ** 2
        inner = error[width:-width, width:-width]
        near.append((error.sum() - inner.sum()) / (error.size - inner.size))
        middle.append(inner.mean())
    # A pixel at the border has half the neighbours to be averaged with, in a corner a quarter.
    assert np.mean(near) < 4 * np.mean(middle) + 1
    assert np.mean(near) < 0.1 * 20**2


# Without a network, without a display.


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("preset", ["preview", "default"])
def test_a_restoration_opens_no_connection(offline, channels, preset):
    image = np.random.default_rng(0).integers(0, 256, (40, 44, *channels), dtype=np.uint8)
    mask = np.zeros((40, 44), bool)
    mask[10:14, 10:30] = True
    result = restore(image, mask, preset=preset, iterations=2, threads=1)
    assert result.image.shape == image.shape


def test_a_file_is_restored_without_a_display_and_without_qt(tmp_path):
    from PIL import Image

    Image.fromarray(noisy(size=40)[1]).save(tmp_path / "a.png")
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.split('.')[0] in ('napari', 'qtpy', 'PyQt6', 'PySide6', 'vispy'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from napari_dred.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = ["restore", "a.png", "-o", "b.png", "--preset", "preview", "--iterations", "2"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b.png").exists()
