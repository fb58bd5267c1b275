"""The rectifier: the same numbers as torch's, whatever the type and layout."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from napari_dred.core.denoisers.relu import ReLU


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_it_is_that_of_torch(dtype, memory_format):
    x = torch.randn(2, 5, 7, 9, generator=torch.Generator().manual_seed(0)).to(dtype)
    ends = torch.tensor([0.0, -0.0, float("inf"), float("-inf"), 1e-40, -1e-40, 3e38], dtype=dtype)
    x[0, 0, :, 0] = ends
    x = x.contiguous(memory_format=memory_format)
    expected = F.relu(x)
    with torch.no_grad():
        out = ReLU()(x)
    assert out is x
    assert torch.equal(out, expected)


def test_a_gradient_passes_through():
    x = torch.tensor([-1.0, 2.0], dtype=torch.bfloat16, requires_grad=True)
    ReLU()(x * 1).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1]
