"""Plug-and-play half-quadratic splitting: the denoiser alone, with an exact data step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from napari_dred.core.coarse import doubled, halved, has_wide_holes
from napari_dred.core.denoisers.base import HIGHEST_LEVEL, VIEWS, Denoiser
from napari_dred.core.denoisers.build import has_filler
from napari_dred.core.enlarge import at_its_own_size, enlarged, enlarging
from napari_dred.core.fill import fill, mixed
from napari_dred.core.parameters import Parameters
from napari_dred.core.problem import Problem, State, rms

# The numbers here were found on images apart from every test set.
FIRST_LEVEL = HIGHEST_LEVEL
FILLED_LEVEL = 20 / 255  # the first one where holes are filled already
LEAST_STEPS = 6  # that are shared between both sizes
LEAST_LEVEL = 2 / 255
POLISH_FROM = 1.3  # times the noise level
# Weight of the denoised image in the data step, at the first and the last level: between 0.2 and
# 0.5 for the mean of both makes no difference, except where H leaves each sample by itself: there
# the data step should do little but fill holes.
PRIOR_WEIGHTS = 0.32, 0.16
PRIOR_WEIGHTS_POINTWISE = 0.02, 0.02
LEAST_SIGMA = 0.25 / 255
MOMENTUM = 0.9  # at the last call, without noise: what holes are filled with still moves then


def hqs(problem: Problem, p: Parameters) -> Iterator[State]:
    """Restore in `p.iterations` steps, from `problem.start`.

    As Zhang et al. (2021, "DPIR"): the level sigma_k falls from 75/255 to the
    level of the noise, evenly in its logarithm, and the data step gives the denoised
    image the weight rho_k = w_k sigma^2 / sigma_k^2 (theirs: from 49/255, w = 0.23). Beyond
    theirs, each call sees the image turned or mirrored in another way, and the last one in all
    eight, since what a network does to a pattern and to its mirror image differs. Samples that
    were cut off are replaced by their expectation, see `Problem.uncut`.

    Parameters
    ----------
    problem : Problem
    p : Parameters
        Complete.

    Yields
    ------
    State
        Its image is the denoiser's output, or that of the network that fills holes.
    """
    assert p.iterations is not None
    return descend(problem, p.iterations)


def descend(problem: Problem, count: int) -> Iterator[State]:
    """As `hqs`, in `count` steps.

    The first third of the steps fills holes: by a network that was trained to, where there is one,
    which has a part in the last step too. Otherwise, where they are wide, it is made at half the
    size, the first third of those steps at a quarter, and so on: there the holes are less wide.
    From a filled image, sigma_k falls from 20/255. Where Y is better restored by itself before it
    is enlarged, the first third of the steps does that.
    """
    small = at_its_own_size(problem) if count >= LEAST_STEPS else None
    if small is not None:
        yield from _in_two_steps(problem, small, count)
        return
    first, done = FIRST_LEVEL, 0
    filled = problem.filler is not None and problem.operator.pointwise and count >= LEAST_STEPS
    if filled:
        before = x = problem.start
        for done, x in enumerate(fill(problem, count // 3), 1):
            misfit = problem.misfit(problem.operator.forward(x))
            yield State(done, problem.within(x), misfit, rms(x - before))
            before = x
        problem, first = replace(problem, start=x), FILLED_LEVEL
    elif count >= LEAST_STEPS and has_wide_holes(problem):
        for state in descend(halved(problem), count // 3):
            x = doubled(state.x, problem.start)
            done = state.iteration
            yield replace(state, x=x)
        problem, first = replace(problem, start=x), FILLED_LEVEL
    sigma = max(problem.sigma, LEAST_LEVEL)
    for state in _steps(problem, max(first, sigma), sigma, count - done):
        x, k = state.x, done + state.iteration
        if filled and k == count:
            x = problem.within(mixed(problem, x))
        yield replace(state, x=x, iteration=k)


def _in_two_steps(problem: Problem, small: Problem, count: int) -> Iterator[State]:
    done = count // 3
    if small.filler is not None and count >= 2 * LEAST_STEPS:
        done = max(done, LEAST_STEPS)  # else holes are not filled by the network
    for state in descend(small, done):
        yield replace(state, x=enlarged(problem, state.x))
    for later in descend(enlarging(problem, state.x), count - done):
        x = problem.within(later.x)
        misfit = problem.misfit(problem.operator.forward(x))
        yield replace(later, x=x, loss=misfit, iteration=done + later.iteration)


def polish(problem: Problem, count: int) -> Iterator[State]:
    """Take the last few steps of `hqs` only, from an image that is nearly right.

    Parameters
    ----------
    problem : Problem
        With that image as its `start`.
    count : int
        Their number, at 1.3 times the noise level first.
    """
    sigma = max(problem.sigma, LEAST_LEVEL)
    return _steps(problem, POLISH_FROM * sigma, sigma, count)


def _steps(problem: Problem, first: float, last: float, count: int) -> Iterator[State]:
    sigma = max(problem.sigma, LEAST_SIGMA)
    z = x = previous = problem.start
    hz = problem.operator.forward(z)
    pointwise = problem.operator.pointwise
    levels = np.geomspace(first, last, count)
    weights = np.geomspace(*(PRIOR_WEIGHTS_POINTWISE if pointwise else PRIOR_WEIGHTS), count)
    momentum = MOMENTUM * min(1, (LEAST_LEVEL / sigma) ** 2) / count if pointwise else 0.0
    for k, (level, weight) in enumerate(zip(levels.tolist(), weights.tolist(), strict=True), 1):
        problem.check()
        y = problem.uncut(hz)
        ahead = torch.lerp(previous, z, 1 + momentum * (k - 1)) if momentum else z
        x = problem.operator.prox(ahead, y, weight * (sigma / level) ** 2, start=x)
        previous, z = z, _in_other_views(problem.denoiser, x, level, k, count)
        hz = problem.operator.forward(z)
        yield State(k, problem.within(z), problem.misfit(hz), rms(z - previous))


def steps_of(p: Parameters) -> int:
    """Steps of HQS with which a run of these (complete) parameters begins."""
    steps = p.iterations if p.method == "hqs" else p.blend
    assert steps is not None
    return steps


def fills(p: Parameters) -> bool:
    """Whether a network for holes makes some of these steps, where there are holes."""
    return steps_of(p) >= LEAST_STEPS and has_filler(p.denoiser or "", p.weights)


def calls_of(count: int) -> int:
    """Calls of the denoiser in `count` iterations without holes: the last one takes all views."""
    return count and count - 1 + VIEWS


def _in_other_views(f: Denoiser, x: Tensor, level: float, k: int, count: int) -> Tensor:
    """Denoise X in the k-th of its views; in the last call in all of them."""
    if k < count:
        return f(x, level, k % VIEWS)
    total = f(x, level)
    for view in range(1, VIEWS):
        total += f(x, level, view)
    return total / VIEWS
