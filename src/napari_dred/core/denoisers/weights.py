"""Denoiser weights: those that ship with the package, and files that a user names."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from napari_dred.core.denoisers.ffdnet import FFDNet
from napari_dred.core.errors import InputError, RestorationError

FOLDER = Path(__file__).parent / "weights"
SUMS = FOLDER / "SHA256SUMS"  # as `sha256sum` writes it


def shipped() -> dict[str, tuple[Path, str]]:
    """Name, path and expected SHA-256 of each set of weights in the package.

    Raises
    ------
    RestorationError
        If the list of them cannot be read.
    """
    try:
        rows = [line.split() for line in SUMS.read_text().splitlines()]
    except OSError as e:
        raise RestorationError(f"the list of the denoiser's weights cannot be read: {e}") from None
    return {Path(name).stem: (FOLDER / name, digest) for digest, name in rows}


def load_shipped(name: str) -> FFDNet:
    """Build one of the shipped networks.

    Raises
    ------
    RestorationError
        If the file is missing or is not the one that was shipped.
    """
    path, digest = shipped()[name]
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as e:
        raise RestorationError(f"the denoiser's weights cannot be read: {e}") from None
    if found != digest:
        raise RestorationError(
            f"{path} is not the file that was shipped (its SHA-256 is {found}, "
            f"it should be {digest}); install napari-dred again"
        )
    return load(path)


def load(path: str | Path) -> FFDNet:
    """Build an FFDNet from a file of weights.

    Parameters
    ----------
    path : str or Path
        A .safetensors file (ours), or a PyTorch state dict (.pth, .pt) with the
        names `model.0.weight`, `model.0.bias`, `model.2.weight`, ... of the
        published networks. Only tensors are read from it, never code.

    Raises
    ------
    InputError
        If it cannot be read or is no FFDNet.
    """
    path = Path(path)
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as f:
                state: Any = {k: f.get_tensor(k) for k in f.keys()}  # noqa: SIM118 (not a dict)
                residual = (f.metadata() or {}).get("residual") == "true"
        else:
            state, residual = torch.load(path, map_location="cpu", weights_only=True), False
    except OSError as e:
        raise InputError(f"cannot read the weights {path}: {e.strerror or e}") from None
    except SafetensorError as e:
        raise InputError(f"{path} is not a safetensors file: {e}") from None
    except Exception:  # noqa: BLE001 (torch raises a dozen kinds on a file that is no state dict)
        raise InputError(f"{path} is not a PyTorch state dict that holds only tensors") from None
    return _build(state, residual, path)


def _build(state: Any, residual: bool, path: Path) -> FFDNet:
    """Infer the network from the shapes, and check that every one fits."""
    wrong = InputError(f"{path} does not hold the weights of an FFDNet")
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise wrong
    convs = [f"model.{2 * i}.weight" for i in range(sum(k.endswith(".weight") for k in state))]
    if len(convs) < 2 or not all(k in state and state[k].ndim == 4 for k in convs):
        raise wrong
    width, stacked = state[convs[0]].shape[:2]
    if stacked < 5 or stacked % 4 != 1 or width > 1024 or len(convs) > 100:
        raise wrong
    bias = "model.0.bias" in state
    with torch.device("meta"):  # takes no memory, whatever sizes the file claims
        net = FFDNet(stacked // 4, width, len(convs), bias=bias, residual=residual)
    try:
        net.load_state_dict({k: v.float() for k, v in state.items()}, assign=True)
    except RuntimeError:
        raise wrong from None
    if not all(bool(torch.isfinite(p).all()) for p in net.parameters()):
        raise InputError(f"the weights in {path} are not finite numbers")
    return net
