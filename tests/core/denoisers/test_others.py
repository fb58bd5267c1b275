"""DnCNN, TNRD, non-local means, BM3D; and one level from a map."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from skimage import data

from napari_dred import restore
from napari_dred.core.denoisers import base, weights
from napari_dred.core.denoisers.base import Denoiser, NetworkDenoiser, by_level
from napari_dred.core.denoisers.build import build_denoiser
from napari_dred.core.denoisers.dncnn import DnCNN
from napari_dred.core.denoisers.ffdnet import FFDNet
from napari_dred.core.denoisers.tnrd import TNRD
from napari_dred.core.errors import InputError

CPU = torch.device("cpu")


def _build(name: str, channels: int = 1, path: str | None = None) -> Denoiser:
    return build_denoiser(name, channels, path=path, device=CPU, bfloat16=False, check=lambda: None)


def _photograph(channels: int = 1) -> torch.Tensor:
    clean = data.astronaut()[100:164, 150:214, :channels].astype(np.float32) / 255
    return torch.from_numpy(clean.transpose(2, 0, 1).copy())[None]


def _noisy(x: torch.Tensor, level: float) -> torch.Tensor:
    return x + torch.randn(x.shape, generator=torch.Generator().manual_seed(0)) * level


def test_parameter_counts():
    assert sum(p.numel() for p in DnCNN().parameters()) == 555_137
    assert sum(p.numel() for p in TNRD().parameters()) == 5 * (48 * 49 + 48 * 63 + 1)


@pytest.mark.parametrize("network", [DnCNN(8, 3), TNRD(2, 9)])
def test_networks_take_any_level_by_scaling(network):
    x = torch.rand(1, 1, 20, 17)
    with torch.no_grad():
        once = network(x, torch.full((1, 1, 1, 1), 0.1))
        twice = network(2 * x, torch.full((1, 1, 1, 1), 0.2))
    torch.testing.assert_close(twice, 2 * once)
    assert once.shape == x.shape


def test_diffusion_removes_noise_before_any_training():
    x = _photograph()
    y = _noisy(x, 25 / 255)
    with torch.no_grad():
        out = TNRD()(y, torch.full((1, 1, 1, 1), 25 / 255))
    assert float((out - x).square().mean()) < 0.9 * float((y - x).square().mean())


def test_diffusion_keeps_brightness():
    x = torch.full((1, 1, 16, 16), 0.7)
    with torch.no_grad():
        torch.testing.assert_close(TNRD(2)(x, torch.full((1, 1, 1, 1), 0.1)), x)


def test_diffusion_learns_the_same_with_what_it_forgets():
    x, network = torch.rand(1, 1, 16, 16), TNRD(2, 9)
    grads = []
    for training in (True, False):
        network.train(training).zero_grad()
        network(x, torch.full((1, 1, 1, 1), 0.1)).square().mean().backward()
        grads.append([p.grad.clone() for p in network.parameters()])
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("name", "network"), [("dncnn", DnCNN(8, 4)), ("tnrd", TNRD(2, 9))])
@pytest.mark.parametrize("channels", [1, 3])
def test_file_of_weights_is_taken(tmp_path: Path, name, network, channels):
    path = tmp_path / "net.pth"
    torch.save(network.state_dict(), path)
    x = torch.rand(1, channels, 20, 24)
    out = _build(name, channels, str(path))(x, 0.1)
    with torch.no_grad():
        expected = network.eval()(x.transpose(0, 1), torch.full((1, 1, 1, 1), 0.1))
    torch.testing.assert_close(out, expected.transpose(0, 1), rtol=1e-4, atol=1e-5)
    noise = {"sigma": 20.0, "noise": "gaussian", "weights": str(path), "iterations": 2}
    image = np.random.default_rng(0).integers(0, 255, (16, 20), np.uint8)
    assert restore(image, method="hqs", denoiser=name, **noise).image.shape == (16, 20)


@pytest.mark.parametrize("name", ["ffdnet", "dncnn", "tnrd"])
def test_weights_of_another_network_are_refused(tmp_path: Path, name):
    states = {"ffdnet": FFDNet(1, 8, 3), "dncnn": DnCNN(8, 3), "tnrd": TNRD(2, 9)}
    for other in states.keys() - {name}:
        path = tmp_path / f"{other}.pth"
        torch.save(states[other].state_dict(), path)
        with pytest.raises(InputError, match="does not hold the weights of"):
            weights.load(path, name)


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path):
    path = tmp_path / "bad.pth"
    torch.save(TNRD(2, 9).state_dict() | {"stages.1.weights": torch.zeros(3, 9)}, path)
    with pytest.raises(InputError, match="does not hold the weights of a TNRD"):
        weights.load(path, "tnrd")


def test_network_without_shipped_weights_asks_for_a_file():
    with pytest.raises(InputError, match="no weights of the denoiser 'nothing' are shipped"):
        weights.load_shipped("nothing-gray")


def test_classical_denoiser_takes_no_weights():
    with pytest.raises(InputError, match="the denoiser 'nlm' has none"):
        _build("nlm", 1, "x.pth")


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_non_local_means_removes_noise(channels):
    x = _photograph(channels)
    y = _noisy(x, 25 / 255)
    out = _build("nlm", channels)(y, 25 / 255)
    assert out.shape == x.shape
    assert float((out - x).square().mean()) < 0.25 * float((y - x).square().mean())


def test_bm3d_that_is_not_installed_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(InputError, match=r"non-commercial use only; .*napari-dred\[bm3d\]"):
        _build("bm3d")


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_bm3d_gets_planes_and_the_level(monkeypatch, channels):
    package = ModuleType("bm3d")
    package.bm3d = lambda z, sigma: z * sigma  # type: ignore[attr-defined]
    package.bm3d_rgb = lambda z, sigma: z * sigma * (z.shape[2] == 3)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bm3d", package)
    x = torch.rand(1, channels, 9, 12)
    torch.testing.assert_close(_build("bm3d", channels)(x, 0.5), x * 0.5)


def test_a_map_is_blended_from_a_few_levels():
    levels = []

    def f(x: torch.Tensor, sigma: float | torch.Tensor) -> torch.Tensor:
        levels.append(sigma)
        return torch.full_like(x, float(np.log(float(sigma))))

    sigma = torch.linspace(0.05, 0.4, 12 * 9).reshape(1, 1, 12, 9)
    out = by_level(f, torch.zeros(1, 2, 12, 9), sigma)
    torch.testing.assert_close(out, sigma.log().expand(1, 2, -1, -1))
    assert 2 <= len(levels) <= base.MAX_STEPS


@pytest.mark.parametrize("channels", [1, 3])
def test_photon_noise_goes_with_a_denoiser_of_one_level(channels):
    x = torch.rand(1, channels, 16, 16)
    sigma = torch.linspace(0.05, 0.2, 256).reshape(1, 1, 16, 16)
    f = NetworkDenoiser(DnCNN(8, 3), device=CPU, bfloat16=False, check=lambda: None)
    out = f(x, sigma)
    whole = f(x, 0.05)
    torch.testing.assert_close(out[..., 0, 0], whole[..., 0, 0], rtol=1e-4, atol=1e-4)
