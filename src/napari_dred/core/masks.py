"""What to say of a mask."""

from __future__ import annotations

MOSTLY_MASKED = 0.6  # of the pixels: what a mask seldom marks, and its inverse often


def doubts_of_mask(share: float) -> list[str]:
    """What to say of a mask that marks this share of the pixels: a sentence, or nothing."""
    if share <= MOSTLY_MASKED:
        return []
    return [
        f"The mask marks {100 * share:.1f} % of the pixels as missing. If it marks those that are "
        "known instead, invert it."
    ]
