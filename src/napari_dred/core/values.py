"""Sample values: the map between an image's own range and the solver's [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_dred.core.errors import InputError

HEADROOM = 3.0  # in standard deviations of the noise, on both sides of the range


LARGEST = 1e30  # of a sample: beyond that float32, in which all is computed, overflows


def check_size(low: float, high: float) -> None:
    """Refuse samples that cannot be computed with.

    Raises
    ------
    InputError
    """
    largest = max(abs(low), abs(high))
    if largest > LARGEST:
        raise InputError(
            f"the image has samples of size {largest:.3g}, too large to compute with; divide it by "
            "some number, or mark the outliers as missing"
        )


@dataclass(frozen=True)
class ValueRange:
    """The sample values that 0 and 1 of the solver stand for.

    Attributes
    ----------
    low, high : float
        In the image's own sample values.
    dtype : numpy.dtype
        That of the image.
    """

    low: float
    high: float
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, image: NDArray[Any], observed: NDArray[np.bool_], sigma: float) -> ValueRange:
        """Choose the range for an image.

        8-bit images take 0 to 255. Everything else spans its finite observed
        samples with 3 sigma of headroom on both sides, so that nothing that was
        recorded is clipped: no percentiles.

        Parameters
        ----------
        image : array of any real dtype, its samples no larger than `LARGEST`
        observed : bool array of the same shape, at least one True
        sigma : float
            Standard deviation of the noise, in sample values.

        Raises
        ------
        InputError
            If sigma is above half the range, which means that it is on another scale.
        """
        if image.dtype == np.uint8:
            span_low, span_high, headroom = 0.0, 255.0, 0.0
        else:
            samples = image[observed]
            span_low, span_high = float(samples.min()), float(samples.max())
            headroom = HEADROOM * sigma
        span = span_high - span_low
        if sigma > span / 2:
            raise InputError(
                f"sigma is {sigma:g}, more than half the range of the image's samples "
                f"({span_low:g} to {span_high:g}); give it in those same sample values"
            )
        if span + headroom == 0:
            headroom = 0.5 * max(1.0, abs(span_low))
        return cls(span_low - headroom, span_high + headroom, image.dtype)

    @property
    def span(self) -> float:
        """`high - low`."""
        return self.high - self.low

    def to_unit(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Scale samples to [0, 1]."""
        return ((image.astype(np.float64) - self.low) / self.span).astype(np.float32)

    def from_unit(self, image: NDArray[Any]) -> NDArray[np.float64]:
        """Undo `to_unit`, without rounding."""
        return image.astype(np.float64) * self.span + self.low

    def restore_dtype(self, image: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Cast samples to a dtype, rounding to and clipping at what integers can hold."""
        if np.issubdtype(dtype, np.integer):
            limits = np.iinfo(dtype)
            # float64 cannot hold the largest 64-bit integers: the cast of its neighbour below can.
            top = limits.max if limits.bits < 64 else np.nextafter(float(limits.max), 0)
            image = np.clip(np.rint(image), limits.min, top)
        cast: NDArray[Any] = image.astype(dtype)
        return cast


def sample_value(value: float) -> str:
    """Say a level in sample values: '0.0123', '14.9', '1002', '1.5e+07'."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
