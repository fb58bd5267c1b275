"""Every network behind the one interface: size, parameters, gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_dred.core.methods import PRIORS
from napari_dred.core.networks.build import build_network
from napari_dred.core.networks.nas_dip import SearchedNetwork
from napari_dred.core.networks.pip import PositionalNetwork
from napari_dred.core.networks.prior import Prior
from napari_dred.core.networks.shi import BoundedConvolution
from napari_dred.core.parameters import TASKS, Parameters
from napari_dred.core.presets import fill_in

CPU = torch.device("cpu")


def _prior(
    name: str, task: str = "denoise", channels: int = 3, size: tuple[int, int] = (64, 64), **more
) -> Prior:
    method = {"skip": "dred", "drp": "drp-dip"}.get(name, name)
    p = fill_in(Parameters(method=method, preset="paper"), task, 25.0).replace(**more)
    return build_network(channels, size, p, CPU)


def _count(prior: Prior) -> int:
    return sum(p.numel() for name, p in prior.named_parameters() if name != "_z")


@pytest.mark.parametrize(
    ("name", "task", "more", "count"),
    [
        ("skip", "denoise", {}, 2_217_831),
        ("dip", "denoise", {}, 2_217_831),
        ("skip", "denoise", {"width": 64}, 572_455),
        ("skip", "denoise", {"uniform_width": False}, 1_041_815),
        ("deep-decoder", "denoise", {}, 100_224),
        ("pip", "denoise", {}, 329_575),
        ("drp", "denoise", {}, 82_979),
        ("drp", "sr", {}, 319_259),
        ("shi", "denoise", {}, 1_662_339),
    ],
)
def test_parameter_counts_are_those_of_the_authors(name, task, more, count):
    assert _count(_prior(name, task, **more)) == count


@pytest.mark.parametrize(
    ("task", "count"), [("denoise", 4.41e6), ("inpaint", 10.7e6), ("sr", 3.51e6)]
)
def test_searched_networks_are_as_large_as_the_authors(task, count):
    assert _count(_prior("nas-dip", task)) == pytest.approx(count, rel=0.01)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", PRIORS)
@pytest.mark.parametrize(("channels", "size"), [(1, (9, 20)), (4, (71, 33))])
def test_any_size_channels_and_task(name, task, channels, size):
    prior = _prior(name, task, channels, size, width=8, depth=2)
    image = prior(prior.z)
    assert image.shape == (1, channels, *size)
    assert 0 <= float(image.detach().min()) < float(image.detach().max()) <= 1
    trained = [p for p in prior.parameters() if p.requires_grad]
    prior.loss((image - 0.3).square().mean(), image).backward()
    reached = [p for p in trained if p.grad is not None and bool(p.grad.abs().sum() > 0)]
    assert len(reached) > len(trained) / 2


@pytest.mark.parametrize("name", PRIORS)
def test_seed_decides_and_the_global_generator_is_left_alone(name):
    before = torch.random.get_rng_state()
    a, b, c = (_prior(name, size=(20, 24), width=8, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(a(a.z), b(b.z))
    assert not torch.equal(a(a.z), c(c.z))


@pytest.mark.parametrize("name", PRIORS)
def test_a_copy_of_the_state_is_whole(name):
    prior, other = (_prior(name, "sr", size=(20, 24), width=8, seed=s) for s in (1, 2))
    buffers = {n: b for n, b in prior.named_buffers() if n == "_z"}
    other.load_state_dict(prior.state_dict())
    for n, b in buffers.items():
        other.get_buffer(n).copy_(b)  # Z is the solver's to keep where it is not trained
    torch.testing.assert_close(other(other.z), prior(prior.z), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("name", "frozen"), [("drp", True), ("dip", False), ("pip", False)])
def test_random_projector_alone_freezes_its_convolutions(name, frozen):
    convs = [m for m in _prior(name, width=8).modules() if isinstance(m, nn.Conv2d)]
    assert {p.requires_grad for m in convs for p in m.parameters()} == {not frozen}


@pytest.mark.parametrize("task", ["denoise", "inpaint", "sr"])
def test_random_projector_trains_its_input(task):
    prior = _prior("drp", task, width=8)
    assert prior.z.requires_grad
    assert prior.z.shape[1] == {"denoise": 3, "inpaint": 2, "sr": 1}[task]


@pytest.mark.parametrize("task", ["denoise", "sr"])
def test_positional_input_is_fourier_features(task):
    prior = _prior("pip", task, size=(64, 65), width=8)
    assert isinstance(prior, PositionalNetwork)
    z = prior.z.detach()
    assert z.shape == (1, 32, 64, 65)
    assert prior.z.requires_grad == (task == "sr")
    torch.testing.assert_close(z[0, :16].std(1), torch.zeros(16, 65))  # x: alike in each column
    torch.testing.assert_close(z[0, 16:].std(2), torch.zeros(16, 64))
    torch.testing.assert_close(z[0, :8].square() + z[0, 8:16].square(), torch.ones(8, 64, 65))
    torch.testing.assert_close(z[0, 7, 0, -1], torch.cos(torch.tensor(256.0)))


@pytest.mark.parametrize(("task", "bound"), [("denoise", 1.4), ("inpaint", 1.6)])
def test_layers_of_the_bounded_decoder_stay_bounded(task, bound):
    prior = _prior("shi", task, size=(32, 32), width=8)
    layers = [m for m in prior.modules() if isinstance(m, BoundedConvolution)]
    for layer in layers:
        layer.weight.data.mul_(10)
        for _ in range(30):
            weight = layer.bounded(layer.weight)
        norm = float(torch.linalg.matrix_norm(weight.detach().flatten(1), 2))
        assert norm == pytest.approx(bound, rel=0.01)
        small = layer.weight.detach() / 100
        torch.testing.assert_close(layer.bounded(small), small)


def test_searched_networks_use_each_path():
    for network in ("denoise", "inpaint", "sr"):
        prior = SearchedNetwork(
            1, (64, 64), 8, network=network, generator=torch.Generator().manual_seed(0)
        )
        prior(prior.z).mean().backward()
        used = {n for n, p in prior.named_parameters() if p.grad is not None and "cross" in n}
        ups = {n.split(".")[1] for n in used if n.startswith("cross_up")}
        downs = {n.split(".")[1] for n in used if n.startswith("cross_down")}
        assert ups == set("1234")
        assert downs == ({"2", "3", "4", "5"} if network != "denoise" else set())
