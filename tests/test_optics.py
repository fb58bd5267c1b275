"""Blur kernels from the optics: sum, centre, width, and what makes no sense."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_dred import cli
from napari_dred.core.errors import InputError
from napari_dred.io import read_psf
from napari_dred.optics import defocus_psf, gaussian_psf, microscope_psf, motion_psf


def moments(kernel):
    """The centre from the middle, and the standard deviation, along rows and columns."""
    n = len(kernel)
    at = np.arange(n) - n // 2
    lines = kernel.sum(axis=1), kernel.sum(axis=0)
    means = [float(line @ at) for line in lines]
    return means, [
        float(np.sqrt(line @ (at - m) ** 2)) for line, m in zip(lines, means, strict=True)
    ]


def check(kernel):
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1)
    assert moments(kernel)[0] == pytest.approx([0, 0], abs=1e-6)


@given(st.floats(0.3, 20))
def test_a_gaussian_has_its_width(pixels):
    kernel = gaussian_psf(pixels * 0.065, 0.065)
    check(kernel)
    if pixels > 1:
        assert moments(kernel)[1] == pytest.approx([pixels] * 2, rel=0.01)


@given(st.floats(0.3, 40))
def test_a_disc_has_its_radius(radius):
    kernel = defocus_psf(radius)
    check(kernel)
    if radius > 2:
        assert kernel.max() == pytest.approx(1 / (np.pi * radius**2), rel=0.02)


@given(st.floats(0.5, 60), st.floats(-360, 360))
def test_a_motion_has_its_length_and_direction(length, angle):
    kernel = motion_psf(length, angle)
    check(kernel)
    n = len(kernel)
    rows, columns = np.mgrid[:n, :n] - n // 2
    turn = np.deg2rad(angle)
    along = columns * np.cos(turn) - rows * np.sin(turn)
    across = columns * np.sin(turn) + rows * np.cos(turn)
    if length > 5:
        assert np.sqrt((kernel * along**2).sum()) == pytest.approx(length / 12**0.5, rel=0.05)
    assert (kernel * across**2).sum() < 0.5


def test_a_microscope_s_kernel_is_an_airy_pattern():
    """Half the height at 0.51 wavelengths over the aperture (a low one: scalar theory holds)."""
    kernel = microscope_psf(0.4, 500, 0.05, 1.0)
    check(kernel)
    line = kernel[len(kernel) // 2]
    width = np.count_nonzero(line > line.max() / 2) * 0.05
    assert width == pytest.approx(0.51 * 0.5 / 0.4, abs=0.06)
    first_dark = 0.61 * 0.5 / 0.4 / 0.05
    centre = len(line) // 2
    assert np.argmin(line[centre : centre + 20]) == pytest.approx(first_dark, abs=1.5)


def test_defocus_and_aberration_widen_it():
    sharp = microscope_psf(1.2, 520, 0.1, 1.33)
    for other in (
        microscope_psf(1.2, 520, 0.1, 1.33, defocus=1.0),
        microscope_psf(1.2, 520, 0.1, 1.515, specimen_index=1.33, depth=10, defocus=2.0),
    ):
        check(other)
        assert other.max() < 0.5 * sharp.max()


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: microscope_psf(1.4, 520, 0.1, 1.33), "below the refractive index"),
        (lambda: microscope_psf(1.4, 0.52, 0.1), "nanometres"),
        (lambda: microscope_psf(1.4, 520, 1e-4), "micrometres"),
        (lambda: microscope_psf(0, 520, 0.1), "numerical_aperture is 0"),
        (lambda: microscope_psf(1.4, 520, 0.1, 3.0), "refractive indices"),
        (lambda: microscope_psf(1.4, 520, 0.1, defocus=np.nan), "defocus"),
        (lambda: gaussian_psf(-1), "sigma is -1"),
        (lambda: defocus_psf(np.inf), "radius is inf"),
        (lambda: motion_psf(0, 3), "length is 0"),
        (lambda: motion_psf(2, np.nan), "angle"),
    ],
)
def test_what_makes_no_sense_is_refused(call, what):
    with pytest.raises(InputError, match=what):
        call()


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    image = np.zeros((20, 20), np.uint8)
    tifffile.imwrite(
        "in.ome.tif", image, metadata={"PhysicalSizeX": 100.0, "PhysicalSizeXUnit": "nm"}
    )
    optics = ["--na", "1.2", "--wavelength", "520", "--refractive-index", "1.33"]
    assert cli.main(["psf", "-o", "a.tif", *optics, "--like", "in.ome.tif"]) == 0
    expected = microscope_psf(1.2, 520, 0.1, 1.33)
    np.testing.assert_allclose(read_psf("a.tif"), expected, rtol=1e-5)
    assert cli.main(["psf", "-o", "b.tif", "--motion", "9", "30"]) == 0
    assert cli.main(["psf", "-o", "c.tif", "--disc", "3"]) == 0
    assert cli.main(["psf", "-o", "d.tif", "--gaussian", "0.2", "--pixel-size", "0.1"]) == 0
    np.testing.assert_allclose(read_psf("d.tif"), gaussian_psf(2), rtol=1e-5)
    for wrong in (
        ["-o", "a.tif", "--disc", "3"],
        ["-o", "e.tif"],
        ["-o", "e.tif", "--disc", "3", "--motion", "1", "1"],
        ["-o", "e.tif", "--na", "1.2", "--pixel-size", "1"],
        ["-o", "e.tif", "--gaussian", "1"],
        ["-o", "e.png", "--disc", "3"],
    ):
        capsys.readouterr()
        assert cli.main(["psf", *wrong]) == 2
        assert capsys.readouterr().err.startswith("napari-dred: ")
