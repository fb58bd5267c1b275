"""Half the size: where holes are half as wide, and a denoiser sees further around them."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_dred.core.operators import Mask
from napari_dred.core.problem import Problem

LEAST_SIDE = 32  # pixels of the smaller image
WIDE = 0.25


def has_wide_holes(problem: Problem, side: int = 2) -> bool:
    """Whether holes are so wide that they are better filled at half the size first.

    They are if much of what is missing lies in squares of `side` pixels that are missing as a
    whole, and `halved` can give that problem.
    """
    observed = problem.observed
    if observed is None or problem.level is not None or not problem.operator.pointwise:
        return False
    if min(observed.shape[-2:]) < 2 * LEAST_SIDE:
        return False
    h, w = observed.shape[-2:]
    padded = F.pad(observed.float(), (0, -w % side, 0, -h % side))
    missing = F.max_pool2d(padded, side) == 0
    return bool(missing.float().mean() > WIDE * (~observed).float().mean())


def halved(problem: Problem) -> Problem:
    """The same problem at half the size: each pixel is the mean of what is known of its four.

    Parameters
    ----------
    problem : Problem
        Of a pointwise H and even noise.

    Returns
    -------
    Problem
        Its sizes are rounded up; nothing counts as cut off, as means of few samples seldom are.
    """
    assert problem.observed is not None
    observed = problem.observed.expand_as(problem.y)
    known, count = _known(observed)
    total = F.avg_pool2d(F.pad(problem.y * observed, _odd(observed)), 2) * 4
    operator = Mask(known)
    operator.check = problem.check
    return dataclasses.replace(
        problem,
        y=torch.where(known, total / count.clamp_min(1), 0),
        start=F.avg_pool2d(F.pad(problem.start, _odd(observed), mode="replicate"), 2),
        operator=operator,
        sigma=problem.sigma * float(count[known].reciprocal().mean().sqrt()),
        limits=(-math.inf, math.inf),
        observed=known,
    )


def doubled(x: Tensor, like: Tensor) -> Tensor:
    """An image of half the size, as large as `like` (N, C, H, W)."""
    h, w = like.shape[-2:]
    return F.interpolate(x, scale_factor=2.0, mode="bicubic")[..., :h, :w]


def _known(observed: Tensor) -> tuple[Tensor, Tensor]:
    """Where anything is known at half the size, and how many of the four samples are."""
    padded = F.pad(observed.float(), _odd(observed))
    count = F.avg_pool2d(padded, 2) * 4
    return count > 0, count


def _odd(x: Tensor) -> tuple[int, int, int, int]:
    return 0, x.shape[-1] % 2, 0, x.shape[-2] % 2
