"""Every named combination, and every combination of the parts."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dred import restore
from napari_dred.core.methods import EXPLANATIONS, METHODS, PRIORS, REGULARISERS
from napari_dred.core.parameters import TASKS, Parameters
from napari_dred.core.presets import fill_in, with_method

SMALL = {
    "iterations": 3,
    "width": 8,
    "sigma": 20.0,
    "noise": "gaussian",
    "precision": "float32",
    "output_dtype": "float32",
}


def _image(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    ramp = np.linspace(60, 180, 40)[None] + np.linspace(-20, 20, 32)[:, None]
    return np.clip(ramp + rng.normal(0, 20, (32, 40)), 0, 255).astype(np.uint8)


def _damage(task: str) -> dict:
    mask = np.zeros((32, 40), bool)
    mask[8:12, 5:30] = True
    return {
        "denoise": {},
        "inpaint": {"mask": mask},
        "sr": {"scale": 2},
        "deblur": {"blur_sigma": 1.0},
    }[task]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_does_every_task(method, task):
    denoiser = {"denoiser": "nlm"} if method == "deepred" else {}
    result = restore(_image(), method=method, task=task, **SMALL, **denoiser, **_damage(task))
    scale = 2 if task == "sr" else 1
    assert result.image.shape == (32 * scale, 40 * scale)
    assert result.image.std() > 0
    assert result.parameters.method == method
    assert all(np.isfinite(step.loss) for step in result.steps)


@pytest.mark.parametrize("regulariser", REGULARISERS)
@pytest.mark.parametrize("prior", PRIORS)
def test_every_prior_goes_with_every_regulariser(prior, regulariser):
    image = np.stack([_image(k) for k in range(3)], -1)
    result = restore(image, prior=prior, regulariser=regulariser, blend=0, polish=0, **SMALL)
    assert result.image.shape == image.shape
    assert (result.parameters.prior, result.parameters.regulariser) == (prior, regulariser)


@pytest.mark.parametrize("method", METHODS)
def test_fitting_brings_the_loss_down(method):
    denoiser = {"denoiser": "nlm"} if method == "deepred" else {}
    more = SMALL | {"iterations": 25, "jitter": 0.0, "seed": 1}
    steps = restore(_image(), method=method, **more, **denoiser).steps
    assert steps[-1].loss < steps[0].loss


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", METHODS)
def test_authors_settings_hold_whatever_the_preset(method, task):
    a, b = (fill_in(Parameters(method=method, preset=p), task, 25.0) for p in ("paper", "default"))
    if method not in ("dred", "hqs"):
        assert a.replace(preset="default", precision="auto") == b


@pytest.mark.parametrize(
    ("method", "task", "values"),
    [
        ("dip", "denoise", {"iterations": 3000, "learning_rate": 0.01, "average": 0.99}),
        ("dip", "inpaint", {"iterations": 6000, "jitter": 0.03, "regulariser": "none"}),
        ("deep-decoder", "inpaint", {"width": 256, "learning_rate": 0.0025, "iterations": 40_000}),
        ("deepred", "denoise", {"denoiser": "nlm", "lam": 0.5, "mu": 0.5, "sigma_f_end": 3.0}),
        ("deepred", "sr", {"denoiser": "bm3d", "lam": 0.05, "mu": 0.06, "sigma_f": 5.0}),
        ("deepred", "denoise", {"iterate": "network", "average": 0.99}),
        ("deepred", "sr", {"iterate": "x-u", "average": 0.0}),
        ("deepred", "deblur", {"learning_rate": 0.004, "lam": 0.02, "denoise_every": 10}),
        ("deepred", "deblur", {"learning_rate_decay": 0.9, "jitter": 0.01, "iterate": "x-u"}),
        ("shi", "sr", {"iterations": 10_000, "learning_rate": 0.001, "jitter": 0.0}),
        ("shi", "denoise", {"settle": 0.01, "restart": 5.0}),
        ("dip", "sr", {"settle": 0.0, "restart": 5.0}),
        ("pip", "denoise", {"restart": 2.0, "average": 0.99}),
        ("dip-pnp", "sr", {"iterate": "x", "restart": 0.0}),
        ("drp-dip", "sr", {"learning_rate": 0.5, "width": 128, "depth": 1}),
        ("dip-pnp", "inpaint", {"regulariser": "pnp", "sigma_f": 25.0, "prior": "skip"}),
    ],
)
def test_authors_settings(method, task, values):
    p = fill_in(Parameters(method=method), task, 25.0)
    assert {name: getattr(p, name) for name in values} == values


def test_given_values_win_over_the_authors():
    p = fill_in(Parameters(method="dip", iterations=7, jitter=0.5), "denoise", 25.0)
    assert (p.iterations, p.jitter, p.prior) == (7, 0.5, "dip")


def test_plug_and_play_gives_x_itself():
    assert fill_in(Parameters(regulariser="pnp"), "denoise", 25.0).iterate == "x"
    asked = Parameters(regulariser="pnp", iterate="network")
    assert fill_in(asked, "denoise", 25.0).iterate == "network"


@pytest.mark.parametrize("method", ["dip", "nas-dip", "pip"])
def test_enlarging_eightfold_takes_twice_as_long(method):
    four, eight = (fill_in(Parameters(method=method, scale=s), "sr", 25.0) for s in (4, 8))
    assert eight.iterations == 2 * four.iterations


def test_every_method_is_explained_in_one_place():
    assert set(EXPLANATIONS) == set(METHODS)
    assert all(text.endswith(".") and len(text) < 90 for text in EXPLANATIONS.values())


def test_a_method_gets_its_own_settings_and_the_users_task():
    given = Parameters(sigma=7, scale=2, preset="preview", method="hqs", lam=3, iterations=9)
    asked = with_method(given, "dip")
    assert (asked.method, asked.sigma, asked.scale) == ("dip", 7, 2)
    assert (asked.preset, asked.lam, asked.iterations) == ("default", None, None)
