"""Plug-and-play half-quadratic splitting: the denoiser alone, with an exact data step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_dred.core.parameters import Parameters
from napari_dred.core.problem import Problem, State, rms

FIRST_LEVEL = 49 / 255
POLISH_FROM = 1.3  # times the noise level
# Weight of the denoised image in the data step, at the first and the last level. Found on images
# apart from every test set: between 0.2 and 0.5 for the mean of both makes no difference, except
# where H leaves each sample by itself: there the data step should do little but fill holes.
PRIOR_WEIGHTS = 0.32, 0.16
PRIOR_WEIGHTS_POINTWISE = 0.02, 0.02
LEAST_SIGMA = 0.25 / 255


def hqs(problem: Problem, p: Parameters) -> Iterator[State]:
    """Restore with `p.iterations` calls of the denoiser, from `problem.start`.

    As Zhang et al. (2021, "DPIR"): the level sigma_k falls from 49/255 to the
    level of the noise, evenly in its logarithm, and the data step gives the denoised
    image the weight rho_k = w_k sigma^2 / sigma_k^2 (theirs: w = 0.23). Samples that
    were cut off are replaced by their expectation, see `Problem.uncut`.

    Parameters
    ----------
    problem : Problem
    p : Parameters
        Complete.

    Yields
    ------
    State
        Its image is the denoiser's output.
    """
    assert p.iterations is not None
    return descend(problem, p.iterations)


def descend(problem: Problem, count: int) -> Iterator[State]:
    """As `hqs`, with `count` calls of the denoiser."""
    sigma = max(problem.sigma, LEAST_SIGMA)
    return _steps(problem, max(FIRST_LEVEL, sigma), sigma, count)


def polish(problem: Problem, count: int) -> Iterator[State]:
    """Take the last few steps of `hqs` only, from an image that is nearly right.

    Parameters
    ----------
    problem : Problem
        With that image as its `start`.
    count : int
        Calls of the denoiser, at 1.3 times the noise level first.
    """
    sigma = max(problem.sigma, LEAST_SIGMA)
    return _steps(problem, POLISH_FROM * sigma, sigma, count)


def _steps(problem: Problem, first: float, last: float, count: int) -> Iterator[State]:
    z = x = problem.start
    hz = problem.operator.forward(z)
    levels = np.geomspace(first, last, count)
    weights = np.geomspace(
        *(PRIOR_WEIGHTS_POINTWISE if problem.operator.pointwise else PRIOR_WEIGHTS), count
    )
    for k, (level, weight) in enumerate(zip(levels.tolist(), weights.tolist(), strict=True), 1):
        problem.check()
        y = problem.uncut(hz)
        x = problem.operator.prox(z, y, weight * (last / level) ** 2, start=x)
        previous, z = z, problem.denoiser(x, level)
        hz = problem.operator.forward(z)
        yield State(k, problem.within(z), problem.misfit(hz), rms(z - previous))
