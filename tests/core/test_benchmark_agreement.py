"""The operators degrade as the benchmark's frozen cases do."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_dred.core.operators import build_operator, gaussian_kernel

CASES = Path(__file__).parents[2] / "benchmarks" / "cases.py"


@pytest.fixture(scope="module")
def cases():
    spec = importlib.util.spec_from_file_location("benchmark_cases", CASES)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
        spec.loader.exec_module(module)
        yield module


@pytest.fixture
def image():
    return np.random.default_rng(0).random((3, 192, 128), np.float32)


def degraded(op, image):
    return op.forward(torch.from_numpy(image)[None])[0].numpy()


@pytest.mark.parametrize("name", ["line", "grid", "text"])
def test_masks(cases, image, name):
    mask = cases.load_mask(name, image.shape[-2:])
    assert 0 < mask.mean() < 1
    op = build_operator(image.shape[-2:], observed=mask)
    np.testing.assert_array_equal(degraded(op, image), image * mask)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_downsampling(cases, image, factor):
    expected = cases.downsample(image, factor)
    op = build_operator(expected.shape[-2:], factor=factor)
    np.testing.assert_allclose(degraded(op, image), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(192, 128), (95, 61), (25, 32)])
@pytest.mark.parametrize("size", [25, 24, 1])
def test_circular_blur(cases, image, shape, size):
    image = image[:, : shape[0], : shape[1]]
    kernel = cases.gaussian_kernel(size)
    kernel[: size // 2] *= 0.3  # no longer symmetric
    op = build_operator(shape, kernel=kernel, boundary="circular")
    expected = cases.circular_blur(image, kernel / kernel.sum())
    np.testing.assert_allclose(degraded(op, image), expected, atol=1e-6)


def test_the_gaussian_kernel_is_the_benchmarks(cases, image):
    kernel = gaussian_kernel(cases.BLUR_STD)
    op = build_operator(image.shape[-2:], kernel=kernel, boundary="circular")
    expected = cases.circular_blur(image, cases.gaussian_kernel())
    np.testing.assert_allclose(degraded(op, image), expected, atol=1e-5)
