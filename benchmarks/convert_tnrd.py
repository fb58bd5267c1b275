"""Bring the parameters of the Graz group's TNRD-type network (Kobler et al. 2017) into our form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from napari_dred.core.denoisers.tnrd import REACH, TNRD

# Of that network, as its configuration says: where its influence functions end on the [0, 1]
# scale, and the weight of the data.
THEIR_REACH, PULL = 0.25, 0.1


def run(source: Path, goal: Path) -> None:
    """Read filters (`k`) and influence functions (`w`) from a .npz file, write a .pth file.

    Their Gaussians are narrower than ours: so many are taken here that they are alike to one part
    in a thousand, of which all but those in the middle count for nothing.
    """
    with np.load(source) as file:
        filters, weights = torch.from_numpy(file["k"]), torch.from_numpy(file["w"])
    stages, _, theirs = weights.shape
    half = theirs // 2
    ours = round(REACH / THEIR_REACH * half)
    network = TNRD(stages, 2 * ours + 1)
    with torch.no_grad():
        for stage, k, w in zip(network.stages, filters, weights, strict=True):
            stage.filters.copy_(k.permute(3, 2, 0, 1))
            stage.weights.zero_()
            stage.weights[:, ours - half : ours + half + 1] = w
            stage.pull.fill_(PULL)
    torch.save(network.state_dict(), goal)
