"""Plug-and-play half-quadratic splitting: the denoiser alone, with an exact data step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_dred.core.parameters import Parameters
from napari_dred.core.problem import Problem, State, rms

FIRST_LEVEL = 49 / 255
DATA_WEIGHT = 0.23


def hqs(problem: Problem, p: Parameters) -> Iterator[State]:
    """Alternate between the data's proximal step and the denoiser.

    As Zhang et al. (2021, "DPIR"): the level sigma_k falls from 49/255 to the
    level of the noise, evenly in its logarithm, and the weight of the data step is
    rho_k = 0.23 sigma^2 / sigma_k^2.

    Parameters
    ----------
    problem : Problem
    p : Parameters
        Complete; `iterations` denoiser calls are made.

    Yields
    ------
    State
        Its image is the denoiser's output.
    """
    assert p.iterations is not None
    sigma = max(problem.sigma, 0.25 / 255)
    levels = np.geomspace(max(FIRST_LEVEL, sigma), sigma, p.iterations)
    z = x = problem.start
    for k, level in enumerate(levels.tolist(), 1):
        problem.check()
        rho = DATA_WEIGHT * sigma**2 / level**2
        x = problem.operator.prox(z, problem.y, rho, start=x)
        previous, z = z, problem.denoiser(x.clamp(0, 1), level)
        misfit = problem.operator.forward(z) - problem.y
        yield State(k, z, misfit.square().mean(), rms(z - previous))
