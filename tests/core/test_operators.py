"""H: what it does, its exact adjoint, and its proximal step against a dense solve."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from napari_dred.core.errors import InputError
from napari_dred.core.operators import (
    Blur,
    Compose,
    Downsample,
    Identity,
    Mask,
    build_operator,
    downsample,
    gaussian_kernel,
)

BOUNDARIES = {"reflect": "reflect", "circular": "wrap", "zero": "constant"}  # SciPy's names
FACTORS = (2, 3, 4, 8)
LOPSIDED = np.array([[0, 1, 2, 3], [5, 8, 13, 0], [1, 1, 0, 4]], float)

sides = st.integers(1, 12)
kernel_sides = st.integers(1, 20)


@st.composite
def operators(draw):
    """Any H, of a random size, with its parts in or out."""
    shape = draw(sides), draw(sides)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return build_operator(
        shape,
        observed=rng.random(shape) < 0.6 if draw(st.booleans()) else None,
        factor=draw(st.sampled_from((1, *FACTORS))),
        kernel=rng.random((draw(kernel_sides), draw(kernel_sides)))
        if draw(st.booleans())
        else None,
        boundary=draw(st.sampled_from(list(BOUNDARIES))),
    )


def gaussian_noise(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def dense(op):
    """H as a matrix, column by column from its effect on single pixels."""
    n = op.in_shape[0] * op.in_shape[1]
    pixels = torch.eye(n, dtype=torch.float64).reshape(n, 1, *op.in_shape)
    return op.forward(pixels).reshape(n, -1).T


def dense_prox(op, v, y, rho):
    a = dense(op)
    v, y = v.double(), y.double()
    right = y.reshape(-1, a.shape[0]) @ a + rho * v.reshape(-1, a.shape[1])
    x = torch.linalg.solve(a.T @ a + rho * torch.eye(a.shape[1]), right.T).T
    return x.reshape(v.shape)


# Adjoint ------------------------------------------------------------------------------------


@given(operators(), st.integers(1, 3), st.integers(0, 1000))
def test_the_adjoint_is_the_transpose(op, channels, seed):
    x = gaussian_noise((2, channels, *op.in_shape), seed)
    y = gaussian_noise((2, channels, *op.out_shape), seed + 1)
    ax, aty = op.forward(x).double(), op.adjoint(y).double()
    assert ax.shape == y.shape
    assert aty.shape == x.shape
    gap = (ax * y).sum() - (x * aty).sum()
    assert abs(gap) <= 1e-5 * ax.norm() * y.norm()


@given(operators())
def test_the_gradient_is_the_adjoint_of_the_residual(op):
    x = gaussian_noise((1, 2, *op.in_shape)).requires_grad_()
    y = gaussian_noise((1, 2, *op.out_shape), 1)
    (0.5 * (op.forward(x) - y).square().sum()).backward()
    assert torch.equal(x.grad, op.adjoint(op.forward(x.detach()) - y))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_first_and_second_derivatives_are_right(boundary):
    mask = np.arange(12).reshape(4, 3) % 5 > 0
    op = build_operator((4, 3), observed=mask, factor=2, kernel=LOPSIDED, boundary=boundary)
    x = torch.rand(1, 1, 8, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(op.forward, x)
    assert torch.autograd.gradgradcheck(lambda x: op.forward(x) ** 2, x)


# What each part does ------------------------------------------------------------------------


def test_the_identity_changes_nothing():
    x = torch.rand(2, 3, 4, 5)
    assert torch.equal(Identity((4, 5)).forward(x), x)


def test_a_mask_puts_zero_where_nothing_was_observed():
    x = torch.rand(2, 3, 4, 5) + 1
    observed = torch.arange(20).reshape(4, 5) % 3 > 0
    seen = Mask(observed).forward(x)
    assert torch.equal(seen[..., observed], x[..., observed])
    assert not seen[..., ~observed].any()


@pytest.mark.parametrize("lead", [(), (1,), (3,), (1, 1), (1, 3)])
def test_a_mask_may_differ_between_channels(lead):
    observed = (torch.rand(*lead, 4, 5) > 0.5).float()
    x = torch.rand(2, 3, 4, 5)
    assert torch.equal(Mask(observed).forward(x), x * observed)


def test_a_mask_keeps_no_hold_of_the_callers_array():
    observed = np.ones((4, 5), np.float32)
    mask = Mask(observed)
    observed[:] = 0
    assert mask.forward(torch.ones(1, 1, 4, 5)).all()


def test_missing_pixels_may_hold_nan():
    observed = torch.arange(20).reshape(4, 5) % 3 > 0
    kernel = gaussian_kernel(0.5)
    clean = torch.rand(1, 1, 4, 5)
    spoilt = clean.clone()
    spoilt[..., ~observed] = torch.nan
    v = torch.rand(1, 1, 4, 5)
    for op in (Mask(observed), build_operator((4, 5), observed=observed, kernel=kernel)):
        assert torch.equal(op.adjoint(spoilt), op.adjoint(clean))
        assert torch.equal(op.prox(v, spoilt, 0.3), op.prox(v, clean, 0.3))


@given(sides, sides, st.sampled_from(FACTORS), st.integers(0, 1000))
def test_downsampling_is_pillows_lanczos(height, width, factor, seed):
    x = np.random.default_rng(seed).random((factor * height, factor * width), np.float32)
    expected = np.asarray(Image.fromarray(x).resize((width, height), Image.Resampling.LANCZOS))
    found = Downsample(x.shape, factor).forward(torch.from_numpy(x)[None, None])
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-6)


@given(operators())
def test_a_flat_image_stays_flat(op):
    """Neither the Lanczos window at the border nor a kernel's sum changes the brightness."""
    parts = op.operators if isinstance(op, Compose) else (op,)
    for part in parts:
        if isinstance(part, Mask) or (isinstance(part, Blur) and part.boundary == "zero"):
            continue
        flat = part.forward(torch.full((1, 1, *part.in_shape), 0.7))
        torch.testing.assert_close(flat, torch.full_like(flat, 0.7), atol=1e-5, rtol=0)


