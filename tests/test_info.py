"""What `info` tells is what is there."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from napari_dred import info
from napari_dred.core.denoisers import weights


def test_versions_are_those_of_the_metadata() -> None:
    found = info.versions()
    assert found["python"] == platform.python_version()
    for name in ("napari-dred", "torch", "numpy", "napari"):
        assert found[name] == version(name)


def test_what_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(info, "_PACKAGES", ("no-such-package",))
    assert info.versions()["no-such-package"] is None


def test_every_device_can_be_computed_on() -> None:
    rows = info.devices()
    assert rows[0]["device"] == "cpu"
    assert rows[0]["cores"] >= 1
    for row in rows:
        assert torch.ones(2, device=row["device"]).sum().item() == 2
        assert row["free_memory"] > 0
        assert isinstance(row["bfloat16"], bool)


def test_the_weights_are_hashed_as_they_lie_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(b"good")
    bad.write_bytes(b"changed")
    listed = {
        "good": (good, hashlib.sha256(b"good").hexdigest()),
        "bad": (bad, hashlib.sha256(b"bad").hexdigest()),
        "gone": (tmp_path / "gone", "0" * 64),
    }
    monkeypatch.setattr(weights, "shipped", lambda: listed)
    rows = {row["name"]: row for row in info.weights()}
    assert rows["good"] == {"name": "good", "sha256": listed["good"][1], "intact": True}
    assert rows["bad"]["sha256"] == hashlib.sha256(b"changed").hexdigest()
    assert not rows["bad"]["intact"]
    assert rows["gone"] == {"name": "gone", "sha256": None, "intact": False}
    text = info.as_text({**info.gather(), "weights": list(rows.values())})
    assert text.count("NOT the file that was shipped") == 2


def test_the_shipped_weights_are_intact() -> None:
    rows = info.weights()
    assert rows
    assert all(row["intact"] for row in rows)


def test_all_of_it_is_json_and_text() -> None:
    gathered = info.gather()
    assert json.loads(json.dumps(gathered)) == gathered
    text = info.as_text(gathered)
    assert version("torch") in text
    assert gathered["weights"][0]["sha256"] in text
