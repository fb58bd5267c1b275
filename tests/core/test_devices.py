"""Which device is taken; no test needs another one than the processor."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

import napari_dred
from napari_dred import InputError
from napari_dred.core import devices

SRC = Path(napari_dred.__file__).parent


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Devices other than the processor, of which each may be named; one CUDA device."""
    names: set[str] = set()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in names)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in names)
    return names


@pytest.mark.parametrize(
    ("names", "expected"),
    [({"cuda"}, "cuda:0"), ({"mps"}, "mps"), ({"cuda", "mps"}, "cuda:0"), (set(), "cpu")],
)
def test_the_best_device_that_is_there_is_taken(
    there: set[str], names: set[str], expected: str
) -> None:
    there |= names
    assert str(devices.choose_device("auto")) == expected
    assert str(devices.choose_device("cpu")) == "cpu"


@pytest.mark.parametrize("name", ["cuda", "cuda:3", "mps"])
def test_a_device_that_is_not_there_is_refused_in_words(there: set[str], name: str) -> None:
    with pytest.raises(InputError, match=rf"device is '{name}'.*here; try 'auto' or 'cpu'"):
        devices.choose_device(name)


def test_the_number_of_cuda_devices_is_said(there: set[str]) -> None:
    there.add("cuda")
    assert str(devices.choose_device("cuda")) == "cuda:0"
    with pytest.raises(InputError, match=r"there is 1 CUDA device\(s\) here"):
        devices.choose_device("cuda:1")


def test_no_device_is_written_into_the_code() -> None:
    """Tensors go where `choose_device` says: nothing calls `.cuda()` or names a device itself."""
    found = []
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or path.name == "devices.py":
                continue
            name = getattr(node.func, "attr", "")
            named = [*node.args, *(k.value for k in node.keywords if k.arg == "device")]
            texts = [a.value for a in named if isinstance(a, ast.Constant)]
            if name == "cuda" or (name in {"to", "device"} and {"cuda", "mps"} & set(texts)):
                found.append(f"{path.name}:{node.lineno}")
    assert found == []


@pytest.mark.parametrize("used", [set(), {"cuda"}, {"mps"}])
def test_only_a_device_that_was_used_gives_memory_back(
    there: set[str], monkeypatch: pytest.MonkeyPatch, used: set[str]
) -> None:
    there |= used
    emptied = set()
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: "cuda" in used)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.add("cuda"))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: emptied.add("mps"))
    devices.empty_caches()
    assert emptied == used
