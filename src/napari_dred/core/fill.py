"""Holes filled by a network that was trained to fill them: the first guess at an image."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from napari_dred.core.coarse import doubled, halved, has_wide_holes
from napari_dred.core.denoisers.base import HIGHEST_LEVEL, HOLE, VIEWS
from napari_dred.core.problem import Problem

WIDE = 16  # pixels that a hole has at least which is better filled at a smaller size first
PASSES = 2  # calls that each start from the last one's image: more of them drift away
LAST_CALLS = 4  # whose mean is mixed into the result


def calls_of(count: int) -> int:
    """Calls of the network that `count` steps of HQS take where holes are filled."""
    return count // 3 + LAST_CALLS


def fill(problem: Problem, count: int) -> Iterator[Tensor]:
    """Fill holes in `count` calls of the network.

    The first `PASSES` better what the one before made of the holes; the mean of the others is the
    result. Each sees the image in another of its views. Where holes are wide, it is called at half
    the size first, at a quarter before that, and so on, where the holes are less wide; that counts
    as one.

    Parameters
    ----------
    problem : Problem
        Of a pointwise H, with a filler.
    count : int

    Yields
    ------
    (1, C, H, W) tensor
        The whole image, denoised too.
    """
    x = total = base = problem.start
    if has_wide_holes(problem, WIDE):
        *_, small = fill(halved(problem), PASSES + 1)
        x = doubled(small, problem.start)
        count -= 1
        yield x
    y = problem.y
    for k in range(count):
        if k <= PASSES:
            base, total = x, torch.zeros_like(x)
        x = _call(problem, y, base, k)
        total = total + x
        yield total / max(1, k + 1 - PASSES)
        y = problem.uncut(x)


def mixed(problem: Problem, x: Tensor) -> Tensor:
    """Where samples are missing, the mean of X and what the network makes of it."""
    y = problem.uncut(x)
    calls = [_call(problem, y, x, view) for view in range(LAST_CALLS)]
    filled = torch.stack(calls).mean(0)
    assert problem.observed is not None
    return torch.where(problem.observed, x, (x + filled) / 2)


def _call(problem: Problem, y: Tensor, x: Tensor, k: int) -> Tensor:
    """The network's image of Y with the holes filled from X, seen in the k-th view."""
    assert problem.filler is not None and problem.observed is not None
    problem.check()
    observed = problem.observed.expand_as(x)
    level = problem.sigma * (torch.ones_like(x) if problem.level is None else problem.level)
    level = torch.where(observed, level.clamp_max(HIGHEST_LEVEL), HOLE)
    return problem.filler(torch.where(observed, y, x), level, k % VIEWS)
