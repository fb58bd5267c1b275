"""When to stop without the truth: by observed samples that the network's fit does not see."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_dred.core.hqs import LEAST_SIGMA
from napari_dred.core.problem import Problem, rms

LOOK_EVERY = 10  # iterations: the error changes slowly, and to read it is to wait for a GPU
LEAST_HELD_OUT = 500  # samples; of fewer, the error is too uncertain to stop by
PATIENCE = 50  # iterations that it must have been worse than at its best
TOLERANCE = 0.005  # how much worse, in parts: below that it is the noise of the held-out samples


class HeldOut:
    """A share of the observed samples, drawn at random, kept out of the data term.

    Samples that were cut off at an end of the range are never among them: their true error is
    not known.

    Parameters
    ----------
    problem : Problem
    share : float
        Between 0 and 1.
    seed : int
    """

    @classmethod
    def of(cls, problem: Problem, share: float, seed: int) -> HeldOut | None:
        """Hold samples out; none without noise, or of so few samples that they tell nothing."""
        if not share or problem.sigma < LEAST_SIGMA:
            return None
        held_out = cls(problem, share, seed)
        return held_out if int(held_out._count) >= LEAST_HELD_OUT else None

    def __init__(self, problem: Problem, share: float, seed: int) -> None:
        y, (low, high) = problem.y, problem.limits
        draw = torch.rand(y.shape, generator=torch.Generator().manual_seed(seed)) < share
        held = draw.to(y.device) & (y > low) & (y < high)
        self._held = held if problem.observed is None else held & problem.observed
        self._count = self._held.sum()
        self._problem = problem
        self.fitted = (~self._held).to(y.dtype)

    def error(self, x: Tensor) -> Tensor:
        """Root mean square of Y - H X over the held-out samples, in units of the noise level.

        Not a number where nothing is held out.
        """
        problem = self._problem
        difference = (problem.operator.forward(x) - problem.y) * self._held
        if problem.level is not None:
            difference = difference / problem.level
        return rms(difference) * (difference.numel() / self._count).sqrt() / problem.sigma


class BestImage:
    """The image of the least error so far, and whether it is time to stop.

    Attributes
    ----------
    iteration : int
        Of that image; 0 before the first.
    """

    def __init__(self) -> None:
        self.iteration = 0
        self._error = float("inf")
        self._last = float("inf")
        self._image: Tensor | None = None

    def update(self, iteration: int, error: float, image: Tensor) -> bool:
        """Take note of an iteration; say whether the error has been rising for long enough."""
        self._last = error
        if not error >= self._error:
            self.iteration, self._error, self._image = iteration, error, image
        return self.passed and iteration - self.iteration >= PATIENCE

    @property
    def passed(self) -> bool:
        """Whether the last image is worse than the best by more than noise explains."""
        return self._last > self._error * (1 + TOLERANCE)

    @property
    def image(self) -> Tensor:
        """The best image."""
        assert self._image is not None
        return self._image
