"""Memory and time of a run, estimated before it starts."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor

from napari_dred.core.adapt import CALLS as ADAPT_CALLS
from napari_dred.core.adapt import REFRESH
from napari_dred.core.control import go_on
from napari_dred.core.denoisers.build import build_denoiser
from napari_dred.core.fill import calls_of as filler_calls_of
from napari_dred.core.hqs import LEAST_STEPS, calls_of, fills, steps_of
from napari_dred.core.networks.build import build_network
from napari_dred.core.networks.skip import level_widths
from napari_dred.core.parameters import Parameters
from napari_dred.core.precision import autocast, use_bfloat16

PROBE = 160  # side of the image that the speed is measured on
# What an image takes at least, in parts of that: a processor's steps have costs of their own, and
# a GPU takes as long for all that are small. Measured at 32 to 160 pixels.
LEAST = 0.4
# What it depends on: measured again only when one of these changes.
PROBED = (
    *("task", "method", "prior", "regulariser", "denoiser"),
    *("width", "depth", "uniform_width", "weights", "precision"),
)
# A step that fits the denoiser, in calls of it on the image that the speed is measured on.
ADAPT = 2.2
FILLER = 1.6  # a call of the network that fills holes, in calls of the denoiser: it has more layers
PROBES, ENOUGH = 4, 0.5  # how often it is measured; seconds after which once will do
# What is kept for the way back through a prior, in parts of what the skip network of its width and
# depth keeps; measured, for the task where it is most.
FEATURES = {
    **{"dip": 1.55, "deep-decoder": 0.45, "nas-dip": 2.3},
    **{"pip": 0.85, "shi": 0.65, "drp": 1.4},
}

# Peak memory, fitted to measured runs (benchmarks/results/memory.csv): bytes for each feature and
# pixel of the network at each of its levels, for each feature of the denoiser, for each channel of
# the image; for each channel and pixel of a blur; and what torch takes by itself.
BYTES_NETWORK = 36.0
BYTES_DENOISER = 12.0
BYTES_CHANNEL = 30.0
BYTES_BLUR = 40.0
BYTES_TORCH = 340 * 2**20
BYTES_FITTING = 160 * 2**20  # weights, their gradients and copies


def estimate_memory(
    channels: int, size: tuple[int, int], p: Parameters, kernel: tuple[int, ...] | None = None
) -> int:
    """Peak memory in bytes for a result of (C, *size), blurred by a kernel of that shape."""
    pixels = size[0] * size[1]
    fixed: float = BYTES_TORCH
    if kernel is not None:  # transformed with what it reaches beyond the border
        fixed += channels * BYTES_BLUR * (size[0] + kernel[0]) * (size[1] + kernel[1])
    per_pixel = channels * BYTES_CHANNEL + (96 if channels == 3 else 64) / 4 * BYTES_DENOISER
    if p.adapt:  # Y, its noise, which samples are known, and an image to begin with
        per_pixel += channels * BYTES_CHANNEL
    if p.method != "hqs":
        assert p.width is not None and p.depth is not None and p.uniform_width is not None
        widths = level_widths(p.width, p.depth, uniform=p.uniform_width)
        # 32 channels of input, and about as much again for its noise and gradient.
        features = 32 + sum(w / 4**level for level, w in enumerate(widths))
        per_pixel += features * BYTES_NETWORK * FEATURES.get(p.prior or "", 1.0)
        fixed += BYTES_FITTING
    return int(fixed + pixels * per_pixel)


def estimate_seconds(
    channels: int,
    size: tuple[int, int],
    p: Parameters,
    device: torch.device,
    *,
    holes: bool = False,
    two_steps: bool = False,
    at_own_size: bool = False,
    pointwise: bool = True,
) -> float:
    """Duration in seconds, from the speed on a small image and the number of pixels.

    `holes` says whether samples are missing that a network could fill, `two_steps` whether the
    image is restored before it is enlarged, `at_own_size` whether the denoiser is fitted to it
    before, `pointwise` whether H is.
    """
    assert p.iterations is not None
    denoise, fit = _probe(
        3 if channels == 3 else 1,
        Parameters(**{name: getattr(p, name) for name in PROBED}),
        device,
        torch.get_num_threads(),
    )
    calls: float = calls_of(p.iterations)
    per_iteration = 0.0
    if p.method != "hqs":
        assert p.denoise_every is not None and p.theta_steps is not None
        assert p.x_steps is not None and p.blend is not None and p.polish is not None
        calls = p.iterations * (1 / p.denoise_every + p.x_steps - 1)
        calls = 0 if p.regulariser == "none" else calls
        calls += calls_of(p.blend) + calls_of(p.polish)
        per_iteration = fit * p.theta_steps
    steps = steps_of(p)
    if holes and fills(p):
        calls += FILLER * filler_calls_of(steps) - steps // 3
    if two_steps and steps >= LEAST_STEPS:
        calls += calls_of(steps // 3) / p.scale**2 - steps // 3
    own = p.scale**2 if at_own_size else 1
    if p.adapt:  # two images to begin with, and another one now and then
        images = 2 if pointwise or at_own_size else 2 + math.ceil(p.adapt / REFRESH)
        calls += images * calls_of(ADAPT_CALLS) / own
    if channels != 3:
        denoise *= channels
    ratio = max(LEAST if device.type == "cpu" else 1.0, size[0] * size[1] / PROBE**2)
    fitted = ADAPT * (p.adapt or 0) * min(1.0, ratio / own) * denoise
    return fitted + ratio * (calls * denoise + p.iterations * per_iteration)


@functools.lru_cache(maxsize=16)
def _probe(channels: int, p: Parameters, device: torch.device, threads: int) -> tuple[float, float]:
    """Seconds of one denoiser call and of one Adam step on a PROBE x PROBE image."""
    bfloat16 = use_bfloat16(p.precision or "auto", device)
    assert p.denoiser is not None
    denoiser = build_denoiser(
        p.denoiser, channels, path=p.weights, device=device, bfloat16=bfloat16, check=go_on
    )
    x = torch.full((1, channels, PROBE, PROBE), 0.5, device=device)

    def denoise() -> Tensor:
        return denoiser(x, 0.1)

    if p.method == "hqs":
        return _seconds(denoise), 0.0
    network = build_network(channels, (PROBE, PROBE), p, device)
    adam = torch.optim.Adam([w for w in network.parameters() if w.requires_grad])

    def fit() -> Tensor:
        with autocast(device, bfloat16):
            t: Tensor = network(network.z)
        loss = (t - x).square().mean()
        loss.backward()
        adam.step()
        return loss

    return _seconds(denoise), _seconds(fit)


def _seconds(call: Callable[[], Tensor]) -> float:
    times = list[float]()
    while len(times) < PROBES and sum(times) < ENOUGH:
        start = time.perf_counter()
        float(call().detach().sum())  # waits for the device
        times.append(time.perf_counter() - start)
    return min(times)
