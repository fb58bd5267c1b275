"""Super-resolution in two steps: Y is restored at its own size, and the result is enlarged."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_dred.core.coarse import has_wide_holes
from napari_dred.core.operators import Blur, Compose, Downsample, Identity, Mask, Operator
from napari_dred.core.photon import Uneven
from napari_dred.core.problem import Problem

# With so much noise, from this factor on, it is better on images apart from every test set
# (benchmarks/results/search.csv, "enlarged at once"): at the size of X, the denoiser sees no
# farther than a few samples of Y.
FACTOR, NOISE = 4, 8 / 255
LEFT = 0.5 / 255  # noise level after that; below `NOISE`, or it would be done again


def in_two_steps(factor: int, sigma: float, *, blurred: bool) -> bool:
    """Whether an image with noise of level `sigma` on [0, 1] is restored before it is enlarged.

    Not with a blur besides, which must not be undone in an image whose errors are no longer noise.
    """
    return factor >= FACTOR and sigma >= NOISE and not blurred


def at_its_own_size(problem: Problem) -> Problem | None:
    """The problem whose X is the Y of this one, without noise and holes.

    Returns
    -------
    Problem or None
        With H = 1 or a mask. None if this one had better be solved at once: see `in_two_steps`.
        That is so too with wide holes, whose filling must not count as measured.
    """
    y, observed = problem.y, problem.observed
    factor = problem.start.shape[-1] // y.shape[-1]
    blurred = any(isinstance(part, Blur) for part in _parts(problem))
    if not in_two_steps(factor, problem.sigma, blurred=blurred):
        return None
    operator: Operator = Identity((y.shape[-2], y.shape[-1]))
    start, denoiser = y, problem.denoiser
    if observed is not None and not bool(observed.all()):
        operator = Mask(observed).to(y.device)
        start = torch.where(observed, y, _without_mask(problem).forward(problem.start))
    operator.check = problem.check
    if isinstance(denoiser, Uneven) and problem.level is not None:
        denoiser = Uneven(denoiser.even, problem.level)
    small = dataclasses.replace(problem, operator=operator, start=start, denoiser=denoiser)
    return None if has_wide_holes(small) else small


def enlarged(problem: Problem, small: Tensor) -> Tensor:
    """The image that a restored Y (1, C, h, w) makes without further ado: as large as X."""
    size = problem.start.shape[-2:]
    return problem.within(F.interpolate(small, size, mode="bicubic"))


def enlarging(problem: Problem, small: Tensor) -> Problem:
    """The problem that is left once Y is restored at its own size: hardly any noise, no holes."""
    denoiser = problem.denoiser
    return dataclasses.replace(
        problem,
        y=small,
        start=enlarged(problem, small),
        operator=_without_mask(problem),
        sigma=LEFT,
        denoiser=denoiser.even if isinstance(denoiser, Uneven) else denoiser,
        limits=(-math.inf, math.inf),
        level=None,
        observed=None,
        filler=None,
    )


def _parts(problem: Problem) -> tuple[Operator, ...]:
    h = problem.operator
    return h.operators if isinstance(h, Compose) else (h,)


def _without_mask(problem: Problem) -> Operator:
    (operator,) = (part for part in _parts(problem) if isinstance(part, Downsample))
    return operator
