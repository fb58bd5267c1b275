"""The skip network of deep image prior."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dred.core.networks.skip import SkipNetwork, level_widths


def _network(channels: int, size: tuple[int, int], widths: list[int], seed: int = 0) -> SkipNetwork:
    return SkipNetwork(channels, size, widths, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("widths", "parameters"),
    [
        ([128] * 5, 2_217_831),
        ([64] * 5, 572_455),
        ([16, 32, 64, 128, 128], 1_041_815),
    ],
)
def test_parameter_count_is_that_of_the_paper(widths: list[int], parameters: int) -> None:
    assert sum(p.numel() for p in _network(3, (64, 64), widths).parameters()) == parameters


def test_narrow_widths_double_up_to_the_widest() -> None:
    assert level_widths(128, 5, uniform=False) == [16, 32, 64, 128, 128]
    assert level_widths(64, 3, uniform=True) == [64, 64, 64]


@settings(max_examples=15, deadline=None)
@given(h=st.integers(1, 70), w=st.integers(1, 70), channels=st.integers(1, 5))
def test_any_size_and_channel_count(h: int, w: int, channels: int) -> None:
    network = _network(channels, (h, w), [4, 6, 8])
    out = network(network.z)
    assert out.shape == (1, channels, h, w)
    assert float(out.detach().min()) >= 0
    assert float(out.detach().max()) <= 1


def test_seed_decides_and_the_global_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    a, b, c = (_network(1, (20, 20), [4, 4], seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(a(a.z), b(b.z))
    assert not torch.equal(a(a.z), c(c.z))
