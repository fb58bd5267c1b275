"""What a solver yields: a `Plan`, then one `Step` an iteration, then a `Result`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters


@dataclass(frozen=True)
class PSFRecord:
    """What a record keeps of a measured PSF: enough to know it again, not to use it.

    Attributes
    ----------
    shape : (int, int)
        Height and width in pixels.
    sha256 : str
        Of its samples as little-endian float64, row by row.
    """

    shape: tuple[int, int]
    sha256: str

    @classmethod
    def of(cls, psf: ArrayLike) -> PSFRecord:
        """Describe a (k, l) array of any real dtype."""
        samples = np.ascontiguousarray(psf, dtype="<f8")
        height, width = samples.shape
        return cls((height, width), hashlib.sha256(samples.data).hexdigest())

    @classmethod
    def in_provenance(cls, record: Mapping[str, Any]) -> PSFRecord | None:
        """Take it out of the record of a run, which nobody needs to trust.

        Raises
        ------
        InputError
            If it is damaged.
        """
        told = record.get("psf")
        if told is None:
            return None
        try:
            height, width = map(int, told["shape"])
            return cls((height, width), str(told["sha256"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            raise InputError("what the record tells of a measured PSF is damaged") from None

    def to_dict(self) -> dict[str, Any]:
        """Both fields, JSON-able."""
        return {"shape": list(self.shape), "sha256": self.sha256}

    def __str__(self) -> str:
        return f"measured PSF of {self.shape[0]} x {self.shape[1]} pixels"


@dataclass(frozen=True)
class Plan:
    """What will happen, known before the first iteration.

    Attributes
    ----------
    task : 'denoise', 'inpaint', 'sr' or 'deblur'
        As the operator H says.
    shape : tuple of int
        Shape of the restored image, (H, W) or (H, W, C).
    parameters : Parameters
        With every field that the preset decides filled in.
    sigma : float
        Noise level in the image's own sample values.
    sigma_estimated : bool
        Whether it was estimated from the image.
    missing : int
        Pixels that are masked or not finite in the input.
    masked : int
        Those of them that the mask names.
    device : str
        Where the run takes place, in words ('cpu', 'cuda:0 (...)').
    memory : int
        Estimated peak memory in bytes.
    seconds : float
        Estimated duration.
    notes : tuple of str
        Sentences for the user.
    impulses : int
        Samples that impulse noise has replaced: taken as missing too, but not counted above.
    photon_noise : (float, float) or None
        Gain and offset, where the variance of the noise is gain * signal + offset in the
        image's own sample values; `sigma` is then its root mean.
    psf : PSFRecord or None
        The measured PSF, if one was given.
    correlation : float or None
        Of the noise in neighbouring samples, where it is clearly not white.
    """

    task: str
    shape: tuple[int, ...]
    parameters: Parameters
    sigma: float
    sigma_estimated: bool
    missing: int
    masked: int
    device: str
    memory: int
    seconds: float
    notes: tuple[str, ...] = ()
    impulses: int = 0
    photon_noise: tuple[float, float] | None = None
    psf: PSFRecord | None = None
    correlation: float | None = None


@dataclass(frozen=True)
class Step:
    """One iteration.

    Attributes
    ----------
    iteration, total : int
        From 1 to `total`.
    loss : float
        The objective of Eq. (9) on the internal [0, 1] scale (HQS: its data term); not a number
        where it is not known.
    residual : float
        Root mean square of X - T (HQS: the change of X), on the same scale.
    image : (H, W) or (H, W, C) float32 array, or None
        The present image in the input's own sample values, if it was asked for.
    note : str
        A sentence for the user, usually empty.
    held_out : float or None
        Root mean square error on observed samples that the fit does not see, in units of the
        noise level; None where none are held out.
    """

    iteration: int
    total: int
    loss: float
    residual: float
    image: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    note: str = ""
    held_out: float | None = None


@dataclass(frozen=True)
class Result:
    """The end of a run.

    Attributes
    ----------
    image : (H, W) or (H, W, C) array
        The restored image, in the dtype and range of the input
        (or as `parameters.output_dtype` says).
    plan : Plan
    steps : tuple of Step
        Every step that was reported, without images.
    stop_reason : 'iterations', 'held-out error', 'settled', 'stopped', or 'failed'
        The last one of a stack's run that has some of its planes.
    seconds : float
        Wall-clock time of the run.
    notes : tuple of str
        Sentences for the user, those of the plan first.
    version : str
        Version of napari-dred.
    kept : int or None
        The iteration whose image is the result, or the fitted part of it; None means the last.
    """

    image: NDArray[Any] = field(repr=False)
    plan: Plan
    steps: tuple[Step, ...] = field(repr=False)
    stop_reason: str
    seconds: float
    notes: tuple[str, ...]
    version: str
    kept: int | None = None

    @property
    def parameters(self) -> Parameters:
        """The parameters of the run, complete."""
        return self.plan.parameters

    def provenance(self) -> dict[str, Any]:
        """Everything needed to tell how the image was made, JSON-able."""
        return {
            "parameters": self.parameters.to_dict(),
            "task": self.plan.task,
            "sigma": self.plan.sigma,
            "sigma_estimated": self.plan.sigma_estimated,
            "missing_pixels": self.plan.missing,
            "impulses": self.plan.impulses,
            "photon_noise": self.plan.photon_noise,
            "noise_correlation": self.plan.correlation,
            "psf": None if self.plan.psf is None else self.plan.psf.to_dict(),
            "iterations": self.steps[-1].iteration if self.steps else 0,
            "seconds": round(self.seconds, 3),
            "stop_reason": self.stop_reason,
            "kept": self.kept,
            "device": self.plan.device,
            "seed": self.parameters.seed,
            "version": self.version,
            "notes": list(self.notes),
        }
