"""What is installed and what the machine has: versions, devices, weights and their hashes."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from napari_dred.text import memory

# Versions are read from the packages' metadata, so that none of them is imported.
_PACKAGES = (
    "napari-dred",
    "torch",
    "numpy",
    "scikit-image",
    "tifffile",
    "pillow",
    "napari",
    "npe2",
    "PyQt6",
    "PySide6",
    "PyQt5",
)


def versions() -> dict[str, str | None]:
    """Version of Python and of each package that matters; None if it is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def devices() -> list[dict[str, Any]]:
    """Every device that a run can be given.

    Returns
    -------
    list of dict
        `device` (the name that `--device` takes), `name`, `bfloat16` (whether the
        device computes in it natively), `free_memory` in bytes; the CPU's also has
        `cores`.
    """
    import torch

    from napari_dred.core.devices import free_memory, has_bfloat16

    there = ["cpu"]
    if torch.cuda.is_available():
        there += [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        there.append("mps")
    rows: list[dict[str, Any]] = []
    for device in map(torch.device, there):
        row: dict[str, Any] = {"device": str(device), "name": platform.machine()}
        if device.type == "cuda":
            row["name"] = torch.cuda.get_device_name(device)
        elif device.type == "cpu":
            row["cores"] = os.cpu_count()
        row["bfloat16"] = has_bfloat16(device)
        row["free_memory"] = free_memory(device)
        rows.append(row)
    return rows


def weights() -> list[dict[str, Any]]:
    """Each shipped set of denoiser weights.

    Returns
    -------
    list of dict
        `name`, `sha256` of the file (None if it is missing) and `intact`, whether
        it is the file that was shipped.

    Raises
    ------
    RestorationError
        If the list of them cannot be read.
    """
    from napari_dred.core.denoisers.weights import shipped

    rows: list[dict[str, Any]] = []
    for name, (path, expected) in shipped().items():
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        rows.append({"name": name, "sha256": found, "intact": found == expected})
    return rows


def gather() -> dict[str, Any]:
    """All of it, JSON-able."""
    return {
        "versions": versions(),
        "platform": platform.platform(),
        "devices": devices(),
        "weights": weights(),
    }


def as_text(gathered: dict[str, Any]) -> str:
    """What `gather` gave, for people."""
    lines = [f"{name:14} {v or 'not installed'}" for name, v in gathered["versions"].items()]
    lines += [f"{'platform':14} {gathered['platform']}", ""]
    for d in gathered["devices"]:
        cores = f", {d['cores']} cores" if "cores" in d else ""
        bfloat16 = "native" if d["bfloat16"] else "not native"
        lines.append(
            f"{d['device']:14} {d['name']}{cores}, {memory(d['free_memory'])} free, "
            f"bfloat16 {bfloat16}"
        )
    lines.append("")
    for w in gathered["weights"]:
        state = "" if w["intact"] else "  NOT the file that was shipped"
        lines.append(f"{w['name']:14} sha256 {w['sha256'] or 'file missing'}{state}")
    return "\n".join(lines).rstrip()
