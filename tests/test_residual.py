"""The residual is what H says, and is not given where H is not known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter

from napari_dred import Parameters
from napari_dred.core.errors import InputError
from napari_dred.core.records import PSFRecord
from napari_dred.residual import parameters_of, residual


@pytest.mark.parametrize("shape", [(32, 40), (32, 40, 3)])
def test_blur_and_missing_pixels(shape) -> None:
    x = np.random.default_rng(0).uniform(0, 255, shape)
    axes = (2.0, 2.0, 0.0)[: len(shape)]
    y = gaussian_filter(x, axes, mode="reflect") + 3
    y[0, 0] = np.nan
    missing = np.zeros(shape[:2], bool)
    missing[5, 5] = True
    found = residual(y, x, Parameters(blur_sigma=2), missing)
    assert np.isnan(found[0, 0]).all()
    assert np.isnan(found[5, 5]).all()
    np.testing.assert_allclose(found[np.isfinite(found)], 3, atol=0.1)


def test_enlarged() -> None:
    found = residual(np.full((8, 9), 10, np.uint8), np.full((16, 18), 7.0), Parameters(scale=2))
    np.testing.assert_allclose(found, 3, atol=1e-4)
    with pytest.raises(InputError, match=r"\(16, 18\)"):
        residual(np.zeros((8, 9)), np.zeros((8, 9)), Parameters(scale=2))


@pytest.mark.parametrize("shape", [(48, 64), (48, 64, 3)])
def test_enlarged_and_blurred(shape) -> None:
    """The blur acts on the grid of the result, before it is reduced."""
    x = np.random.default_rng(0).uniform(0, 255, shape)
    blurred = gaussian_filter(x, (4.0, 4.0, 0.0)[: len(shape)], mode="reflect")
    planes = np.atleast_3d(blurred.astype(np.float32)).transpose(2, 0, 1)
    small = [Image.fromarray(plane).resize((32, 24), Image.Resampling.LANCZOS) for plane in planes]
    y = np.stack(small, axis=-1).reshape(24, 32, *shape[2:]) + 5
    found = residual(y, x, Parameters(scale=2, blur_sigma=4))
    assert found.shape == y.shape
    np.testing.assert_allclose(found, 5, atol=0.05)
    swapped = residual(y, x, Parameters(scale=2, blur_sigma=2))
    assert np.abs(swapped - 5).max() > 2


def test_what_is_not_known() -> None:
    with pytest.raises(InputError, match="nothing is known"):
        parameters_of(None)
    with pytest.raises(InputError, match="measured PSF"):
        parameters_of({"parameters": Parameters().to_dict(), "task": "deblur"})


def test_a_measured_psf_is_needed_again_and_used() -> None:
    psf = np.ones((3, 5))
    told = {"parameters": Parameters(scale=2).to_dict(), "task": "sr"}
    told["psf"] = PSFRecord.of(psf).to_dict()
    for other in (None, np.ones((5, 3))):
        with pytest.raises(InputError, match="measured PSF of 3 x 5 pixels"):
            parameters_of(told, other)
    assert parameters_of(told, psf) == Parameters(scale=2)
    x = np.random.default_rng(0).uniform(0, 255, (32, 40))
    y = uniform_filter(x, (3, 5), mode="reflect") + 3
    found = residual(y, x, Parameters(), psf=psf)
    np.testing.assert_allclose(found, 3, atol=0.01)
