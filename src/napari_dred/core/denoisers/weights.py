"""Denoiser weights: those that ship with the package, and files that a user names."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from napari_dred.core.denoisers.base import DenoisingNetwork
from napari_dred.core.denoisers.dncnn import DnCNN
from napari_dred.core.denoisers.ffdnet import FFDNet
from napari_dred.core.denoisers.tnrd import TNRD
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


def load_shipped(name: str) -> DenoisingNetwork:
    """Build one of the shipped networks.

    Parameters
    ----------
    name : str
        As 'ffdnet-gray': what `load` calls the architecture, and the kind of image.

    Raises
    ------
    InputError
        If there is none of that name.
    RestorationError
        If the file is missing or is not the one that was shipped.
    """
    there = shipped()
    architecture = name.split("-")[0]
    if name not in there:
        raise InputError(
            f"no weights of the denoiser {architecture!r} are shipped; give a file with weights, "
            "or another denoiser"
        )
    path, digest = there[name]
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as e:
        raise RestorationError(f"the denoiser's weights cannot be read: {e}") from None
    if found != digest:
        raise RestorationError(
            f"{path} is not the file that was shipped (its SHA-256 is {found}, "
            f"it should be {digest}); install napari-dred again"
        )
    return load(path, architecture)


def load(path: str | Path, architecture: str = "ffdnet") -> DenoisingNetwork:
    """Build a network from a file of weights.

    Parameters
    ----------
    path : str or Path
        A .safetensors file (ours), or a PyTorch state dict (.pth, .pt); FFDNet and DnCNN with
        the names `model.0.weight`, `model.0.bias`, `model.2.weight`, ... of the published
        networks. Only tensors are read from it, never code.
    architecture : 'ffdnet', 'dncnn' or 'tnrd'

    Raises
    ------
    InputError
        If it cannot be read or is no such network.
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
    build = {"ffdnet": _ffdnet, "dncnn": _dncnn, "tnrd": _tnrd}[architecture]
    tensors = isinstance(state, dict) and all(isinstance(v, Tensor) for v in state.values())
    with torch.device("meta"):  # takes no memory, whatever sizes the file claims
        network = build(state, residual) if tensors else None
    try:
        if network is None:
            raise RuntimeError
        network.load_state_dict({k: v.float() for k, v in state.items()}, assign=True)
    except RuntimeError:
        names = {"ffdnet": "an FFDNet", "dncnn": "a DnCNN", "tnrd": "a TNRD"}
        raise InputError(f"{path} does not hold the weights of {names[architecture]}") from None
    if not all(bool(torch.isfinite(p).all()) for p in network.parameters()):
        raise InputError(f"the weights in {path} are not finite numbers")
    if not _bounded(network):
        raise InputError(f"the weights in {path} are so large that the result is not finite")
    return network


@torch.no_grad()
def _bounded(network: DenoisingNetwork) -> bool:
    """Whether what it makes of a little image of noise is finite."""
    noise = torch.rand((1, network.channels, 16, 16), generator=torch.Generator().manual_seed(0))
    try:
        out: Tensor = network(noise, torch.full((1, 1, 1, 1), 0.1))
    except IndexError:  # TNRD looks up a function's value at a place that is no number
        return False
    return bool(torch.isfinite(out).all())


# Each infers the network from the shapes, which loading then checks; None if it is no such one.


def _chain(state: dict[str, Tensor]) -> tuple[int, int, int, int] | None:
    """Channels in, features, channels out, and number of a chain of convolutions."""
    convs = [f"model.{2 * i}.weight" for i in range(sum(k.endswith(".weight") for k in state))]
    if not 2 <= len(convs) <= 100 or not all(k in state and state[k].ndim == 4 for k in convs):
        return None
    width, n_in = state[convs[0]].shape[:2]
    return (n_in, width, state[convs[-1]].shape[0], len(convs)) if width <= 1024 else None


def _ffdnet(state: dict[str, Tensor], residual: bool) -> DenoisingNetwork | None:
    match _chain(state):
        case (stacked, width, parts, depth) if parts >= 4 and stacked in (parts + 1, 2 * parts):
            bias, by_sample = "model.0.bias" in state, stacked == 2 * parts
            return FFDNet(
                parts // 4, width, depth, bias=bias, residual=residual, by_sample=by_sample
            )
    return None


def _dncnn(state: dict[str, Tensor], residual: bool) -> DenoisingNetwork | None:
    match _chain(state):
        case (1, width, 1, depth):
            return DnCNN(width, depth, bias="model.0.bias" in state)
    return None


def _tnrd(state: dict[str, Tensor], residual: bool) -> DenoisingNetwork | None:
    stages = sum(k.endswith(".filters") for k in state)
    weights = state.get("stages.0.weights")
    if not 1 <= stages <= 100 or weights is None or weights.ndim != 2 or weights.shape[1] < 2:
        return None
    return TNRD(stages, weights.shape[1])
