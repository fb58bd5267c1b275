"""The paper's Algorithm 1: deep image prior and regularisation by denoising, by ADMM."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_dred.core.control import Check
from napari_dred.core.errors import RestorationError
from napari_dred.core.hqs import LEAST_SIGMA, descend, polish
from napari_dred.core.networks.build import build_network
from napari_dred.core.networks.prior import Prior
from napari_dred.core.parameters import Parameters
from napari_dred.core.precision import autocast
from napari_dred.core.problem import Problem, State, denoiser_level, rms, watch
from napari_dred.core.stopping import LOOK_EVERY, BestImage, Fall, HeldOut, Settled

KEEP_EVERY = 20  # iterations between two copies of the state that a failure goes back to;
# a multiple of `look_every`
MAX_FAILURES = 5
SHARE = 0.35  # of that image in the result, at most: chosen on images apart from every test set
LEARNED = 150  # iterations after which it has that share
MISSED = 1.5  # noise levels by which that image may miss the data before it counts for less
# How far both images may lie apart where samples are missing, likewise: in parts of the contrast
# within so many pixels. That of a whole image tells little of what a hole in it may hold.
APART, NEAR = 0.6, 8


@dataclass
class _Variables:
    """X, U, the last f(X), the result so far and its loss. Replaced, never written into."""

    x: Tensor
    u: Tensor
    f: Tensor
    mean: Tensor
    best: Tensor


_Good = tuple[dict[str, Any], _Variables]


def dred(problem: Problem, p: Parameters) -> Iterator[State]:
    """`admm` between two runs of half-quadratic splitting (HQS).

    The first takes `p.blend` steps and gives an image by itself. The second
    brings the result of `admm` back to the data in `p.polish` of its steps. What comes out is a
    mean of both images: network and denoiser err differently, so that the mean is nearer to
    the truth than either. The share of the second grows to `SHARE`, not more: in wide holes
    a network may invent structure. It stays lower where the network has not learned the image: in
    a run of few iterations; where its image misses the data by much more than the noise; and where
    it fills holes with something else altogether, such as bright lines on a dark ground.
    """
    assert p.blend is not None and p.polish is not None and p.iterations is not None
    first, done = None, 0
    if p.blend:
        for state in descend(problem, p.blend):
            yield state
            first, done = state.x, state.iteration
    agreement = None if first is None else _Agreement(problem, first)

    def blended(state: State, fit: Tensor, learned: float) -> State:
        x = state.x
        if first is not None and agreement is not None:
            share = SHARE * min(1.0, learned / LEARNED)
            x = torch.lerp(first, x, share * fit * agreement(x))
        kept = None if state.kept is None else done + state.kept
        return dataclasses.replace(state, iteration=done + state.iteration, x=x, kept=kept)

    last, fit = None, torch.ones(())
    for last in admm(problem, p):
        fit = _fit(problem, last.x) if first is not None else fit
        # Its share grows through the run, to what it has at the end.
        run = 1.0 if last.final else last.iteration / p.iterations
        yield blended(last, fit * run, last.iteration)
    if last is not None and p.polish:
        done += last.iteration
        kept = None if last.kept is None else last.kept - last.iteration
        for state in polish(dataclasses.replace(problem, start=last.x), p.polish):
            yield blended(dataclasses.replace(state, kept=kept), fit, last.iteration)


def _fit(problem: Problem, x: Tensor) -> Tensor:
    """1 if X meets the data to about the noise level; else the less the more it misses them."""
    error = problem.misfit(problem.operator.forward(x)).sqrt() / max(problem.sigma, LEAST_SIGMA)
    return (MISSED / error).square().clamp(max=1)


class _Agreement:
    """Tells how well another image agrees with the first one where samples are missing."""

    def __init__(self, problem: Problem, first: Tensor) -> None:
        self._first, seen = first, problem.observed
        if seen is None or seen.shape[-2:] != first.shape[-2:]:  # samples of another grid
            self._missing = torch.zeros_like(first)
        else:
            self._missing = (~seen).expand(first.shape).to(first.dtype)
        known, side = 1 - self._missing, 2 * NEAR + 1
        mean = first
        for kernel, border in (((side, 1), (NEAR, 0)), ((1, side), (0, NEAR))):
            mean = F.avg_pool2d(mean, kernel, 1, border, count_include_pad=False)
        self._contrast = ((first - mean).square() * known).sum() / known.sum().clamp(min=1)

    def __call__(self, x: Tensor) -> Tensor:
        """1 if both fill holes alike; else the less the farther they lie apart."""
        missing = self._missing
        apart = ((x - self._first).square() * missing).sum() / missing.sum().clamp(min=1)
        return (APART**2 * self._contrast / apart.clamp(min=1e-12)).square().clamp(max=1)


def look_every(device: torch.device) -> int:
    """Iterations between two looks at the loss: to look at a number on a GPU is to wait for it."""
    return 1 if device.type == "cpu" else 10


def admm(problem: Problem, p: Parameters) -> Iterator[State]:
    """Solve Eq. (7) by ADMM.

    Each iteration takes Adam steps on Theta (Eq. 9, with means for the sums),
    fixed-point steps on X (Eq. 12, clipped to [0, 1]) and one step on the
    scaled multiplier U (Eq. 13). X and U see the T_Theta(Z) that the last Adam
    step was computed from. A share `p.held_out` of the samples is left out of Eq. (9):
    while the error on them is above its least, the image that had the least is given, and
    once that has lasted for a while, the run ends. Where they would tell nothing, none are
    left out.

    Parameters
    ----------
    problem : Problem
    p : Parameters
        Complete (no None among the preset's fields).

    Yields
    ------
    State
        Its image is what `p.iterate` says (without a regulariser always T), or the running mean
        of that if `p.average` is not 0. Loss and residual are None where a look at them
        would hold up the device.

    Raises
    ------
    RestorationError
        If the loss keeps becoming infinite or not a number.
    """
    assert p.iterations is not None and p.theta_steps is not None and p.mu is not None
    assert p.learning_rate is not None and p.learning_rate_decay is not None
    assert p.jitter is not None and p.average is not None and p.held_out is not None
    assert p.iterate is not None and p.settle is not None and p.restart is not None
    y, operator = problem.y, problem.operator
    device = y.device
    network = build_network(y.shape[1], operator.in_shape, p, device)
    watch(network, problem.check)
    jitter = torch.Generator(device).manual_seed(p.seed)

    zero = torch.zeros_like(problem.start)
    # Y is no image of X's size in super-resolution: there the paper's code starts from zeros too.
    x = y if p.initial_x == "observed" and y.shape == zero.shape else zero
    now = _Variables(x, zero, zero, zero, best=torch.full_like(zero.sum(), torch.inf))
    coupled = p.regulariser != "none"
    adam = _adam(network, p.learning_rate)
    stride = look_every(device)
    good: _Good = copy.deepcopy(network.state_dict()), now
    aside: _Good | None = None
    renewed = False  # since the run began or went back
    shown = zero.sum(), zero.sum()
    failures = 0
    held_out = HeldOut.of(problem, p.held_out, p.seed)
    best = BestImage()
    fall, settled = Fall(p.restart), Settled(p.settle)

    for k in range(1, p.iterations + 1):
        rate = p.learning_rate * p.learning_rate_decay ** ((k - 1) // 1000) / 2**failures
        for group in adam.param_groups:
            group["lr"] = rate
        for _ in range(p.theta_steps):
            zj = _jittered(network.z, p.jitter, jitter, problem.check)
            with autocast(device, problem.bfloat16):
                t = network(zj)
            # Eq. (9).
            misfit = problem.misfit(operator.forward(t), held_out.fitted if held_out else None)
            loss = network.loss(misfit, t)
            if coupled:
                loss = loss + p.mu * torch.mean((now.x - now.u - t) ** 2)
            adam.zero_grad(set_to_none=True)
            loss.backward()
            problem.check()
            adam.step()
        t = t.detach()

        x, u, f = t, now.u, now.f
        if coupled:
            x, f = _regularised(problem, p, k, t + u, now)
            u = u - x + t  # Eq. (13)
        # The mean forgets faster at the start, where the image still changes much.
        decay = min(p.average, (k - 1) / (k + 9))
        image = {"x-u": x - u, "x": x, "network": t}[p.iterate]
        image = now.mean.lerp(image, 1 - decay)
        if network.keeps_best and not coupled:
            better = loss.detach() < now.best
            image = torch.where(better, image, now.mean)
            now = dataclasses.replace(now, best=torch.where(better, loss.detach(), now.best))
        now = _Variables(x, u, f, image, now.best)

        note, looked = "", k % stride == 0 or k == p.iterations
        if looked:
            finite = bool(torch.isfinite(loss + now.mean.sum()))
            if finite and not (fall.seen(misfit) and renewed):
                shown = loss.detach(), rms(now.x - t)
                # What was put aside at the last check has proved good: this loss came from it.
                good, renewed, aside = aside or good, renewed or aside is not None, None
                if k % KEEP_EVERY == 0:
                    aside = copy.deepcopy(network.state_dict()), now
            else:
                failures += not finite
                if failures > MAX_FAILURES:
                    raise RestorationError(
                        f"the loss is still not finite after {MAX_FAILURES} restarts, at iteration "
                        f"{k}; try a smaller learning rate or precision float32"
                    )
                network.load_state_dict(good[0])
                now, renewed, aside = good[1], False, None
                adam = _adam(network, p.learning_rate)
                note = (
                    f"The loss grew suddenly at iteration {k}: went back to the last good state."
                    if finite
                    else f"The loss was not finite at iteration {k}: "
                    "went back to the last good state, with half the learning rate."
                )
        error, reason, ended = None, "", k == p.iterations
        if held_out and not note and (k % LOOK_EVERY == 0 or ended):
            error = held_out.error(now.mean)
            reason = "held-out error" if best.update(k, float(error), now.mean) else ""
        if p.settle and not note and k % LOOK_EVERY == 0 and settled.update(now.mean):
            reason = reason or "settled"
        final = ended or bool(reason)
        known = looked or error is not None
        yield State(
            k,
            best.image if best.passed else now.mean,
            loss=shown[0] if known else None,
            residual=shown[1] if known else None,
            note=note,
            held_out=error,
            kept=best.iteration if best.passed else None,
            final=final,
            reason="" if ended else reason,
        )
        if final:
            return


def _regularised(
    problem: Problem, p: Parameters, k: int, c: Tensor, now: _Variables
) -> tuple[Tensor, Tensor]:
    """X and f after Eq. (12), clipped to [0, 1]; in plug-and-play, X is the denoised C = T + U."""
    assert p.iterations is not None and p.x_steps is not None and p.denoise_every is not None
    assert p.sigma_f is not None and p.sigma_f_end is not None
    assert p.lam is not None and p.mu is not None
    level = denoiser_level(p.sigma_f, p.sigma_f_end, k / p.iterations, problem.sigma)
    due = (k - 1) % p.denoise_every == 0
    if p.regulariser == "pnp":
        f = problem.denoiser(c, level) if due else now.f
        return f.clamp(0, 1), f
    x, f = now.x, now.f
    for step in range(p.x_steps):
        if step or due:
            f = problem.denoiser(x, level)
        x = ((p.lam * f + p.mu * c) / (p.lam + p.mu)).clamp(0, 1)
    return x, f


def _jittered(z: Tensor, std: float, generator: torch.Generator, check: Check) -> Tensor:
    """Add Gaussian noise to Z, drawn a few rows at a time: on a large image it takes seconds."""
    if std == 0:
        return z
    _, channels, h, w = z.shape
    noise = torch.empty(h, w, channels, device=z.device)
    for rows in noise.split(128):
        check()
        rows.normal_(0, std, generator=generator)
    return z + noise.permute(2, 0, 1)


def _adam(network: Prior, rate: float) -> torch.optim.Adam:
    trained = [w for w in network.parameters() if w.requires_grad]
    return torch.optim.Adam(trained, lr=rate)
