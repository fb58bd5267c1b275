"""Plug-and-play half-quadratic splitting: the denoiser alone, with an exact data step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_dred.core.parameters import Parameters
from napari_dred.core.problem import Problem, State, rms

FIRST_LEVEL = 49 / 255
POLISH_FROM = 2.0  # times the noise level
DATA_WEIGHT = 0.23
LEAST_SIGMA = 0.25 / 255


def hqs(problem: Problem, p: Parameters) -> Iterator[State]:
    """Restore with `p.iterations` calls of the denoiser, from `problem.start`.

    As Zhang et al. (2021, "DPIR"): the level sigma_k falls from 49/255 to the
    level of the noise, evenly in its logarithm, and the weight of the data step is
    rho_k = 0.23 sigma^2 / sigma_k^2.

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
    sigma = max(problem.sigma, LEAST_SIGMA)
    return _steps(problem, max(FIRST_LEVEL, sigma), sigma, p.iterations)


def polish(problem: Problem, count: int) -> Iterator[State]:
    """Take the last few steps of `hqs` only, from an image that is nearly right.

    Parameters
    ----------
    problem : Problem
        With that image as its `start`.
    count : int
        Calls of the denoiser, at twice the noise level first.
    """
    sigma = max(problem.sigma, LEAST_SIGMA)
    return _steps(problem, POLISH_FROM * sigma, sigma, count)


def _steps(problem: Problem, first: float, last: float, count: int) -> Iterator[State]:
    z = x = problem.start
    for k, level in enumerate(np.geomspace(first, last, count).tolist(), 1):
        problem.check()
        rho = DATA_WEIGHT * (last / level) ** 2
        x = problem.operator.prox(z, problem.y, rho, start=x)
        previous, z = z, problem.denoiser(x.clamp(0, 1), level)
        misfit = problem.operator.forward(z) - problem.y
        yield State(k, z, misfit.square().mean(), rms(z - previous))
