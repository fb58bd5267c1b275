"""The network that the parameters name."""

from __future__ import annotations

import torch

from napari_dred.core.networks.deep_decoder import DeepDecoder
from napari_dred.core.networks.drp import RandomProjector
from napari_dred.core.networks.nas_dip import SearchedNetwork
from napari_dred.core.networks.pip import PositionalNetwork
from napari_dred.core.networks.prior import Prior
from napari_dred.core.networks.shi import BoundedDecoder
from napari_dred.core.networks.skip import SkipNetwork, level_widths
from napari_dred.core.parameters import Parameters

# What the authors set by task; where they have no such task, what they set for noise alone.
_SEARCHED = {"inpaint": "inpaint", "sr": "sr"}
_BOUND = {"inpaint": 1.6}
_PROJECTOR: dict[str, tuple[int, int, float]] = {  # skip features, channels of Z, variation
    "denoise": (4, 3, 0.45),
    "inpaint": (128, 0, 0.01),
    "sr": (4, 1, 0.75),
}


def build_network(
    channels: int, size: tuple[int, int], p: Parameters, device: torch.device
) -> Prior:
    """T_Theta with its input Z, as the (complete) parameters say."""
    network = _build(channels, size, p, torch.Generator().manual_seed(p.seed))
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _build(
    channels: int, size: tuple[int, int], p: Parameters, generator: torch.Generator
) -> Prior:
    assert p.width is not None and p.depth is not None and p.uniform_width is not None
    widths = level_widths(p.width, p.depth, uniform=p.uniform_width)
    match p.prior:
        case "dip" if p.task == "inpaint":
            return SkipNetwork(
                channels, size, widths, skip=128, upsampling="nearest", generator=generator
            )
        case "deep-decoder":
            return DeepDecoder(channels, size, p.width, p.depth, generator=generator)
        case "nas-dip":
            network = _SEARCHED.get(p.task, "denoise")
            width = p.width - p.width % 4
            return SearchedNetwork(channels, size, width, network=network, generator=generator)
        case "pip":
            learned = p.task in ("inpaint", "sr")
            return PositionalNetwork(channels, size, widths, learned=learned, generator=generator)
        case "shi":
            bound = _BOUND.get(p.task, 1.4)
            return BoundedDecoder(
                channels, size, p.width, p.depth, bound=bound, generator=generator
            )
        case "drp":
            skip, inputs, variation = _PROJECTOR.get(p.task, _PROJECTOR["denoise"])
            return RandomProjector(
                channels,
                size,
                p.width,
                p.depth,
                skip=skip,
                input_channels=inputs,
                variation=variation,
                generator=generator,
            )
        case _:
            return SkipNetwork(channels, size, widths, generator=generator)
