"""The figures of one method's result: iterations, residual, and closeness to a reference."""

from __future__ import annotations

import dataclasses
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_dred import Parameters, plan, restore
from napari_dred.viewer.compare.figures import NONE
from napari_dred.viewer.compare.trials import measure, misfit, own_iterations
from napari_dred.viewer.layers import read_plane
from napari_dred.viewer.psnr import Reference
from napari_dred.viewer.request import Source
from napari_dred.volumes import Region

pytestmark = pytest.mark.window

SIGMA = 0.05


@pytest.fixture(scope="module")
def tried():
    """A clean image, what a run reads of it with noise and a hole, and the result."""
    rng = np.random.default_rng(0)
    clean = np.kron(rng.uniform(0.3, 0.7, (10, 12)), np.ones((6, 6)))
    noisy = clean + rng.normal(0, SIGMA, clean.shape)
    hole = np.zeros(clean.shape, bool)
    hole[:5] = True
    noisy[hole] = 0
    viewer = ViewerModel()
    layer = viewer.add_image(noisy.astype(np.float32))
    source = Source(read_plane(layer, viewer), hole, None, weakref.ref(layer))
    result = restore(source.plane.image, hole, method="hqs", iterations=1, sigma=SIGMA)
    return clean.astype(np.float32), source, result


def test_own_iterations_are_those_of_a_run_without_a_limit(picture):
    for method in ("hqs", "dip", "dred"):
        parameters = Parameters(method=method, device="cpu")
        planned = plan(picture, parameters=parameters)
        other = plan(picture, parameters=Parameters(method="hqs", device="cpu"))
        assert own_iterations(parameters, other)[0] == planned.parameters.iterations


def test_the_misfit_of_the_truth_is_one_noise_level_whatever_is_in_the_hole(tried):
    clean, source, result = tried
    assert misfit(source, dataclasses.replace(result, image=clean)) == pytest.approx(1, abs=0.05)
    other = np.where(source.mask, np.float32(9), clean)
    assert misfit(source, dataclasses.replace(result, image=other)) == pytest.approx(1, abs=0.05)


def test_the_misfit_of_a_region_is_that_of_its_pixels(tried):
    clean, source, result = tried
    part = dataclasses.replace(source, region=Region(10, 40, 10, 50))
    far = np.full_like(clean, 9)
    far[10:40, 10:50] = clean[10:40, 10:50]
    assert misfit(part, dataclasses.replace(result, image=far)) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("told", [{"impulses": 3}, {"sigma": 0.0}])
def test_there_is_no_misfit_where_it_tells_nothing(tried, told):
    _, source, result = tried
    result = dataclasses.replace(result, plan=dataclasses.replace(result.plan, **told))
    assert misfit(source, result) is None
    assert measure(source, result, None).residual == NONE


def test_figures_against_a_reference(tried):
    clean, source, result = tried
    told = measure(source, dataclasses.replace(result, image=clean), Reference.of(clean))
    assert (told.psnr, told.ssim) == ("equal", "1.0000")
    assert measure(source, result, None).psnr == NONE


def test_what_cannot_be_measured_is_left_out(tried):
    clean, source, result = tried
    flat = measure(source, dataclasses.replace(result, image=np.zeros_like(clean)), None)
    assert flat.frc == NONE
    assert float(flat.residual) > 1