def beyond(index, n, boundary):
    """Where a sample comes from; `n` stands for zero."""
    if boundary == "zero":
        return np.where((index >= 0) & (index < n), index, n)
    if boundary == "circular":
        return index % n
    index = index % (2 * n)
    return np.minimum(index, 2 * n - 1 - index)


@given(sides, sides, kernel_sides, kernel_sides, st.sampled_from(list(BOUNDARIES)))
def test_blur_is_its_defining_sum(height, width, rows, columns, boundary):
    """For odd and even kernels and images, kernels larger than the image too."""
    rng = np.random.default_rng(rows)
    kernel, x = rng.random((rows, columns)), rng.random((height, width))
    i, j = (
        beyond(np.arange(n)[:, None] + k // 2 - np.arange(k), n, boundary)
        for n, k in ((height, rows), (width, columns))
    )
    samples = np.pad(x, (0, 1))[i[:, :, None, None], j]
    expected = np.einsum("iajb,ab->ij", samples, kernel / kernel.sum())
    found = Blur((height, width), kernel, boundary).forward(torch.from_numpy(x)[None, None])
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 4), (5, 5), (8, 9)])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_blur_is_scipys_convolution(boundary, shape):
    rng = np.random.default_rng(0)
    kernel, x = rng.random(shape), rng.random((9, 12))
    expected = ndimage.convolve(x, kernel / kernel.sum(), mode=BOUNDARIES[boundary])
    found = Blur(x.shape, kernel, boundary).forward(torch.from_numpy(x)[None, None])
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_bright_point_becomes_the_kernel_and_not_its_mirror_image(boundary):
    x = torch.zeros(1, 1, 9, 11)
    x[..., 4, 5] = 1
    seen = Blur((9, 11), LOPSIDED, boundary).forward(x)[0, 0].numpy()
    expected = np.zeros((9, 11))
    # Sample (rows // 2, columns // 2) of the kernel lies on the point.
    expected[3:6, 3:7] = LOPSIDED / LOPSIDED.sum()
    np.testing.assert_allclose(seen, expected, atol=1e-7)


