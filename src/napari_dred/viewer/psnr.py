"""How close the images of a run are to a reference, measured in a thread of its own."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_dred.core.errors import InputError
from napari_dred.metrics import default_data_range, psnr

#: Pixels compared at most: of larger images every n-th row and column, which changes the figure
#: by some hundredths of a decibel.
MAX_PIXELS = 2**19


@dataclass(frozen=True)
class Reference:
    """What the images are compared with.

    Attributes
    ----------
    image : (H, W) or (H, W, 3) array
        In the sample values of the run's input; nobody changes it.
    data_range : float
        The peak.
    """

    image: NDArray[Any] = field(repr=False)
    data_range: float

    @classmethod
    def of(cls, image: NDArray[Any]) -> Reference:
        """Take an image, whose own values give the peak where its dtype does not.

        Raises
        ------
        InputError
            If there is no peak.
        """
        try:
            span = default_data_range(image)
        except InputError:
            span = float(image.max()) - float(image.min())
        if not 0 < span < math.inf:
            raise InputError(
                "the reference has the same value everywhere, so that there is nothing to compare "
                "with; choose another image"
            )
        return cls(image, span)

    def psnr(self, image: NDArray[Any]) -> float:
        """The PSNR of an image of the same shape in dB.

        Raises
        ------
        InputError
            For images that cannot be compared.
        """
        height, width = image.shape[:2]
        n = math.ceil(math.sqrt(height * width / MAX_PIXELS))
        return psnr(image[::n, ::n], self.image[::n, ::n], self.data_range)


def decibels(psnr: float) -> str:
    """A PSNR with its unit."""
    return "∞ dB" if math.isinf(psnr) else f"{psnr:.2f} dB"


class PsnrMeter(QObject):
    """Measures images one after the other, apart from the window's thread.

    Its signal `measured` gives the reference, the iteration and the PSNR.
    """

    measured = Signal(object, int, float)

    def __init__(self) -> None:
        super().__init__()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="psnr")

    def ask(self, reference: Reference, iteration: int, image: NDArray[Any]) -> None:
        """Measure an image; the signal says when it is done, unless it cannot be compared."""
        self._thread.submit(self._measure, reference, iteration, image)

    def forget(self) -> None:
        """Drop what was asked and is not yet begun."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="psnr")

    def _measure(self, reference: Reference, iteration: int, image: NDArray[Any]) -> None:
        self.measured.emit(reference, iteration, reference.psnr(image))
