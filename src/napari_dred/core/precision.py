"""Number formats: where bfloat16 is used, and how."""

from __future__ import annotations

import torch

from napari_dred.core.devices import has_bfloat16


def use_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether convolutions run in bfloat16 ('auto': where the device has it natively)."""
    return precision == "bfloat16" or (precision == "auto" and has_bfloat16(device))


def autocast(device: torch.device, bfloat16: bool) -> torch.autocast:
    """The context in which a network is called."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16)
