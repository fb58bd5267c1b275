"""When to stop or to go back, without the truth: by held-out samples, sharpness, or a fall."""

from __future__ import annotations

from collections import deque
from statistics import fmean

import torch
from skimage.measure import blur_effect
from torch import Tensor
from torch.nn import functional as F

from napari_dred.core.hqs import LEAST_SIGMA
from napari_dred.core.problem import Problem, rms

LOOK_EVERY = 10  # iterations: the error changes slowly, and to read it is to wait for a GPU
LEAST_HELD_OUT = 500  # samples; of fewer, the error is too uncertain to stop by
PATIENCE = 50  # iterations that it must have been worse than at its best
TOLERANCE = 0.005  # how much worse, in parts: below that it is the noise of the held-out samples
SPAN = 100  # iterations that `Settled` takes a mean of
SHARPEST, FADING = 1000, 0.01  # places that sharpness counts, and how much less each than the last


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


class Settled:
    """Whether an image has stopped getting sharper: the rule of Shi et al. (2022).

    So it has when the ratio of its blurriness (Crete et al. 2007) to its sharpness (Bahrami and
    Kot 2014), as a mean over 100 iterations, has hardly changed since the 100 before.

    Parameters
    ----------
    change : float
        What the mean must have changed by at least.
    """

    def __init__(self, change: float) -> None:
        self._change = change
        self._ratios = deque[float](maxlen=2 * SPAN // LOOK_EVERY)

    def update(self, image: Tensor) -> bool:
        """Take note of the (1, C, H, W) image of every `LOOK_EVERY`-th iteration."""
        gray = image[0].mean(0).float()
        sharpness = float(_sharpness(gray))
        if sharpness == 0:  # flat, as before anything was learned
            return False
        self._ratios.append(float(blur_effect(gray.cpu().numpy(), h_size=9)) / sharpness)
        if len(self._ratios) < (self._ratios.maxlen or 0):
            return False
        half = len(self._ratios) // 2
        before, now = list(self._ratios)[:half], list(self._ratios)[half:]
        return abs(fmean(now) - fmean(before)) < self._change


def _sharpness(gray: Tensor) -> Tensor:
    """Root mean square of the largest local variations, the larger the more they count."""
    variation = F.max_pool2d(gray[None, None], 3, stride=1)[0, 0] - gray[1:-1, 1:-1]
    largest = variation.flatten().topk(min(SHARPEST, variation.numel())).values
    return rms(largest * torch.exp(-FADING * torch.arange(len(largest)).to(largest)))


class Fall:
    """Whether the fit has suddenly got much worse, as Adam's sometimes does.

    Parameters
    ----------
    decibels : float
        From one look to the next; 0 for never.
    """

    def __init__(self, decibels: float) -> None:
        self._factor = 10 ** (decibels / 10) if decibels else float("inf")
        self._last = float("inf")

    def seen(self, misfit: Tensor) -> bool:
        """Take note of a mean square error; after a fall, any is taken for the next one."""
        error = float(misfit.detach())
        fell = error > self._factor * self._last
        self._last = float("inf") if fell else error
        return fell
