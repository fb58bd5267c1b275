"""Devices: which there are, what they can do, how much memory they have left."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch

from napari_dred.core.errors import InputError


def choose_device(name: str) -> torch.device:
    """The device of that name; 'auto' takes CUDA, then MPS, then the CPU.

    Raises
    ------
    InputError
        If a named device is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        n = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= n:
            there = f"{n} CUDA device(s)" if n else "no CUDA device"
            raise InputError(f"device is {name!r}, but there is {there} here; try 'auto' or 'cpu'")
        return torch.device("cuda", device.index or 0)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("device is 'mps', but there is none here; try 'auto' or 'cpu'")
    return device


def describe(device: torch.device) -> str:
    """Name a device in words."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device computes in bfloat16 itself, not by emulation."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        can = torch.cpu.get_capabilities()
        return bool(can.get("avx512_bf16") or can.get("amx_bf16") or can.get("bf16"))
    return False


def free_memory(device: torch.device) -> int:
    """Bytes that a run may take on the device."""
    if device.type == "cuda":
        # What torch holds without using it is free for the next run.
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    return min(int(psutil.virtual_memory().available), _left_in_container())


def empty_caches() -> None:
    """Give memory that torch holds without using it back to the devices that were used."""
    cuda, mps = torch.cuda.is_initialized(), torch.backends.mps.is_available()
    if cuda or mps:
        gc.collect()
    if cuda:
        torch.cuda.empty_cache()
    if mps:
        torch.mps.empty_cache()


def _left_in_container(folder: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that the control group of a container still allows; very many where there is none."""
    try:
        limit = int((folder / "memory.max").read_text())
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        used = int((folder / "memory.current").read_text()) - int(stat["inactive_file"])
    except (OSError, ValueError, KeyError):
        return sys.maxsize
    return max(0, limit - used)


@contextmanager
def threads(n: int | None) -> Iterator[None]:
    """Set the number of processor threads for a while; None leaves it."""
    before = torch.get_num_threads()
    if n is not None:
        torch.set_num_threads(n)
    try:
        yield
    finally:
        if n is not None:
            torch.set_num_threads(before)