@pytest.mark.parametrize("scale", [1e-300, 1e-3, 1, 1e300])
def test_a_kernel_is_divided_by_its_sum_whatever_its_scale(scale):
    x = torch.rand(1, 1, 9, 11)
    found = Blur((9, 11), LOPSIDED * scale).forward(x)
    torch.testing.assert_close(found, Blur((9, 11), LOPSIDED).forward(x))


@given(st.floats(0.1, 12))
def test_a_gaussian_kernel_has_the_width_that_is_asked_for(sigma):
    kernel = gaussian_kernel(sigma)
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.shape[0] >= 8 * sigma
    assert kernel.sum() == pytest.approx(1)
    radius = kernel.shape[0] // 2
    wanted = np.exp(-1 / (2 * sigma**2))
    assert kernel[radius, radius + 1] / kernel[radius, radius] == pytest.approx(wanted)
    np.testing.assert_array_equal(kernel, kernel[::-1, ::-1].T)


def test_the_parts_act_in_the_order_blur_downsample_mask():
    observed = np.arange(20).reshape(4, 5) % 3 > 0
    op = build_operator((4, 5), observed=observed, factor=2, kernel=LOPSIDED, boundary="zero")
    x = torch.rand(1, 3, 8, 10)
    blurred = Blur((8, 10), LOPSIDED, "zero").forward(x)
    small = Downsample((8, 10), 2).forward(blurred)
    assert op.in_shape == (8, 10)
    assert op.out_shape == (4, 5)
    assert torch.equal(op.forward(x), Mask(observed).forward(small))


def test_only_the_parts_that_are_needed_are_built():
    assert isinstance(build_operator((4, 5)), Identity)
    assert isinstance(build_operator((4, 5), observed=np.ones((4, 5), bool)), Identity)
    assert isinstance(build_operator((4, 5), observed=np.eye(4, 5)), Mask)
    assert isinstance(build_operator((4, 5), factor=3), Downsample)
    assert isinstance(build_operator((4, 5), kernel=LOPSIDED), Blur)


# The proximal step --------------------------------------------------------------------------


@given(operators(), st.sampled_from([0.01, 0.3, 5.0]), st.booleans())
def test_the_proximal_step_solves_its_problem(op, rho, warm):
    """For every H: the gradient at the solution is zero, to float32."""
    v = gaussian_noise((2, 2, *op.in_shape))
    y = gaussian_noise((2, 2, *op.out_shape), 1)
    start = gaussian_noise(v.shape, 2) if warm else None
    x = op.prox(v, y, rho, start=start)
    gradient = op.adjoint(op.forward(x) - y) + rho * (x - v)
    assert gradient.norm() <= 1e-5 * (op.adjoint(y).norm() + (1 + rho) * v.norm())


MASKED = np.random.default_rng(0).random((7, 6)) < 0.7
CASES = {
    "identity": {},
    "mask": {"observed": MASKED},
    "downsample 2": {"factor": 2},
    "downsample 3": {"factor": 3},
    "circular blur": {"kernel": LOPSIDED, "boundary": "circular"},
    "reflect blur": {"kernel": LOPSIDED, "boundary": "reflect"},
    "zero blur": {"kernel": LOPSIDED, "boundary": "zero"},
    "symmetric reflect blur": {"kernel": gaussian_kernel(0.8), "boundary": "reflect"},
    "large symmetric reflect blur": {"kernel": gaussian_kernel(3), "boundary": "reflect"},
    "mask, blur": {"observed": MASKED, "kernel": LOPSIDED},
    "mask, downsample": {"observed": MASKED, "factor": 2},
    "downsample, blur": {"factor": 2, "kernel": gaussian_kernel(0.8), "boundary": "circular"},
    "mask, downsample, blur": {"observed": MASKED, "factor": 2, "kernel": LOPSIDED},
}


