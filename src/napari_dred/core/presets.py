"""What each preset means, by task: the values of every field that was left at None."""

from __future__ import annotations

from typing import Any

from napari_dred.core.methods import OURS, authors_settings
from napari_dred.core.parameters import Parameters

# Paper, section V-A, and Algorithm 1 (one step of each sub-problem, output X - U, no averaging).
# What the paper leaves out (iterations, sigma_f, network, jitter) is from its published code.
_PAPER: dict[str, Any] = {
    "method": "dred",
    "prior": "skip",
    "regulariser": "red",
    "denoiser": "ffdnet",
    "iterations": 3000,
    "lam": 0.05,
    "mu": 0.06,
    "learning_rate": 0.001,
    "learning_rate_decay": 1.0,
    "theta_steps": 1,
    "x_steps": 1,
    "denoise_every": 1,
    "sigma_f": 0.0,
    "sigma_f_end": 0.0,
    "initial_x": "observed",
    "iterate": "x-u",
    "average": 0.0,
    "blend": 0,
    "adapt": 0,
    "polish": 0,
    "held_out": 0.0,
    "settle": 0.0,
    "restart": 0.0,
    "jitter": 0.02,
    "width": 128,
    "uniform_width": True,
    "depth": 5,
    "precision": "float32",
}
_PAPER_TASK: dict[str, dict[str, Any]] = {
    "denoise": {},
    "inpaint": {"sigma_f": 25.0, "sigma_f_end": 25.0},
    "sr": {"iterations": 500, "sigma_f": 25.0, "sigma_f_end": 20.0, "initial_x": "zeros"},
    "deblur": {},
}
_CODE_TASK: dict[str, dict[str, Any]] = {
    "denoise": {},
    "inpaint": {"initial_x": "zeros"},
    "sr": {"lam": 0.1, "mu": 0.2},
    "deblur": {"lam": 0.02, "mu": 0.04, "learning_rate": 0.004, "learning_rate_decay": 0.9},
}
# Chosen on inpainting with noise of 25/255 (images apart from every test set): without jitter
# and with a larger rate, the narrow network gains little after some 300 iterations.
_FAST: dict[str, Any] = {
    "iterations": 300,
    "learning_rate": 0.003,
    "jitter": 0.0,
    "denoise_every": 5,
    "sigma_f": 0.0,
    "sigma_f_end": 0.0,
    "average": 0.98,
    "polish": 6,
    "held_out": 0.02,
    "uniform_width": False,
    "precision": "auto",
}
_FAST_TASK: dict[str, dict[str, Any]] = {"sr": {"iterations": 200, "lam": 0.5, "mu": 0.2}}
# The paper's network learns more slowly and further: at its own rate, and for longer.
_BEST: dict[str, Any] = {
    **_FAST,
    "iterations": 800,
    "learning_rate": 0.001,
    "jitter": 0.02,
    "uniform_width": True,
}
# For noise alone and for low resolution the network betters the image by 0.05 dB at most, on the
# mean, and takes some twenty times as long as the denoiser: there `fast` leaves it out.
_WITHOUT_NETWORK = "denoise", "sr"
# Values that are the denoiser's as well; any other asks for the network.
_NOT_OF_THE_NETWORK = "method", "denoiser", "adapt", "precision"
_LEAST_LEVEL_WITH_HOLES = 10.0
_DRED_ONLY: dict[str, Any] = {"blend": 0, "polish": 0, "held_out": 0.0}
_PREVIEW: dict[str, Any] = {
    **_FAST,
    "method": "hqs",
    "average": 0.0,
    **_DRED_ONLY,
}
# Of the denoiser, by itself. With strong noise the first level is near the last: half of them do,
# and where there are few samples more would smooth too much.
_CALLS, _STRONG_NOISE = 24, 40.0
# Level of noise, and share of known samples, from which on an image teaches a denoiser something.
_LEAST_TO_LEARN_FROM, _LEAST_KNOWN = 4.0, 0.5


