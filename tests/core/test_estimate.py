"""How long a run takes, from the speed on a small image."""

from __future__ import annotations

import pytest
import torch

from napari_dred.core import estimate
from napari_dred.core.estimate import FILLER, LEAST, PROBE, estimate_seconds
from napari_dred.core.hqs import LEAST_STEPS, calls_of
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


def test_holes_take_calls_of_the_network_that_fills_them(monkeypatch):
    monkeypatch.setattr(estimate, "_probe", lambda *_: (0.5, 0.0))

    def calls(count: int, **changes: str) -> float:
        p = Parameters(method="hqs", iterations=count, **{"denoiser": "ffdnet", **changes})
        device = torch.device("cpu")
        return estimate_seconds(1, (PROBE, PROBE), p, device, holes=True) / 0.5

    # A third of the steps, and four calls in the last one.
    assert calls(24) == pytest.approx(calls_of(24) - 8 + FILLER * (8 + 4))
    assert calls(LEAST_STEPS - 1) == pytest.approx(calls_of(LEAST_STEPS - 1))
    assert calls(24, denoiser="nlm") == pytest.approx(calls_of(24))
    assert calls(24, weights="mine.pth") == pytest.approx(calls_of(24))


def test_steps_at_the_size_of_y_take_less(monkeypatch):
    monkeypatch.setattr(estimate, "_probe", lambda *_: (0.5, 0.0))

    def calls(count: int) -> float:
        p = Parameters(method="hqs", iterations=count, denoiser="ffdnet", scale=4)
        device = torch.device("cpu")
        return estimate_seconds(1, (PROBE, PROBE), p, device, two_steps=True) / 0.5

    # A third of the steps, whose last one takes all views, on a sixteenth of the pixels.
    assert calls(24) == pytest.approx(calls_of(24) - 8 + calls_of(8) / 16)
    assert calls(LEAST_STEPS - 1) == pytest.approx(calls_of(LEAST_STEPS - 1))
