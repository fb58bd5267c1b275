"""FFDNet as a network."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dred.core.denoisers.ffdnet import FFDNet


@pytest.mark.parametrize(("channels", "parameters"), [(1, 485_316), (3, 852_108)])
def test_published_parameter_counts(channels: int, parameters: int) -> None:
    assert sum(p.numel() for p in FFDNet(channels).parameters()) == parameters


@settings(max_examples=15, deadline=None)
@given(h=st.integers(1, 17), w=st.integers(1, 17), channels=st.sampled_from([1, 3]))
def test_any_size(h: int, w: int, channels: int) -> None:
    x = torch.rand(2, channels, h, w)
    assert FFDNet(channels, 8, 3)(x, torch.full((2, 1, 1, 1), 0.1)).shape == x.shape


@settings(max_examples=15, deadline=None)
@given(h=st.integers(1, 17), w=st.integers(1, 17), levels=st.sampled_from([1, 3]))
def test_any_size_with_a_level_for_each_sample(h: int, w: int, levels: int) -> None:
    x = torch.rand(2, 3, h, w)
    net = FFDNet(3, 8, 3, by_sample=True)
    assert net(x, torch.full((2, levels, h, w), 0.1)).shape == x.shape
    assert net(x, torch.full((2, 1, 1, 1), 0.1)).shape == x.shape


def test_samples_may_change_places_with_their_levels() -> None:
    # What a network with a level for a whole pixel cannot tell apart.
    torch.manual_seed(0)
    x, one, other = torch.rand(1, 3, 16, 16), torch.zeros(1, 3, 16, 16), torch.zeros(1, 3, 16, 16)
    one[:, 0, 7, 7] = other[:, 1, 7, 7] = 1
    with torch.no_grad():
        net = FFDNet(3, 8, 3, by_sample=True)
        assert not torch.allclose(net(x, one), net(x, other))


@settings(max_examples=10, deadline=None)
@given(factor=st.floats(0.05, 20))
def test_without_bias_it_is_positively_homogeneous(factor: float) -> None:
    torch.manual_seed(0)
    net = FFDNet(1, 16, 5, bias=False, residual=True)
    x, sigma = torch.rand(1, 1, 9, 12), torch.rand(1, 1, 9, 12)
    with torch.no_grad():
        torch.testing.assert_close(net(factor * x, factor * sigma), factor * net(x, sigma))


def test_map_of_one_value_is_that_value() -> None:
    net, x = FFDNet(1, 8, 3), torch.rand(1, 1, 7, 9)
    with torch.no_grad():
        torch.testing.assert_close(
            net(x, torch.full((1, 1, 7, 9), 0.2)), net(x, torch.full((1, 1, 1, 1), 0.2))
        )


def test_map_acts_where_it_differs() -> None:
    torch.manual_seed(0)
    net, x = FFDNet(1, 8, 3), torch.rand(1, 1, 32, 32)
    low, split = torch.full((1, 1, 32, 32), 0.1), torch.full((1, 1, 32, 32), 0.1)
    split[..., 16:] = 0.5
    with torch.no_grad():
        change = (net(x, split) - net(x, low)).abs()
    assert change[..., 24:].max() > 0
    assert change[..., :8].max() == 0  # beyond the reach of three 3 x 3 layers