def fill_in(
    parameters: Parameters, task: str, sigma: float, *, holes: bool = False, device: str = "cpu"
) -> Parameters:
    """Give the parameters with no None left among the preset's fields.

    Parameters
    ----------
    parameters : Parameters
    task : 'denoise', 'inpaint', 'sr' or 'deblur'
    sigma : float
        Noise level on a 0-255 scale of the image's range.
    holes : bool
        Whether any sample is missing.
    device : str
        Kind of the device, which decides what preset 'default' is.
    """
    values = {**_PAPER, **_PAPER_TASK[task]}
    calls = _CALLS // 2 if sigma >= _STRONG_NOISE else _CALLS
    if parameters.method is not None and parameters.method not in OURS:
        values |= authors_settings(parameters.method, task, parameters.scale)
        if not parameters.preset.startswith("paper"):
            values["precision"] = _FAST["precision"]
    elif parameters.preset == "paper-code":
        values |= _CODE_TASK[task]
        if task == "deblur" and min((15, 25, 50), key=lambda s: abs(s - sigma)) == 25:
            values["mu"] = 0.02
    elif parameters.preset in ("default", "fast", "best"):
        best = parameters.preset == "best" or (parameters.preset, device) == ("default", "cuda")
        values |= _BEST if best else {**_FAST, **_FAST_TASK.get(task, {})}
        values["blend"] = calls
        if holes and sigma < _LEAST_LEVEL_WITH_HOLES:
            # Without noise a denoiser at its level does nothing, and holes need one.
            values["sigma_f"] = values["sigma_f_end"] = _LEAST_LEVEL_WITH_HOLES
        if task in _WITHOUT_NETWORK and not best and not _asks_for_network(parameters):
            values["method"] = "hqs"
    elif parameters.preset == "preview":
        values |= {**_PREVIEW, "iterations": calls}
    method = parameters.method or values["method"]
    if method == "hqs" and parameters.preset != "preview":
        values |= {"iterations": calls, **_DRED_ONLY}
    given = parameters.to_dict()
    if given["sigma_f"] is not None:
        values["sigma_f_end"] = given["sigma_f"]
    if given["regulariser"] == "pnp":
        values["iterate"] = "x"  # there X is the denoiser's image itself
    return parameters.replace(**{k: v for k, v in values.items() if given[k] is None}, task=task)


def _asks_for_network(parameters: Parameters) -> bool:
    """Whether a value was given that is the network's: that of its iterations, for one."""
    names = _PAPER.keys() - _NOT_OF_THE_NETWORK
    return any(getattr(parameters, name) is not None for name in names)


def why_not_adapt(
    p: Parameters, level: float, *, white: bool, even: bool, observed: float = 1.0
) -> str:
    """What speaks against fitting the denoiser to an image, if anything.

    Parameters
    ----------
    p : Parameters
        Complete.
    level : float
        Of the noise, on a 0-255 scale of the image's range.
    white : bool
        Whether the noise of neighbouring samples is independent.
    even : bool
        Whether it is as strong everywhere. Where it was found to grow with the signal, fitting did
        harm on micrographs.
    observed : float
        Share of the samples that are known.
    """
    if p.method != "hqs" and p.regulariser == "none" and not p.denoiser_steps:
        return f"method {p.method!r} has no denoiser"
    if not white:
        return "the noise of neighbouring pixels is correlated, and would be learned as structure"
    if not even:
        return "its noise grows with the signal"
    if level < _LEAST_TO_LEARN_FROM:
        return "there is too little noise to learn from"
    return "" if observed >= _LEAST_KNOWN else "most of it is missing"


def with_method(parameters: Parameters, method: str) -> Parameters:
    """Give the same task to a method with its own settings, in place of those that were given."""
    preset = Parameters().preset if parameters.preset == "preview" else parameters.preset
    return parameters.replace(**{**dict.fromkeys(_PAPER), "preset": preset, "method": method})
