"""How close a result is to a reference: PSNR, the paper's PSNR-Y, SSIM; arrays in, numbers out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_dred.core.errors import InputError

# ITU-R BT.601 luma of 8-bit R, G, B, from 16 to 235.
_LUMA = np.array([65.481, 128.553, 24.966])
_LUMA_BLACK = 16.0
_SSIM_SIGMA = 1.5
_SSIM_WINDOW = 11  # what scikit-image makes of that sigma


def default_data_range(reference: ArrayLike) -> float:
    """Span of the values that samples of this kind can take.

    Parameters
    ----------
    reference : array
        Integers: the span of their dtype. Floats: 1, if they lie in [0, 1].

    Raises
    ------
    InputError
        For floats outside [0, 1], whose span must be given.
    """
    reference = np.asarray(reference)
    if reference.dtype.kind == "b":
        return 1.0
    if reference.dtype.kind in "ui":
        limits = np.iinfo(reference.dtype)
        return float(limits.max) - float(limits.min)
    low, high = (float(reference.min()), float(reference.max())) if reference.size else (0.0, 0.0)
    if low < 0 or high > 1:
        raise InputError(
            f"the reference holds {reference.dtype} samples from {low:.6g} to {high:.6g}; "
            "give the data range"
        )
    return 1.0


def psnr(result: ArrayLike, reference: ArrayLike, data_range: float | None = None) -> float:
    """Peak signal-to-noise ratio over all samples, in dB.

    Parameters
    ----------
    result, reference : (H, W) or (H, W, C) arrays
        In the same sample values.
    data_range : float, optional
        The peak; `default_data_range(reference)` if left out.

    Returns
    -------
    float
        Infinite for equal images.

    Raises
    ------
    InputError
        For arrays that cannot be compared.
    """
    a, b, peak = _comparable(result, reference, data_range)
    return _psnr(a, b, peak)


def psnr_y(result: ArrayLike, reference: ArrayLike, data_range: float | None = None) -> float:
    """PSNR of the luma of the images rounded to 8 bits, in dB, with a peak of 255.

    Both images are divided by the data range, clipped to [0, 1] and rounded to
    0-255. Of colour images the ITU-R BT.601 luma (16-235) is compared, rounded
    as well; of gray ones the samples themselves. On colour images this reads
    about 1.6 dB above `psnr`.

    Parameters
    ----------
    result, reference : (H, W), (H, W, 1) or (H, W, 3) arrays
    data_range : float, optional
        The value of white; `default_data_range(reference)` if left out.

    Raises
    ------
    InputError
        For arrays that cannot be compared, or have other numbers of channels.
    """
    a, b, white = _comparable(result, reference, data_range)
    return _psnr(_luma(a / white), _luma(b / white), 255)


def ssim(result: ArrayLike, reference: ArrayLike, data_range: float | None = None) -> float:
    """Mean structural similarity (Gaussian window, sigma 1.5), averaged over channels.

    Parameters
    ----------
    result, reference : (H, W) or (H, W, C) arrays
        At least 11 pixels high and wide.
    data_range : float, optional
        `default_data_range(reference)` if left out.

    Raises
    ------
    InputError
        For arrays that cannot be compared, or are smaller than the window.
    """
    from skimage.metrics import structural_similarity

    a, b, span = _comparable(result, reference, data_range)
    if min(a.shape[:2]) < _SSIM_WINDOW:
        raise InputError(
            f"SSIM needs {_SSIM_WINDOW} pixels a side, these images are of shape {a.shape}"
        )
    similarity: Any = structural_similarity(
        b,
        a,
        data_range=span,
        channel_axis=-1 if a.ndim == 3 else None,
        gaussian_weights=True,
        sigma=_SSIM_SIGMA,
        use_sample_covariance=False,
    )
    return float(similarity)


def _comparable(
    result: ArrayLike, reference: ArrayLike, data_range: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Both as float64, and the data range, after all checks."""
    result, reference = np.asarray(result), np.asarray(reference)
    if result.shape != reference.shape:
        raise InputError(
            f"the result has shape {result.shape} but the reference {reference.shape}; "
            "only images of the same size and channels can be compared"
        )
    if result.ndim not in (2, 3) or result.size == 0:
        raise InputError(f"these are no images, their shape is {result.shape}")
    if data_range is None:
        if result.dtype != reference.dtype and {result.dtype.kind, reference.dtype.kind} <= {*"ui"}:
            raise InputError(
                f"the result holds {result.dtype} samples but the reference {reference.dtype}; "
                "give the data range if their values mean the same"
            )
        data_range = default_data_range(reference)
    if not 0 < data_range < np.inf:
        raise InputError(f"the data range is {data_range:g}; it must be a finite number > 0")
    a, b = result.astype(np.float64), reference.astype(np.float64)
    for name, x in (("result", a), ("reference", b)):
        wrong = int(np.count_nonzero(~np.isfinite(x)))
        if wrong:
            raise InputError(f"the {name} holds {wrong} samples that are not finite")
    return a, b, data_range


def _psnr(a: NDArray[np.float64], b: NDArray[np.float64], peak: float) -> float:
    from skimage.metrics import peak_signal_noise_ratio

    if np.array_equal(a, b):
        return float("inf")
    ratio: Any = peak_signal_noise_ratio(b, a, data_range=peak)
    return float(ratio)


def _luma(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rounded to 8 bits: luma, 16 to 235, of RGB in [0, 1], or gray itself, 0 to 255."""
    x = np.rint(np.clip(x, 0, 1) * 255)
    if x.ndim == 2 or x.shape[-1] == 1:
        return x
    if x.shape[-1] != 3:
        raise InputError(f"PSNR-Y is for gray and RGB images, not for {x.shape[-1]} channels")
    luma: NDArray[np.float64] = np.round(x @ _LUMA / 255 + _LUMA_BLACK)
    return luma
