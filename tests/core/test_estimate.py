"""How long a run takes, from the speed on a small image."""

from __future__ import annotations

import pytest
import torch

from napari_dred.core import estimate
from napari_dred.core.estimate import LEAST, PROBE, estimate_seconds
from napari_dred.core.hqs import calls_of
from napari_dred.core.parameters import Parameters


@pytest.mark.parametrize(
    ("side", "device", "part"),
    [
        (2 * PROBE, "cpu", 4.0),
        (PROBE, "cpu", 1.0),
        (PROBE // 4, "cpu", LEAST),
        (PROBE // 4, "cuda", 1.0),
    ],
)
def test_it_grows_with_the_pixels_and_has_a_least(monkeypatch, side, device, part):
    monkeypatch.setattr(estimate, "_probe", lambda *_: (0.5, 0.0))
    p = Parameters(method="hqs", iterations=8)
    seconds = estimate_seconds(1, (side, side), p, torch.device(device))
    assert seconds == pytest.approx(part * calls_of(8) * 0.5)
