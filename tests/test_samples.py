"""Sample images: the same every time, damaged as they say, and never downloaded."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from napari_dred.core.parameters import Parameters
from napari_dred.samples import SAMPLES, Sample


@pytest.fixture(params=SAMPLES, scope="module")
def sample(request: pytest.FixtureRequest) -> Sample:
    return SAMPLES[request.param]()


@pytest.mark.parametrize("name", SAMPLES)
def test_no_connection_and_always_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    a, b = SAMPLES[name](), SAMPLES[name]()
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(a.clean, b.clean)
    np.testing.assert_array_equal(a.mask, b.mask)


def test_shapes_and_parameters(sample: Sample) -> None:
    parameters = Parameters.from_dict(sample.parameters)
    assert sample.image.dtype == sample.clean.dtype == np.uint8
    assert max(sample.clean.shape) <= 512
    height, width = sample.image.shape[:2]
    factor = parameters.scale
    assert sample.clean.shape == (height * factor, width * factor, *sample.image.shape[2:])


def test_the_noise_is_as_strong_as_it_says(sample: Sample) -> None:
    parameters, clean = Parameters.from_dict(sample.parameters), sample.clean
    if parameters.scale > 1:
        size = (sample.image.shape[1], sample.image.shape[0])
        clean = np.array(Image.fromarray(clean).resize(size, Image.Resampling.LANCZOS))
    if parameters.blur_sigma:
        from scipy.ndimage import gaussian_filter

        clean = gaussian_filter(clean.astype(float), parameters.blur_sigma)
    observed = (clean > 50) & (clean < 200)  # where no noise was clipped
    if sample.mask is not None:
        observed &= ~sample.mask[..., None]
    inner = (slice(10, -10), slice(10, -10))  # outside, the blur has seen what we cannot
    difference = (sample.image - clean.astype(float))[inner][observed[inner]]
    assert difference.mean() == pytest.approx(0, abs=0.5)
    assert difference.std() == pytest.approx(parameters.sigma, rel=0.05)


def test_the_scan_is_damaged_where_its_mask_says() -> None:
    sample = SAMPLES["damaged_scan"]()
    assert sample.image.shape == (256, 256, 3)
    assert sample.mask is not None
    assert sample.mask.shape == (256, 256)
    assert 0.03 < sample.mask.mean() < 0.2
    error = np.abs(sample.image - sample.clean.astype(float)).mean(axis=-1)
    assert error[sample.mask].mean() > 4 * error[~sample.mask].mean()


def test_neither_napari_nor_a_download_tool_is_imported() -> None:
    code = (
        "import sys\nfrom napari_dred.samples import SAMPLES\n"
        "for make in SAMPLES.values(): make()\n"
        "print({m.split('.')[0] for m in sys.modules} & {'napari', 'qtpy', 'torch', 'pooch'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env={**os.environ}
    )
    assert done.stdout.strip() == "set()", done.stderr
