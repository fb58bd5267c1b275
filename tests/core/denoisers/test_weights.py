"""Weights: the shipped ones, and files that a user names."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage import data

from napari_dred.core.denoisers import weights
from napari_dred.core.denoisers.base import Denoiser, DenoisingNetwork
from napari_dred.core.denoisers.build import build_denoiser
from napari_dred.core.denoisers.dncnn import DnCNN
from napari_dred.core.denoisers.ffdnet import FFDNet
from napari_dred.core.denoisers.tnrd import TNRD
from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.methods import DENOISERS

CPU = torch.device("cpu")


def _denoiser(channels: int, path: str | None = None) -> Denoiser:
    return build_denoiser(
        "ffdnet", channels, path=path, device=CPU, bfloat16=False, check=lambda: None
    )


def test_shipped_weights_are_the_ones_that_were_listed() -> None:
    names = weights.shipped()
    assert set(names) >= {"ffdnet-gray", "ffdnet-color"}
    assert {path for path, _ in names.values()} == set(weights.FOLDER.glob("*.safetensors"))
    for name, (path, digest) in names.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
        denoiser, kind, *_ = name.split("-")
        network = weights.load_shipped(name)
        assert network.channels == {"gray": 1, "color": 3}[kind]
        assert getattr(network, "by_sample", False) == name.endswith("-holes")
        assert denoiser in DENOISERS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder of weights, in place of it."""
    copy = tmp_path / "weights"
    shutil.copytree(weights.FOLDER, copy)
    monkeypatch.setattr(weights, "FOLDER", copy)
    monkeypatch.setattr(weights, "SUMS", copy / "SHA256SUMS")
    return copy


@pytest.mark.parametrize(("name", "network"), [("dncnn", DnCNN(8, 3)), ("tnrd", TNRD(2, 9))])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_and_its_line_are_all_that_a_denoiser_needs(
    folder: Path, name: str, network: DenoisingNetwork, channels: int
) -> None:
    path = folder / f"{name}-gray.safetensors"
    save_file(network.state_dict(), path)
    sums = [line for line in weights.SUMS.read_text().splitlines() if path.name not in line]
    sums.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
    weights.SUMS.write_text("\n".join(sums) + "\n")
    assert set(weights.shipped()) >= {"ffdnet-gray", "ffdnet-color", f"{name}-gray"}
    x = torch.rand(1, channels, 20, 24)
    f = build_denoiser(name, channels, path=None, device=CPU, bfloat16=False, check=lambda: None)
    torch.testing.assert_close(f(x, 0.1)[:, :1], network(x[:, :1], torch.full((1, 1, 1, 1), 0.1)))


@pytest.mark.parametrize("name", ["dncnn", "tnrd"])
def test_a_denoiser_whose_weights_are_not_there_is_said(folder: Path, name: str) -> None:
    lines = weights.SUMS.read_text().splitlines()
    weights.SUMS.write_text("\n".join(line for line in lines if name not in line))
    with pytest.raises(InputError, match=f"no weights of the denoiser '{name}' are shipped"):
        build_denoiser(name, 1, path=None, device=CPU, bfloat16=False, check=lambda: None)


def test_a_changed_file_is_refused(folder: Path) -> None:
    path = folder / "ffdnet-gray.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(bytes(raw))
    with pytest.raises(RestorationError, match="not the file that was shipped"):
        weights.load_shipped("ffdnet-gray")


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("sigma", [15, 50])
def test_shipped_denoiser_removes_most_of_the_noise(channels: int, sigma: int) -> None:
    clean = data.astronaut()[100:228, 150:278, :3].astype(np.float32) / 255
    clean = np.concatenate([clean, clean[..., :1]], -1)[..., :channels]
    x = torch.from_numpy(clean.transpose(2, 0, 1).copy())[None]
    y = x + torch.randn(x.shape, generator=torch.Generator().manual_seed(0)) * sigma / 255
    error = float((_denoiser(channels)(y, sigma / 255) - x).square().mean())
    assert error < 0.25 * (sigma / 255) ** 2


def test_shipped_denoisers_are_homogeneous() -> None:
    x = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    f = _denoiser(3)
    torch.testing.assert_close(f(3 * x, 0.3), 3 * f(x, 0.1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_published_layout_is_read(tmp_path: Path, suffix: str) -> None:
    net = FFDNet(1)
    path = tmp_path / f"net{suffix}"
    state = {k: v.detach().clone() for k, v in net.state_dict().items()}
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    x = torch.rand(1, 1, 11, 14)
    got = _denoiser(1, str(path))(x, 0.1)
    torch.testing.assert_close(got, net(x, torch.full((1, 1, 1, 1), 0.1)).detach())


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("code ran",))


@pytest.mark.parametrize(
    "content", ["empty", "noise", "pickle", "shapes", "names", "nan", "huge", "other"]
)
def test_other_files_are_refused_in_words(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.pth"
    state = FFDNet(1, 8, 3).state_dict()
    if content == "empty":
        path.write_bytes(b"")
    elif content == "noise":
        path.write_bytes(b"no weights at all")
    elif content == "pickle":
        torch.save({"model": _Evil()}, path)
    elif content == "shapes":
        torch.save(state | {"model.2.weight": torch.zeros(9, 8, 3, 3)}, path)
    elif content == "names":
        torch.save({"body." + k: v for k, v in state.items()}, path)
    elif content == "nan":
        torch.save(state | {"model.2.bias": torch.full((8,), float("nan"))}, path)
    elif content == "huge":
        torch.save({k: v * 1e20 for k, v in state.items()}, path)
    else:
        torch.save([1, 2, 3], path)
    with pytest.raises(InputError, match=r"bad\.pth"):
        weights.load(path)
    assert "code ran" not in capsys.readouterr().out


@pytest.mark.parametrize("network", [DnCNN(8, 4), TNRD(2, 9)])
def test_weights_that_overflow_are_refused(tmp_path: Path, network: DenoisingNetwork) -> None:
    path = tmp_path / "huge.pth"
    torch.save({k: v * 1e30 for k, v in network.state_dict().items()}, path)
    with pytest.raises(InputError, match="so large"):
        weights.load(path, network.architecture.lower())


def test_a_network_for_holes_is_no_denoiser() -> None:
    path, _ = weights.shipped()["ffdnet-gray-holes"]
    with pytest.raises(InputError, match="fill holes"):
        _denoiser(1, str(path))


def test_missing_file_and_wrong_channels_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the weights"):
        weights.load(tmp_path / "none.pth")
    path = tmp_path / "colour.pth"
    torch.save(FFDNet(3, 8, 3).state_dict(), path)
    with pytest.raises(InputError, match="are for 3 channels, the image has 1"):
        _denoiser(1, str(path))


@pytest.mark.parametrize("size", [(70, 131), (64, 64), (33, 200)])
@pytest.mark.parametrize("mapped", [False, True])
def test_tiles_leave_no_seam(size: tuple[int, int], mapped: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, *size, generator=generator)
    sigma = torch.rand(1, 1, *size, generator=generator) * 0.2 if mapped else 0.1
    f = _denoiser(1)
    whole = f(x, sigma)
    f.tile = 32
    torch.testing.assert_close(f(x, sigma), whole, rtol=1e-5, atol=1e-5)
