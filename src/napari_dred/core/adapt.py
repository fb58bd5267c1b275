"""The trained denoiser fitted further, to the one image that is to be restored."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Generator
from types import EllipsisType

import torch
from torch import Tensor

from napari_dred.core.admm import look_every
from napari_dred.core.denoisers.base import (
    VIEWS,
    DenoisingNetwork,
    NetworkDenoiser,
    in_view,
)
from napari_dred.core.enlarge import at_its_own_size, enlarged
from napari_dred.core.hqs import PRIOR_WEIGHTS, descend
from napari_dred.core.precision import autocast
from napari_dred.core.problem import Problem, State

# The numbers were chosen on images apart from every test set.
PATCH = 128  # side of what a step sees of the image
ALPHA, RATE = 0.5, 5e-5
# Where H mixes samples, the data tell less of the image, and too large a step does harm.
ALPHA_MIXED, RATE_MIXED = 1.0, 8e-6
CALLS = 6  # of the denoiser, for an image to start from
REFRESH = 5  # steps with the same noise, where another such image must be made for each

_Part = tuple[EllipsisType, slice, slice]  # of a tensor


def adapt(problem: Problem, steps: int, seed: int) -> Generator[State, None, Problem]:
    """Fit the denoiser to Y itself, without a clean image.

    Recorrupted-to-recorrupted training (Pang et al. 2021): with n' of the level of n,
    Y + a n' and Y - n' / a have independent errors. A network that makes the second out
    of the first therefore learns, but for a constant, what it would learn from H X in place of the
    second. Here it makes it through the data step and H: one Adam step on the mean square of
    H f(prox(Y + a n')) - (Y - n' / a) over the observed samples. What holes are filled with at
    first is the exception: it was made of Y.

    Parameters
    ----------
    problem : Problem
        Of even noise; its denoiser must be a `NetworkDenoiser`. It is not modified.
    steps : int
    seed : int

    Yields
    ------
    State
        One a step, all with the image that the steps start from.

    Returns
    -------
    Problem
        The same with the fitted denoiser.
    """
    small = at_its_own_size(problem)
    fit = _Fit(problem if small is None else small, seed)
    x = problem.within(fit.first) if small is None else enlarged(problem, fit.first)
    misfit = problem.misfit(problem.operator.forward(x))
    unchanged, stride = torch.zeros_like(misfit), look_every(problem.y.device)
    for k in range(1, steps + 1):
        problem.check()
        fit.step(k, 1 - (k - 1) / steps)
        told = k % stride == 0 or k == steps
        yield State(k, x, *((misfit, unchanged) if told else (None, None)))
    return dataclasses.replace(problem, denoiser=_like(problem, fit.network))


def _like(problem: Problem, network: DenoisingNetwork) -> NetworkDenoiser:
    """The problem's denoiser with another network."""
    return NetworkDenoiser(
        network, device=problem.y.device, bfloat16=problem.bfloat16, check=problem.check
    )


class _Fit:
    """The network, and what its steps start from."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem = problem
        assert isinstance(problem.denoiser, NetworkDenoiser)
        self.network = copy.deepcopy(problem.denoiser.network).requires_grad_(True)
        self.first = _image(problem)
        self._pointwise = problem.operator.pointwise
        self._alpha, self._rate = (ALPHA, RATE) if self._pointwise else (ALPHA_MIXED, RATE_MIXED)
        self._adam = torch.optim.Adam(self.network.parameters())
        self._generator = torch.Generator(problem.y.device).manual_seed(seed)
        self._places = torch.Generator().manual_seed(seed)  # no need to wait for a GPU
        self._y = problem.uncut(problem.operator.forward(self.first))
        self._observed = torch.ones_like(self._y, dtype=torch.bool)
        if problem.observed is not None:
            self._observed &= problem.observed
        self._level = problem.sigma * math.sqrt(1 + self._alpha**2)
        self._z = self._x = self._second = self._y

    @torch.enable_grad()
    def step(self, k: int, share: float) -> None:
        """Make the k-th step, with a share of the rate."""
        if not self._pointwise and (k - 1) % REFRESH == 0:
            self._start_anew()
        patch = self._patch()
        if self._pointwise:
            first, second = self._pair(patch)
            known = self._observed[patch]
            error = self._denoised(torch.where(known, first, self.first[patch])) - second
        else:
            z = self._z.clone()
            z[patch] = self._denoised(self._x[patch])
            known = self._observed
            error = self.problem.operator.forward(z) - self._second
        loss = (error * known).square().sum() / self.first[patch].numel()
        for group in self._adam.param_groups:
            group["lr"] = self._rate * share
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()

    def _pair(self, part: _Part) -> tuple[Tensor, Tensor]:
        """Y + a n' and Y - n' / a, of a part of the image."""
        y = self._y[part]
        noise = self.problem.sigma * torch.empty_like(y).normal_(generator=self._generator)
        return y + self._alpha * noise, y - noise / self._alpha

    def _start_anew(self) -> None:
        """Draw n' and make an image of Y + a n'.

        In one that was made of Y itself, errors would not be independent of the target's.
        """
        problem = self.problem
        y, self._second = self._pair((..., slice(None), slice(None)))
        rough = dataclasses.replace(
            problem,
            y=y,
            sigma=self._level,
            limits=(-math.inf, math.inf),
            denoiser=_like(problem, copy.deepcopy(self.network)),
        )
        self._z = _image(rough)
        self._x = problem.operator.prox(self._z, y, PRIOR_WEIGHTS[1], start=self._z)

    def _patch(self) -> _Part:
        """Where the next step looks; at an even place, for the network's sub-images."""
        at = []
        for n in self.first.shape[-2:]:
            side = min(n, PATCH)
            start = 2 * int(torch.randint((n - side) // 2 + 1, (), generator=self._places))
            at.append(slice(start, start + side))
        return (..., at[0], at[1])

    def _denoised(self, x: Tensor) -> Tensor:
        """Denoise a patch in one of its views, so that its gradient is known."""
        level = x.new_full((1, 1, 1, 1), self._level)

        def f(x: Tensor, sigma: float | Tensor, view: int = 0) -> Tensor:
            channels = x.shape[1]
            assert isinstance(sigma, Tensor) and not view
            alone = self.network.channels < channels  # each channel by itself
            if alone:
                x = x.transpose(0, 1)
            with autocast(x.device, self.problem.bfloat16):
                out: Tensor = self.network(x, sigma).float()
            return out.transpose(0, 1) if alone else out

        return in_view(f, x, level, int(torch.randint(VIEWS, (), generator=self._places)))


def _image(problem: Problem) -> Tensor:
    """A restored image from a few calls of the denoiser."""
    for state in descend(problem, CALLS):
        x = state.x
    return x
