"""What can be measured on images: PSNR, PSNR-Y, SSIM, FRC, whiteness; arrays in, numbers out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from napari_dred.core.errors import InputError

# ITU-R BT.601 luma of 8-bit R, G, B, from 16 to 235.
_LUMA = np.array([65.481, 128.553, 24.966])
_LUMA_BLACK = 16.0
_SSIM_SIGMA = 1.5
_SSIM_WINDOW = 11  # what scikit-image makes of that sigma
#: Where a Fourier ring correlation is taken to reach the noise (Rosenthal & Henderson 2003).
FRC_THRESHOLD = 1 / 7
_FRC_SIDE = 32


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


@dataclass(frozen=True)
class RingCorrelation:
    """A Fourier ring correlation and what it tells.

    Attributes
    ----------
    frequency : (n,) array
        Middles of the rings, in cycles per pixel, up to 0.5.
    correlation : (n,) array
        From -1 to 1; 0 where there is nothing but noise.
    """

    frequency: NDArray[np.float64]
    correlation: NDArray[np.float64]

    @property
    def resolution(self) -> float:
        """Period, in pixels, at which the correlation falls below 1/7.

        Infinite if it is below 1/7 on the first ring already, and 2, the finest period that
        pixels can hold, if it never is.
        """
        below = np.flatnonzero(self.correlation < FRC_THRESHOLD)
        if below.size == 0:
            return 2.0
        i = int(below[0])
        if i == 0:
            return float("inf")
        (f0, f1), (c0, c1) = self.frequency[i - 1 : i + 1], self.correlation[i - 1 : i + 1]
        return float(1 / (f0 + (f1 - f0) * (c0 - FRC_THRESHOLD) / (c0 - c1)))


def frc(image: ArrayLike) -> RingCorrelation:
    """Fourier ring correlation of one image with itself.

    The image is split like a checkerboard, as by Koho et al. (2019): the two fields share
    the object but, where the noise is independent from pixel to pixel, not the noise. Here both
    fields stay on the image's own grid, with zeros in the other one's place: so neither a
    shift nor a calibration enters. Frequencies are compared up to where the fields' spectra
    repeat, |fx| + |fy| = 0.5 cycles per pixel. Detail beyond that, where there is much of it,
    counts as noise: of an image that is sharp to the last pixel the figure is a cautious one.

    Of a restored image it tells how fine the details in it are, not whether they are true.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array
        Of colour the mean of the channels is taken. Gain and offset do not matter.

    Returns
    -------
    RingCorrelation

    Raises
    ------
    InputError
        For images smaller than 32 pixels a side, flat ones, or samples that are not finite.
    """
    x = _finite_image(image)
    if x.ndim == 3:
        x = x.mean(axis=-1)
    x = x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2]  # whole periods of the checkerboard
    if min(x.shape) < _FRC_SIDE:
        raise InputError(f"FRC needs {_FRC_SIDE} pixels a side, this image is {_size(x)}")
    x = x - x.mean()
    if not x.any():
        raise InputError("the image is flat, so FRC has nothing to measure")
    height, width = x.shape
    x = x * np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
    black = np.indices(x.shape).sum(axis=0) % 2 == 0
    a, b = (scipy.fft.rfft2(np.where(field, x, 0)) for field in (black, ~black))
    fy, fx = np.abs(scipy.fft.fftfreq(height))[:, None], scipy.fft.rfftfreq(width)[None]
    # Every sample but those of the first and last column stands for its mirror image too.
    weight = np.where((fx == 0) | (fx == 0.5), 1.0, 2.0) * (fy + fx < 0.5)
    count = int(np.clip(min(x.shape) // 4, 8, 128))
    ring = np.minimum(np.hypot(fy, fx) * 2 * count, count - 1).astype(int).ravel()

    def total(values: NDArray[Any]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = np.bincount(ring, (weight * values).ravel(), count).astype(
            np.float64
        )
        return sums

    cross = total((a * b.conj()).real)
    power = np.sqrt(total(np.abs(a) ** 2) * total(np.abs(b) ** 2))
    correlation = np.divide(cross, power, out=np.zeros(count), where=power > 0)
    return RingCorrelation((np.arange(count) + 0.5) / (2 * count), correlation)


@dataclass(frozen=True)
class Whiteness:
    """How much a residual's neighbours are alike.

    Attributes
    ----------
    horizontal, vertical : float
        Correlation of each sample with the next one in its row and in its column.
    bound : float
        What 95 of 100 correlations of white noise of that size do not exceed.
    """

    horizontal: float
    vertical: float
    bound: float


def whiteness(residual: ArrayLike) -> Whiteness:
    """Autocorrelation of a residual at one pixel's distance.

    If only noise that is independent from pixel to pixel was removed, it is white; what is
    left of the object in it makes neighbours alike.

    Parameters
    ----------
    residual : (H, W) or (H, W, C) array
        Samples that are not finite are left out. Gain and offset do not matter.

    Returns
    -------
    Whiteness
        Over all channels.

    Raises
    ------
    InputError
        If no neighbours are left, or all samples are equal.
    """
    x = np.asarray(residual, np.float64)
    if x.ndim not in (2, 3):
        raise InputError(f"this is no image, its shape is {x.shape}")
    known = np.isfinite(x)
    counts = known.sum(axis=(0, 1))
    x = np.where(known, x, 0)
    x = np.where(known, x - x.sum(axis=(0, 1)) / np.maximum(counts, 1), 0)
    # What rounding leaves of a flat residual is not noise.
    deviation = np.abs(x).max(initial=0)
    if deviation <= 1e-12 * np.abs(np.where(known, residual, 0)).max(initial=0):
        raise InputError("the residual is flat, so its whiteness cannot be told")
    variance = np.square(x).sum() / known.sum()

    def correlation(one: Any, other: Any) -> tuple[float, int]:
        pairs = int((known[one] & known[other]).sum())
        if pairs == 0:
            raise InputError("the residual has no two neighbouring samples")
        return float((x[one] * x[other]).sum() / pairs / variance), pairs

    everything, first, last = slice(None), slice(None, -1), slice(1, None)
    horizontal, n = correlation((everything, first), (everything, last))
    vertical, m = correlation((first, everything), (last, everything))
    return Whiteness(horizontal, vertical, 1.96 / math.sqrt(min(n, m)))


def _finite_image(image: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(image).astype(np.float64)
    if x.ndim not in (2, 3) or x.size == 0:
        raise InputError(f"this is no image, its shape is {x.shape}")
    wrong = int(np.count_nonzero(~np.isfinite(x)))
    if wrong:
        raise InputError(f"the image holds {wrong} samples that are not finite")
    return x


def _size(x: NDArray[Any]) -> str:
    return f"{x.shape[0]} x {x.shape[1]}"


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
