"""Holes filled by a network that was trained to fill them: the first guess at an image."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from napari_dred.core.coarse import doubled, halved, has_wide_holes
from napari_dred.core.denoisers.base import HOLE, VIEWS
from napari_dred.core.problem import Problem

PASSES = 2  # calls that each start from the last one's image: more of them drift away


def fill(problem: Problem, count: int) -> Iterator[Tensor]:
    """Fill holes in `count` calls of the network.

    The first `PASSES` better what the one before made of the holes; the mean of the others is the
    result. Each sees the image in another of its views. Where holes are wide, it is called at half
    the size first, at a quarter before that, and so on: there the holes are less wide.

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
    assert problem.filler is not None and problem.observed is not None
    x = problem.start
    if has_wide_holes(problem):
        for small in fill(halved(problem), PASSES):
            x = doubled(small, problem.start)
    observed = problem.observed.expand_as(x)
    level = problem.sigma * (torch.ones_like(x) if problem.level is None else problem.level)
    level = torch.where(observed, level, HOLE)
    given = total = x
    for k in range(count):
        problem.check()
        if k <= PASSES:
            given = torch.where(observed, problem.uncut(x) if k else problem.y, x)
            total = torch.zeros_like(x)
        x = problem.filler(given, level, k % VIEWS)
        total = total + x
        yield total / max(1, k + 1 - PASSES)
