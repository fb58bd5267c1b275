"""Impulse noise: which samples hot and dead pixels, salt or pepper have replaced."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_dred.core.control import Check, go_on
from napari_dred.core.crops import CROP, crops
from napari_dred.core.noise import fill_nearest, unbounded_level

# A sample at an end of the range is an impulse if it stands out from the median around it by so
# many standard deviations of the other noise, and by this part of the range.
STANDS_OUT_SIGMAS = 4.0
STANDS_OUT = 0.03
STANDS_OUT_THEN = 0.01  # where others at that end are known to be impulses
BEYOND = 0.5  # of the range, between it and what the image shows: then that is no tail
ROUNDS = 3
NEIGHBOURHOOD = 5
STRIP = 256  # rows between two looks at whether to go on
# Impulses fall independently. Bright or dark structures one sample wide stand out as well, but
# beside each other: so much more often than by chance and there are no impulses.
MAX_CLUSTERING = 1.6
FEW_PAIRS, ENOUGH_PAIRS = 4, 20
# Unless there are impulses apart from structures: groups of more than `PIECE` samples that
# stand out by the part `REACH` of what an impulse does; what lies more than `FAR` samples away is
# apart. That must be at least the part `APART` of where impulses would stand out. They must be a
# share of at most `FEW` there, as many make such groups; `MORE` times as many as the samples that
# nearly reach the end (the part `NEARLY`), as the tail of strong noise does; and spread: in the
# middle one of its blocks, their share must be at least the part `SPREAD` of the mean. Those within
# `NEAR` samples of a structure may be a part of it.
PIECE, REACH, FAR, NEAR, APART, SPREAD = 3, 0.5, 8, 2, 0.5, 0.5
FEW, MORE, NEARLY = 0.03, 2, 0.75
MOST_BLOCKS, IN_A_BLOCK = 8, 4  # blocks a side; impulses in one on average
# Or unless there are many, though not most, and the share of them with no neighbour at all is at
# least this part of what it would be by chance: then there are impulses, and a few structures. In
# photographs without impulses it is 0.1 to 0.6.
MANY, TOO_MANY, ALONE = 0.01, 0.3, 0.85
MIN_FRACTION, MIN_COUNT = 0.002, 16  # fewer may be what the image shows


def find_impulses(
    image: NDArray[np.floating],
    observed: NDArray[np.bool_],
    *,
    everywhere: bool = False,
    check: Check = go_on,
) -> NDArray[np.bool_]:
    """Find the samples that salt or pepper noise (hot and dead pixels) has replaced.

    They lie at an end of the range, stand out from their surroundings, and are
    scattered. A saturated area, a bright line or a printed letter is none.

    Parameters
    ----------
    image : (C, H, W) float array
    observed : (C, H, W) bool array
        At least one True a channel.
    everywhere : bool
        Whether all of a large image is searched, whatever its crops show.
    check : callable, optional
        Called now and then; may raise to leave.

    Returns
    -------
    (C, H, W) bool array
        All False if there are none, or fewer than one sample in 500 or 16 in all; of an image
        longer than 2048 pixels, also if no part of 1024 x 1024 in its corners and middle has any,
        unless `everywhere`.
    """
    seen = image[observed]
    low, high = float(seen.min()), float(seen.max())
    span = high - low
    at_end = observed & ((image <= low) | (image >= high))
    none = np.zeros(image.shape, bool)
    if span == 0 or at_end.sum() < MIN_FRACTION * seen.size:
        return none
    rest = observed & ~at_end
    if not rest.any(axis=(1, 2)).all():
        return none
    inner = seen[(seen > low) & (seen < high)]
    ends = []
    for bright in (True, False):
        end = image >= high if bright else image <= low
        beside = inner.max() if bright else inner.min()
        # Else it is the tail of what the image shows.
        far = abs((high if bright else low) - beside) > BEYOND * span
        if far or np.count_nonzero(end & observed) > np.count_nonzero(inner == beside):
            ends.append((bright, end))
    if not ends or (not everywhere and _none_in_crops(image, observed, check)):
        return none
    # Impulses stand out from fine texture too.
    sigma = unbounded_level(image.astype(np.float64), rest, check=check)
    around = _medians(image, observed, check)

    def to_end(bright: bool) -> NDArray[np.floating]:
        return high - around if bright else around - low

    def stand_out(bright: bool, by: float) -> NDArray[np.bool_]:
        out: NDArray[np.bool_] = to_end(bright) > max(STANDS_OUT_SIGMAS * sigma, by * span)
        return observed & out

    found, struck = none.copy(), []
    for bright, end in ends:
        check()
        could = stand_out(bright, STANDS_OUT)
        if not _scattered(could & end, could):
            part = np.zeros(image.shape)
            np.divide(abs(image - around), to_end(bright), out=part, where=could)
            if _few_apart(end, could, part):
                could &= _apart(part > REACH, NEAR)
                end = end & could
            elif not _among_structures(could & end, could):
                continue
        found |= could & end
        struck.append((bright, end))
    if not struck:
        return none
    for _ in range(ROUNDS):
        # Without those found so far, which hide others where they lie close together.
        around = _medians(image, observed & ~found, check)
        more = none.copy()
        for bright, end in struck:
            more |= end & ~found & stand_out(bright, STANDS_OUT_THEN)
        if not more.any():
            break
        found |= more
    return found


def _none_in_crops(image: NDArray[np.floating], observed: NDArray[np.bool_], check: Check) -> bool:
    """Whether no crop of a large image has impulses: then the search of all of it is spared."""
    if max(image.shape[1:]) <= 2 * CROP:
        return False
    told = False
    for top, bottom, left, right in dict.fromkeys(crops(image[0].shape)):
        part = np.s_[:, top:bottom, left:right]
        seen = image[part][observed[part]]
        if not seen.size or np.ptp(seen) == 0:
            continue  # it is masked, or padding
        told = True
        if find_impulses(image[part], observed[part], check=check).any():
            return False
    return told


def _medians(
    image: NDArray[np.floating], observed: NDArray[np.bool_], check: Check
) -> NDArray[np.floating]:
    """Medians around each sample of a (C, H, W) array, from the observed ones."""
    medians = np.empty_like(image)
    for channel, seen, out in zip(image, observed, medians, strict=True):
        check()
        filled = fill_nearest(channel, seen)
        for top in range(0, len(filled), STRIP):  # it takes long
            check()
            before = max(0, top - NEIGHBOURHOOD)
            part = filled[before : top + STRIP + NEIGHBOURHOOD]
            found = ndimage.median_filter(part, NEIGHBOURHOOD, mode="mirror")
            out[top : top + STRIP] = found[top - before : top - before + STRIP]
    return medians


def _scattered(out: NDArray[np.bool_], could: NDArray[np.bool_]) -> bool:
    """Whether there are enough, side by side hardly more often than chance would have it."""
    fraction = out.sum() / max(1, could.sum())
    if fraction < MIN_FRACTION or out.sum() < MIN_COUNT:
        return False
    by_chance, pairs = fraction**2 * _pairs(could), _pairs(out)
    return pairs <= MAX_CLUSTERING * by_chance + FEW_PAIRS and not _regular(pairs, by_chance)


def _among_structures(out: NDArray[np.bool_], could: NDArray[np.bool_]) -> bool:
    """Whether there are many, and about as many without a neighbour as chance would have it."""
    fraction = out.sum() / max(1, could.sum())
    if not MANY < fraction < TOO_MANY or _regular(_pairs(out), fraction**2 * _pairs(could)):
        return False
    around = ndimage.convolve(out.astype(np.uint8), np.ones((1, 3, 3), np.uint8), mode="constant")
    alone = (out & (around == 1)).sum() / out.sum()
    return bool(alone > ALONE * (1 - fraction) ** 8)  # none of eight neighbours


def _apart(stands_out: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """Where no structure is so near: no group of more samples that stand out than impulses make."""
    near = []
    for plane in stands_out:
        groups, _ = ndimage.label(plane, np.ones((3, 3)))
        large = np.bincount(groups.ravel()) > PIECE
        large[0] = False
        near.append(ndimage.maximum_filter(large[groups], 2 * distance + 1))
    return ~np.stack(near)


def _few_apart(
    end: NDArray[np.bool_], could: NDArray[np.bool_], part: NDArray[np.floating]
) -> bool:
    """Whether there are few, apart from structures.

    Samples stand out by `part` of what an impulse does.
    """
    apart = could & _apart(part > REACH, FAR)
    out, nearly = apart & end, apart & ~end & (part > NEARLY)
    return bool(
        apart.sum() >= APART * could.sum()
        and MORE * nearly.sum() < out.sum() <= FEW * apart.sum()
        and _scattered(out, apart)
        and _spread_alike(out, apart)
    )


def _spread_alike(out: NDArray[np.bool_], could: NDArray[np.bool_]) -> bool:
    """Whether they are all over the image, as noise is, and not in some places."""
    blocks = int(np.clip(np.sqrt(out.sum() / IN_A_BLOCK), 2, MOST_BLOCKS))

    def counts(a: NDArray[np.bool_]) -> NDArray[np.int_]:
        rows = np.array_split(a.sum(0), blocks, axis=0)
        return np.array([[b.sum() for b in np.array_split(r, blocks, axis=1)] for r in rows])

    hits, places = counts(out), counts(could)
    enough = places > places.mean() / 2
    rate = np.median(hits[enough] / places[enough])
    return bool(rate >= SPREAD * out.sum() / could.sum())


def _regular(pairs: float, by_chance: float) -> bool:
    """Whether neighbours are avoided, as in a grid or a dither."""
    return by_chance > ENOUGH_PAIRS and pairs < by_chance / MAX_CLUSTERING


def _pairs(a: NDArray[np.bool_]) -> int:
    """How often two neighbours, in a row or a column, are both True."""
    return int((a[:, :-1] & a[:, 1:]).sum() + (a[:, :, :-1] & a[:, :, 1:]).sum())