@pytest.mark.parametrize("rho", [0.01, 0.3, 5.0])
@pytest.mark.parametrize("case", CASES)
def test_the_proximal_step_agrees_with_a_dense_solve(case, rho):
    op = build_operator((7, 6), **CASES[case])
    v = gaussian_noise((2, 3, *op.in_shape))
    y = gaussian_noise((2, 3, *op.out_shape), 1)
    expected = dense_prox(op, v, y, rho).float()
    found = op.prox(v, y, rho)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-4 * float(expected.abs().max()))
    warm = op.prox(v, y, rho, start=expected + 0.1)
    torch.testing.assert_close(warm, expected, rtol=0, atol=2e-4 * float(expected.abs().max()))


def test_a_large_downsampling_has_its_proximal_step_by_conjugate_gradients(monkeypatch):
    op = Downsample((14, 12), 2)
    v, y = gaussian_noise((1, 2, 14, 12)), gaussian_noise((1, 2, 7, 6), 1)
    closed = op.prox(v, y, 0.05)
    monkeypatch.setattr(downsample, "_MAX_DECOMPOSED", 1)
    iterated = op.prox(v, y, 0.05)
    assert not torch.equal(iterated, closed)
    torch.testing.assert_close(iterated, closed, atol=1e-4, rtol=0)


def test_a_looser_tolerance_and_fewer_iterations_stop_earlier():
    op = build_operator((20, 20), kernel=LOPSIDED)
    v, y = gaussian_noise((1, 1, 20, 20)), gaussian_noise((1, 1, 20, 20), 1)
    exact = op.prox(v, y, 0.01)
    loose, short = copy.copy(op), copy.copy(op)
    loose.tolerance = 1e-2
    short.max_iterations = 2
    for op in (loose, short):
        assert 1e-3 < (op.prox(v, y, 0.01) - exact).abs().max() < 10


def test_a_good_start_is_kept():
    op = build_operator((20, 20), kernel=LOPSIDED)
    v, y = gaussian_noise((1, 1, 20, 20)), gaussian_noise((1, 1, 20, 20), 1)
    exact = op.prox(v, y, 0.1)
    op.max_iterations = 0
    torch.testing.assert_close(op.prox(v, y, 0.1, start=exact), exact)
    assert torch.equal(op.prox(v, y, 0.1), v)


def test_planes_do_not_influence_each_other():
    op = build_operator((9, 8), observed=np.eye(9, 8) == 0, kernel=LOPSIDED)
    v, y = gaussian_noise((2, 2, 9, 8)), gaussian_noise((2, 2, 9, 8), 1)
    v[0, 1] = y[0, 1] = 0  # solved before the start
    v[1, 0] *= 1000
    together = op.prox(v, y, 0.1)
    assert not together[0, 1].any()
    for n, c in ((0, 0), (1, 0), (1, 1)):
        alone = op.prox(v[n : n + 1, c : c + 1], y[n : n + 1, c : c + 1], 0.1)
        scale = float(v[n, c].abs().max())
        torch.testing.assert_close(alone[0, 0], together[n, c], rtol=0, atol=1e-4 * scale)


# Types, autocast, devices -------------------------------------------------------------------


