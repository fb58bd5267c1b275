"""The one parameter object: every default, limit and help text of GUI, CLI and Python.

Presets live in `presets.py`; a field that is None takes the preset's value.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_type_hints

from napari_dred.core.errors import InputError
from napari_dred.core.methods import DENOISERS, METHODS, PRIORS, REGULARISERS

TASKS = ("denoise", "inpaint", "sr", "deblur")
SCALES = (1, 2, 3, 4, 8)
BOUNDARIES = ("reflect", "circular", "zero")
PRESETS = ("default", "preview", "fast", "best", "paper", "paper-code")
NOISES = ("auto", "gaussian", "impulse", "poisson")
ITERATES = ("x-u", "x", "network")
OUTPUT_DTYPES = ("same", "float32")


def _option(
    default: Any,
    help: str,
    *,
    choices: tuple[Any, ...] | None = None,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    limits = {"choices": choices, "ge": ge, "gt": gt, "le": le, "lt": lt}
    meta = {"help": help, **{k: v for k, v in limits.items() if v is not None}}
    return field(default=default, metadata=meta)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """All that a run is told, besides the image, its mask and a measured PSF.

    Every value is checked on construction. `None` means: as the preset says for
    the task at hand (`sigma`: estimate it; `threads`: as torch chooses).

    Raises
    ------
    InputError
        Naming the field, its value and what is allowed.
    """

    # What is wrong with the image.
    task: str = _option(
        "auto",
        "What is to be done; 'auto' follows from the other options, any other value is a check.",
        choices=("auto", *TASKS),
    )
    scale: int = _option(1, "Super-resolution factor; 1 for none.", choices=SCALES)
    blur_sigma: float = _option(
        0.0,
        "Standard deviation of a Gaussian blur, in pixels of the restored image; 0 for none.",
        ge=0,
        le=50,
    )
    boundary: str = _option(
        "reflect", "What a blur found beyond the image's border.", choices=BOUNDARIES
    )
    noise: str = _option(
        "auto",
        "Kind of noise: 'gaussian'; 'impulse', scattered samples at an end of the range (hot and "
        "dead pixels) that are taken as missing, beside Gaussian noise; 'poisson', photon noise, "
        "which grows with the signal, beside Gaussian noise; 'auto' looks for both.",
        choices=NOISES,
    )
    sigma: float | None = _option(
        None,
        "Standard deviation of the Gaussian noise in the image's own sample values "
        "(0-255 for 8-bit images); estimated from the image if left out.",
        ge=0,
    )

    # How it is done.
    preset: str = _option(
        "default",
        "Set of values for everything that is not given: 'preview', the denoiser alone; 'fast', a "
        "small network beside it for holes and blur; 'best', the paper's network, for a GPU; "
        "'default', 'best' on a CUDA device and 'fast' elsewhere; 'paper' and 'paper-code', as "
        "published.",
        choices=PRESETS,
    )
    method: str | None = _option(
        None,
        "'dred': deep image prior and denoiser, coupled by ADMM; 'hqs': the denoiser alone; any "
        "other name: a published method, with its authors' settings. Left out, preset 'fast' takes "
        "'hqs' for noise alone and low resolution, unless a value of the network is given.",
        choices=METHODS,
    )
    prior: str | None = _option(
        None,
        "Network that is fitted to the image: 'skip', the one of 'dred'; the others are those of "
        "the published methods.",
        choices=PRIORS,
    )
    regulariser: str | None = _option(
        None,
        "What the denoiser does beside the network: 'red', regularisation by denoising; 'pnp', "
        "plug-and-play; 'none', nothing.",
        choices=REGULARISERS,
    )
    denoiser: str | None = _option(
        None,
        "Denoiser: 'ffdnet', 'dncnn' and 'tnrd' were trained; 'nlm' is non-local means; 'bm3d' "
        "needs a package of its own, whose licence excludes commercial use.",
        choices=DENOISERS,
    )
    iterations: int | None = _option(
        None,
        "Number of iterations of the network or, where there is none, of 'hqs'; the steps of "
        "'adapt' and 'blend' come before them and those of 'polish' after them.",
        ge=1,
        le=1_000_000,
    )
    lam: float | None = _option(None, "Weight of the denoiser (lambda, Eq. 7).", ge=0, le=100)
    mu: float | None = _option(None, "Weight of the ADMM coupling (mu, Eq. 8).", gt=0, le=100)
    learning_rate: float | None = _option(None, "Learning rate of Adam.", gt=0, le=1)
    learning_rate_decay: float | None = _option(
        None, "Factor on the learning rate after every 1000 iterations.", gt=0, le=1
    )
    theta_steps: int | None = _option(
        None, "Adam steps on the network an iteration (Eq. 9).", ge=1, le=1000
    )
    x_steps: int | None = _option(
        None, "Fixed-point steps on X an iteration (Eq. 12).", ge=1, le=1000
    )
    denoise_every: int | None = _option(
        None, "Iterations between two calls of the denoiser.", ge=1, le=1000
    )
    sigma_f: float | None = _option(
        None,
        "Level given to the denoiser, on a 0-255 scale of the image's range; "
        "0 for the noise level itself.",
        ge=0,
        le=255,
    )
    sigma_f_end: float | None = _option(
        None, "The same at the last iteration (it changes linearly); 0 as above.", ge=0, le=255
    )
    initial_x: str | None = _option(
        None, "Where X starts: 'observed' (Y) or 'zeros'.", choices=("observed", "zeros")
    )
    iterate: str | None = _option(
        None,
        "Which image of an iteration is the result: 'x-u', X less the multiplier U; 'x', X alone; "
        "'network', that of the network.",
        choices=ITERATES,
    )
    average: float | None = _option(
        None, "Decay of the running mean of that, which is then the result; 0 for none.", ge=0, lt=1
    )
    blend: int | None = _option(
        None,
        "Steps of 'hqs' before the first iteration; the result is a mean of theirs and of what "
        "the iterations come to; 0 for none.",
        ge=0,
        le=1000,
    )
    adapt: int | None = _option(
        None,
        "Steps before everything else that fit the denoiser to this very image, such as 60; for "
        "'ffdnet' only. 0 for none.",
        ge=0,
        le=100_000,
    )
    polish: int | None = _option(
        None,
        "Steps of 'hqs' after the last iteration, at low levels; they bring the result back "
        "to the data.",
        ge=0,
        le=1000,
    )
    held_out: float | None = _option(
        None,
        "Share of the observed samples that the network is not fitted to: the error on them tells "
        "when to stop; 0 for none.",
        ge=0,
        le=0.5,
    )
    settle: float | None = _option(
        None,
        "The run ends when blurriness over sharpness of its image, as a mean of 100 iterations, "
        "has changed by less than this since the 100 before; 0 for no such end.",
        ge=0,
        le=10,
    )
    restart: float | None = _option(
        None,
        "When the network's image suddenly meets the data worse by so many decibels, the run goes "
        "back to its last good state, once to each; 0 for never.",
        ge=0,
        le=100,
    )
    jitter: float | None = _option(
        None, "Standard deviation of the noise added to the network's input.", ge=0, le=1
    )
    width: int | None = _option(
        None, "Features of the network's widest level; narrower ones halve.", ge=4, le=1024
    )
    uniform_width: bool | None = _option(None, "Whether every level has the full width.")
    depth: int | None = _option(None, "Levels of the network.", ge=1, le=8)
    precision: str | None = _option(
        None,
        "'float32', 'bfloat16', or 'auto': bfloat16 where the processor has it.",
        choices=("auto", "float32", "bfloat16"),
    )

    weights: str | None = _option(
        None,
        "File with weights of the denoiser (.safetensors or .pth); the package's own if left out.",
    )

    # Where, and what comes out.
    device: str = _option("auto", "'auto', 'cpu', 'cuda', 'cuda:N' or 'mps'.")
    threads: int | None = _option(None, "Processor threads.", ge=1, le=1024)
    seed: int = _option(0, "Seed of everything random.", ge=0, lt=2**63)
    output_dtype: str = _option("same", "Sample type of the result.", choices=OUTPUT_DTYPES)
    keep_observed: bool = _option(
        False, "Keep the pixels outside the mask exactly as they were (inpainting)."
    )

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):
            object.__setattr__(self, f.name, _checked(f, getattr(self, f.name)))
        if not re.fullmatch("auto|cpu|mps|cuda(:[0-9]{1,3})?", self.device):
            raise InputError(
                f"device is {self.device!r}; allowed are auto, cpu, cuda, cuda:N and mps"
            )

    def replace(self, **changes: Any) -> Parameters:
        """Give a copy with some fields changed.

        Raises
        ------
        InputError
            For an unknown field or a value that is not allowed.
        """
        return Parameters.from_dict({**self.to_dict(), **changes})

    @property
    def denoiser_steps(self) -> int:
        """Iterations of the denoiser alone that 'dred' takes beside those of the network."""
        return 0 if self.method == "hqs" else (self.blend or 0) + (self.polish or 0)

    @property
    def total_iterations(self) -> int:
        """Iterations of a run of these (complete) parameters, if nothing ends it earlier."""
        return (self.adapt or 0) + (self.iterations or 0) + self.denoiser_steps

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-able."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Parameters:
        """Build from a mapping, refusing names that are not fields."""
        known = {f.name for f in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise InputError(
                    f"{name!r} is not a parameter; known are {', '.join(sorted(known))}"
                )
        return cls(**values)

    def to_json(self) -> str:
        """All fields as JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Parameters:
        """Read what `to_json` wrote; fields left out take their defaults."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as e:
            raise InputError(f"the parameters are not valid JSON: {e}") from None
        if not isinstance(values, dict):
            raise InputError("the parameters must be one JSON object")
        return cls.from_dict(values)


_HINTS = get_type_hints(Parameters)


def _checked(f: dataclasses.Field[Any], value: Any) -> Any:
    """Give the value as the field's type, or raise an error that names the field."""
    kinds = get_args(_HINTS[f.name]) or (_HINTS[f.name],)
    if value is None:
        if type(None) in kinds:
            return None
        raise InputError(f"{f.name} is None; {_allowed(f)}")
    # Whole numbers are fine where a float is expected, and numpy's scalars anywhere.
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        # Beyond what a float holds it is refused like infinity.
        value = float(value) if abs(value) < 2**1023 else math.inf
    wrong_type = not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)
    if wrong_type or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(f"{f.name} is {value!r}; {_allowed(f)}")
    m = f.metadata
    if (
        ("choices" in m and value not in m["choices"])
        or ("ge" in m and value < m["ge"])
        or ("gt" in m and value <= m["gt"])
        or ("le" in m and value > m["le"])
        or ("lt" in m and value >= m["lt"])
    ):
        raise InputError(f"{f.name} is {value!r}; {_allowed(f)}")
    return value


def _allowed(f: dataclasses.Field[Any]) -> str:
    m = f.metadata
    if "choices" in m:
        return "allowed are " + ", ".join(map(str, m["choices"]))
    kinds = get_args(_HINTS[f.name]) or (_HINTS[f.name],)
    noun = {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}
    words = [noun[k] for k in kinds if k in noun]
    bounds = [
        f"{sign} {m[key]:g}"
        for key, sign in (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))
        if key in m
    ]
    return "it must be " + " or ".join(words) + (" " + " and ".join(bounds) if bounds else "")
