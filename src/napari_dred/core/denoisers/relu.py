"""The rectifier of the denoising networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ReLU(nn.Module):
    """max(x, 0), in place; in bfloat16 on a processor faster than torch's own.

    The bits of a bfloat16 number, read as an integer, have its sign, and torch compares integers
    several times as fast. A NaN with a sign becomes 0 there, so that weights with which numbers
    grow beyond all bounds must be refused beforehand: see `weights.load`.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype == torch.bfloat16 and x.device.type == "cpu" and not torch.is_grad_enabled():
            x.view(torch.int16).clamp_min_(0)
            return x
        return F.relu_(x)