@settings(max_examples=20)
@given(operators())
def test_autocast_and_half_precision_input_are_computed_in_float32(op):
    x = torch.rand(1, 2, *op.in_shape)
    y = op.forward(x)
    v = torch.rand_like(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(op.forward(x), y)
        back = op.adjoint(y)
        inside = op.prox(v, y, 0.3)
    assert torch.equal(back, op.adjoint(y))
    assert torch.equal(inside, op.prox(v, y, 0.3))
    half = x.bfloat16()
    assert torch.equal(op.forward(half), op.forward(half.float()))
    assert op.forward(x.double()).dtype == torch.float64


@given(operators())
def test_inputs_are_left_alone_and_results_are_new(op):
    x, y = torch.rand(1, 1, *op.in_shape), torch.rand(1, 1, *op.out_shape)
    before = x.clone(), y.clone()
    for result in (op.forward(x), op.adjoint(y), op.prox(x, y, 0.3)):
        result.add_(1)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


@pytest.mark.parametrize("case", CASES)
def test_to_moves_every_tensor(case):
    """'meta' is a device that every machine has: a tensor left behind would raise."""
    op = build_operator((7, 6), **CASES[case])
    op.tolerance = 0.5
    moved = op.to("meta")
    assert moved.forward(torch.empty(1, 1, *op.in_shape, device="meta")).is_meta
    assert moved.adjoint(torch.empty(1, 1, *op.out_shape, device="meta")).is_meta
    assert moved.tolerance == 0.5
    assert not op.forward(torch.rand(1, 1, *op.in_shape)).is_meta


# Errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (np.ones(3), r"shape \(3,\).*2-D"),
        (np.ones((3, 3, 3)), r"shape \(3, 3, 3\).*2-D"),
        (np.ones((0, 3)), r"shape \(0, 3\)"),
        (np.full((3, 3), np.nan), "NaN"),
        (np.full((3, 3), np.inf), "infinite"),
        (np.array([[1.0, -0.25]]), r"negative.*-0\.25.*background"),
        (np.zeros((3, 3)), "0 everywhere"),
        ([["a"]], "not an array of numbers"),
    ],
)
def test_an_unusable_kernel_is_refused_in_words(kernel, words):
    with pytest.raises(InputError, match=words):
        build_operator((8, 8), kernel=kernel)


@pytest.mark.parametrize("sigma", [0, -1, np.nan, np.inf])
def test_an_unusable_blur_width_is_refused(sigma):
    with pytest.raises(InputError, match="sigma"):
        gaussian_kernel(sigma)


@pytest.mark.parametrize("factor", [0, 5, -2, 16])
def test_an_unusable_factor_is_refused_with_those_allowed(factor):
    with pytest.raises(InputError, match=rf"{factor}; allowed are 2, 3, 4, 8"):
        build_operator((8, 8), factor=factor)


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"3 x 4.*5 x 6"):
        build_operator((5, 6), observed=np.zeros((3, 4)))
    with pytest.raises(InputError, match="multiples of the factor 4"):
        Downsample((10, 8), 4)
    with pytest.raises(InputError, match="boundary is 'wrap'"):
        Blur((8, 8), LOPSIDED, "wrap")
    with pytest.raises(ValueError, match=r"\(8,\)"):
        Mask(np.ones(8))
    with pytest.raises(ValueError, match=r"gives \(4, 4\).*takes \(8, 8\)"):
        Compose(Identity((8, 8)), Downsample((8, 8), 2))
    with pytest.raises(ValueError, match="at least one"):
        Compose()


def test_tensors_that_do_not_fit_are_refused():
    op = build_operator((4, 5), factor=2)
    fit = torch.rand(1, 1, 8, 10), torch.rand(1, 1, 4, 5)
    for x in (torch.rand(8, 10), torch.rand(1, 1, 4, 5)):
        with pytest.raises(ValueError, match=r"x has shape .*\(N, C, 8, 10\)"):
            op.forward(x)
    with pytest.raises(ValueError, match=r"y has shape .*\(N, C, 4, 5\)"):
        op.adjoint(fit[0])
    with pytest.raises(ValueError, match="v has shape"):
        op.prox(fit[1], fit[1], 0.1)
    with pytest.raises(ValueError, match="start has shape"):
        op.prox(*fit, 0.1, start=fit[1])
    for rho in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="rho"):
            op.prox(*fit, rho)
