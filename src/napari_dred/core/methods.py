"""Named combinations of a prior, a regulariser and a denoiser, with their authors' settings."""

from __future__ import annotations

from typing import Any

PRIORS = ("skip", "dip", "deep-decoder", "nas-dip", "pip", "shi", "drp")
REGULARISERS = ("none", "pnp", "red")
DENOISERS = ("ffdnet", "dncnn", "tnrd", "nlm", "bm3d")

# These two take their numbers from the preset; the others always from their authors.
OURS: dict[str, dict[str, Any]] = {
    "dred": {"prior": "skip", "regulariser": "red"},
    "hqs": {"prior": "skip", "regulariser": "red"},  # neither is used
}
_FIT: dict[str, Any] = {"regulariser": "none", "average": 0.0, "denoise_every": 1, "polish": 0}
_DEEP_RED: dict[str, Any] = {
    "prior": "skip",
    "regulariser": "red",
    "denoise_every": 10,
    "polish": 0,
    "jitter": 1 / 30,
}
_RESTART = 5.0  # dB, in the code of deep image prior and of those that built on it
# By method and task. A task that its authors do not have takes what they set for noise alone.
_AUTHORS: dict[str, dict[str, dict[str, Any]]] = {
    # Ulyanov et al. 2018
    "dip": {
        "denoise": {"iterations": 3000, "jitter": 1 / 30, "average": 0.99},
        "inpaint": {"iterations": 6000, "jitter": 0.03},
        "sr": {"iterations": 2000, "jitter": 0.03},
    },
    # Heckel and Hand 2019
    "deep-decoder": {
        "denoise": {"iterations": 1900, "jitter": 0.0},
        "inpaint": {"iterations": 40_000, "jitter": 0.0, "width": 256, "learning_rate": 0.0025},
    },
    # Chen et al. 2020; what the paper leaves out is as in DIP
    "nas-dip": {
        "denoise": {"iterations": 3000, "jitter": 1 / 30, "average": 0.99},
        "inpaint": {"iterations": 6000, "jitter": 0.03, "learning_rate": 0.001},
        "sr": {"iterations": 2000, "jitter": 0.03},
    },
    # Mataev et al. 2019
    "deepred": {
        "denoise": {
            **_DEEP_RED,
            "denoiser": "nlm",
            "iterations": 6000,
            "learning_rate": 0.008,
            "sigma_f": 3.0,
            "lam": 0.5,
            "mu": 0.5,
            "iterate": "network",
            "average": 0.99,
        },
        "sr": {
            **_DEEP_RED,
            "denoiser": "bm3d",
            "iterations": 2000,
            "learning_rate": 0.001,
            "sigma_f": 5.0,
        },
        "deblur": {
            **_DEEP_RED,
            "denoiser": "nlm",
            "iterations": 30_000,
            "learning_rate": 0.004,
            "learning_rate_decay": 0.9,
            "jitter": 0.01,
            "sigma_f": 3.0,
            "lam": 0.02,
            "mu": 0.04,
        },
    },
    # Shabtay et al. 2022
    "pip": {
        "denoise": {"iterations": 1800, "jitter": 0.0, "average": 0.99},
        "inpaint": {"iterations": 8000, "jitter": 0.0},
        "sr": {"iterations": 2000, "jitter": 0.0},
    },
    # Shi et al. 2022
    "shi": {"denoise": {"iterations": 10_000, "jitter": 0.0, "learning_rate": 0.001}},
    # Li et al. 2023
    "drp-dip": {
        "denoise": {"width": 64, "learning_rate": 0.1},
        "inpaint": {"width": 128, "learning_rate": 0.05},
        "sr": {"width": 128, "learning_rate": 0.5},
    },
    # The ablation of the paper: as its method, with plug-and-play in place of RED.
    "dip-pnp": {"denoise": {}, "inpaint": {}, "sr": {}, "deblur": {}},
}
_COMMON: dict[str, dict[str, Any]] = {
    "dip": {**_FIT, "prior": "dip", "learning_rate": 0.01, "restart": _RESTART},
    "deep-decoder": {**_FIT, "prior": "deep-decoder", "learning_rate": 0.01},
    "nas-dip": {**_FIT, "prior": "nas-dip", "learning_rate": 0.01, "restart": _RESTART},
    "pip": {**_FIT, "prior": "pip", "learning_rate": 0.01, "restart": 2.0},
    "shi": {**_FIT, "prior": "shi", "restart": _RESTART, "settle": 0.01},
    "drp-dip": {**_FIT, "prior": "drp", "iterations": 5000, "jitter": 0.0, "depth": 1},
    "dip-pnp": {"prior": "skip", "regulariser": "pnp", "iterate": "x"},
}
_TWICE_AT_8 = {"dip", "nas-dip", "pip"}  # iterations; more jitter too

METHODS = ("dred", "hqs", *_AUTHORS)
#: What each of them is, in a sentence.
EXPLANATIONS = {
    "dred": "A network fitted to the image and a denoiser, coupled.",
    "hqs": "The denoiser alone, brought back to the data at every step; the quickest.",
    "dip": "A network fitted to this image alone (Ulyanov et al. 2018).",
    "deep-decoder": "As dip, with a plain network that only enlarges (Heckel and Hand 2019).",
    "nas-dip": "As dip, with networks that a search has found (Chen et al. 2020).",
    "deepred": "As dip, with a classical denoiser beside it (Mataev et al. 2019).",
    "pip": "As dip, with the pixels' places as its input (Shabtay et al. 2022).",
    "shi": "As dip, with layers that hold back fine detail (Shi et al. 2022).",
    "drp-dip": "The input of a random network is fitted, not its weights (Li et al. 2023).",
    "dip-pnp": "As dred, with the denoiser's image taken as it is (plug-and-play).",
}


def authors_settings(method: str, task: str, scale: int = 1) -> dict[str, Any]:
    """The authors' values of the parameters; those left out are as in the paper of DRED.

    Parameters
    ----------
    method : str
        One of `METHODS` that is not in `OURS`.
    task : 'denoise', 'inpaint', 'sr' or 'deblur'
    scale : int
        Factor of super-resolution.
    """
    by_task = _AUTHORS[method]
    values = {**_COMMON.get(method, {}), **by_task.get(task, by_task["denoise"])}
    values["sigma_f_end"] = values.get("sigma_f")
    if task == "sr" and scale == 8 and method in _TWICE_AT_8:
        values["iterations"] *= 2
        values["jitter"] = values["jitter"] and 0.05
    return {name: value for name, value in values.items() if value is not None}
