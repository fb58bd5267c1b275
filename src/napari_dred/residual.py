"""What a restoration removed: the residual Y − H(X), with the H that its provenance tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import PSFRecord


def parameters_of(provenance: Mapping[str, Any] | None, psf: ArrayLike | None = None) -> Parameters:
    """Read from a result's provenance the parameters that tell its H.

    Parameters
    ----------
    provenance : mapping or None
    psf : (k, l) array, optional
        The measured PSF, which the provenance does not hold.

    Raises
    ------
    InputError
        If there is none, or the PSF was measured and is not the one given.
    """
    if not provenance or not isinstance(provenance.get("parameters"), Mapping):
        raise InputError(
            "nothing is known of how the image was made; choose a result of this plugin as 'after'"
        )
    parameters = Parameters.from_dict(dict(provenance["parameters"]))
    record = PSFRecord.in_provenance(provenance)
    unnamed = provenance.get("task") == "deblur" and not parameters.blur_sigma
    if record is None and unnamed:
        raise InputError(
            "the image was deblurred with a measured PSF of which its record tells nothing, "
            "so its residual cannot be computed"
        )
    if record is not None and (psf is None or PSFRecord.of(psf) != record):
        raise InputError(
            f"the image was deblurred with a {record}, which is not kept with the result; "
            "open that PSF to compute the residual"
        )
    return parameters


def residual(
    observed: ArrayLike,
    restored: ArrayLike,
    parameters: Parameters,
    missing: ArrayLike | None = None,
    psf: ArrayLike | None = None,
) -> NDArray[np.float32]:
    """Compute Y − H(X), the "method noise".

    Parameters
    ----------
    observed : (h, w) or (h, w, C) array
        Y.
    restored : (H, W) or (H, W, C) array
        X, in the same sample values; `parameters.scale` times as large.
    parameters : Parameters
        Of the run; scale, blur_sigma and boundary make H.
    missing : (h, w) array, optional
        Non-zero where a pixel of Y was missing.
    psf : (k, l) array, optional
        The measured PSF, if the run had one in place of blur_sigma.

    Returns
    -------
    (h, w) or (h, w, C) float32 array
        NaN where Y is missing or not finite.

    Raises
    ------
    InputError
        If the sizes do not fit, or X holds samples that are not finite.
    """
    import torch

    from napari_dred.core.operators import build_operator, gaussian_kernel

    y, x = np.asarray(observed), np.asarray(restored)
    factor = parameters.scale
    expected = (factor * y.shape[0], factor * y.shape[1], *y.shape[2:])
    if x.shape != expected:
        raise InputError(
            f"the result has shape {x.shape} and its input {y.shape}; "
            f"with a scale of {factor} the result's should be {expected}"
        )
    if not np.isfinite(x).all():
        raise InputError("the result holds samples that are not finite")
    sigma = parameters.blur_sigma
    gaussian = np.asarray(gaussian_kernel(sigma)) if sigma else None
    h = build_operator(
        (y.shape[0], y.shape[1]),
        factor=factor,
        kernel=gaussian if psf is None else psf,
        boundary=parameters.boundary,
    )
    planes = np.atleast_3d(x).transpose(2, 0, 1)[None].astype(np.float32)
    hx = h.forward(torch.from_numpy(planes)).numpy()[0].transpose(1, 2, 0).reshape(y.shape)
    with np.errstate(invalid="ignore"):
        noise: NDArray[np.float32] = (y.astype(np.float64) - hx).astype(np.float32)
    noise[~np.isfinite(noise)] = np.nan
    if missing is not None:
        lost = np.asarray(missing) != 0
        if lost.shape != y.shape[:2]:
            raise InputError(
                f"the mask has the shape {lost.shape}, the image {y.shape[:2]}; "
                "they must be the same"
            )
        noise[lost] = np.nan
    return noise
