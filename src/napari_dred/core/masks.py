"""What a mask marks, and what to say of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_dred.core.errors import InputError

MOSTLY_MASKED = 0.6  # of the pixels: what a mask seldom marks, and its inverse often


def doubts_of_mask(share: float) -> list[str]:
    """What to say of a mask that marks this share of the pixels: a sentence, or nothing."""
    if share <= MOSTLY_MASKED:
        return []
    return [
        f"The mask marks {100 * share:.1f} % of the pixels as missing. If it marks those that are "
        "known instead, invert it."
    ]


def missing_of(samples: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell where a mask is not 0: there the image is missing.

    Raises
    ------
    InputError
        For samples that are no real numbers or booleans.
    """
    if samples.dtype.kind not in "buif":
        raise InputError(
            f"the mask's samples are {samples.dtype}; they must be real numbers or booleans"
        )
    if np.isnan(samples).any():
        raise InputError(
            "the mask has samples that are no number (NaN); 0 is known, any other missing"
        )
    return np.asarray(samples != 0)
