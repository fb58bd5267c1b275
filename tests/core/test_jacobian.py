"""The measures of a Jacobian, on functions whose Jacobian is known."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from napari_dred.core.jacobian import Fixed, bend, exact, fix, jacobian, probed, scaled

SHAPE = (1, 1, 6, 5)
N = 30


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _linear(matrix: torch.Tensor, *, smooth: bool) -> Fixed:
    return Fixed(lambda x: (x.flatten(1) @ matrix.T).reshape(x.shape), smooth)


@pytest.fixture
def x() -> torch.Tensor:
    return torch.rand(SHAPE, generator=_generator(), dtype=torch.float64)


@pytest.fixture
def matrix() -> torch.Tensor:
    return torch.randn((N, N), generator=_generator(1), dtype=torch.float64)


def test_jacobian_of_a_matrix_is_that_matrix(x, matrix):
    f = _linear(matrix, smooth=False)
    torch.testing.assert_close(jacobian(f, x, 0.001), matrix, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("smooth", [False, True])
def test_exact_and_probed_agree_on_a_random_matrix(x, matrix, smooth):
    f = _linear(matrix, smooth=smooth)
    a, b = exact(f, x, 0.001), probed(f, x, 0.001, 4000, _generator())
    assert a.nem == pytest.approx(2, abs=0.2)
    assert b.nem == pytest.approx(a.nem, abs=0.1)
    assert b.distance == pytest.approx(a.distance, rel=0.02)
    assert a.homogeneity == pytest.approx(0, abs=1e-6)
    assert b.homogeneity == pytest.approx(0, abs=1e-6)
    assert (b.defect is None) == (not smooth)
    if smooth:
        assert b.defect == pytest.approx(a.defect, rel=1e-6)


def test_symmetric_matrix_has_neither_error_nor_defect(x, matrix):
    f = _linear(matrix + matrix.T, smooth=True)
    for found in (exact(f, x, 0.001), probed(f, x, 0.001, 5, _generator())):
        assert found.nem == pytest.approx(0, abs=1e-9)
        assert found.defect == pytest.approx(0, abs=1e-6)


def test_what_does_nothing_is_no_distance_away(x):
    f = Fixed(lambda x: x.clone(), smooth=True)
    assert probed(f, x, 0.001, 3, _generator()).distance == 0


def test_constant_function_is_as_far_from_homogeneous_as_can_be(x):
    f = Fixed(lambda x: torch.ones_like(x), smooth=False)
    first, second = scaled(f, x, 0.01)
    torch.testing.assert_close(second - first, torch.full_like(x, 0.01))


def test_bend_falls_with_the_step_where_there_is_a_derivative_and_only_there(x):
    parabola = Fixed(lambda x: x + x.square(), smooth=False)
    steps = Fixed(lambda x: x + (x > 0.5), smooth=False)
    edge = torch.full(SHAPE, 0.5, dtype=torch.float64)
    gentle = [bend(parabola, x, rho, _generator()) for rho in (1e-3, 1e-4)]
    hard = [bend(steps, edge, rho, _generator()) for rho in (1e-3, 1e-4)]
    assert gentle[0] / gentle[1] == pytest.approx(10, rel=0.01)
    assert min(hard) > 0.9


@pytest.mark.parametrize("channels", [1, 3])
def test_denoiser_by_derivatives_and_by_differences(channels):
    x = torch.rand((1, channels, 8, 10), generator=_generator(), dtype=torch.float64)
    f = fix("ffdnet", channels, 25 / 255)
    a = exact(f, x, 1e-5)
    b = probed(f, x, 1e-5, 80, _generator())
    assert b.nem == pytest.approx(a.nem, rel=0.25)
    assert b.distance == pytest.approx(a.distance, rel=0.1)
    assert b.homogeneity == pytest.approx(a.homogeneity, rel=0.01)
    assert b.defect == pytest.approx(a.defect, rel=0.01)


def test_non_local_means_keeps_the_precision_and_the_batch():
    x = torch.rand((3, 1, 16, 16), generator=_generator(), dtype=torch.float64)
    f = fix("nlm", 1, 25 / 255)
    out = f(x)
    assert not f.smooth
    assert (out.shape, out.dtype) == (x.shape, torch.float64)
    assert F.mse_loss(out[1:2], f(x[1:2])) == 0
