"""Tiles of a large plane: where they lie, how they are blended, and how large they may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.io.stack import LARGE
from napari_dred.volumes.regions import MARGIN, Region, reach

#: Pixels that neighbouring tiles share: half of it is blended, a quarter on each side is not used.
OVERLAP = 2 * MARGIN
#: No tile has a longer side: larger ones are not restored better.
LONGEST = LARGE
SHORTEST = 128
PART_OF_MEMORY = 0.5  # of what is free, for one tile


@dataclass(frozen=True)
class Span:
    """The tiles along one axis.

    Attributes
    ----------
    length : int
        Of the axis.
    starts : tuple of int
    side : int
        Of each tile.
    """

    length: int
    starts: tuple[int, ...]
    side: int

    @classmethod
    def of(cls, length: int, longest: int, overlap: int) -> Span:
        """Spread as few tiles as cover the axis evenly over it."""
        if length <= longest:
            return cls(length, (0,), length)
        n = math.ceil((length - overlap) / (longest - overlap))
        side = min(length, math.ceil((length + (n - 1) * overlap) / n))
        return cls(length, tuple(round(i * (length - side) / (n - 1)) for i in range(n)), side)

    def weights(self, i: int, factor: int = 1) -> NDArray[np.float64]:
        """How much tile i counts in each of its samples; over all tiles they sum to 1.

        A tile's weight rises smoothly where the one before it falls, in the middle half of what
        the two share; next to its own border it is 0.
        """
        at = self.starts[i] * factor + np.arange(self.side * factor, dtype=np.float64) + 0.5
        return self._rise(i, at, factor) - self._rise(i + 1, at, factor)

    def _rise(self, i: int, at: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
        if i == 0:
            return np.ones(at.shape)
        if i == len(self.starts):
            return np.zeros(at.shape)
        begin, end = self.starts[i] * factor, (self.starts[i - 1] + self.side) * factor
        part = np.clip((at - (begin + end) / 2) / ((end - begin) / 2) + 0.5, 0, 1)
        return (1 - np.cos(np.pi * part)) / 2


@dataclass(frozen=True)
class Grid:
    """The tiles of a plane.

    Attributes
    ----------
    rows, columns : Span
    """

    rows: Span
    columns: Span

    @classmethod
    def of(cls, shape: tuple[int, int], longest: int, overlap: int = OVERLAP) -> Grid:
        """Cover a plane with tiles that are not longer than so many pixels a side."""
        height, width = (Span.of(n, longest, overlap) for n in shape)
        return cls(height, width)

    @property
    def tiles(self) -> tuple[Region, ...]:
        """Every tile, row by row."""
        side = self.rows.side, self.columns.side
        return tuple(
            Region(top, top + side[0], left, left + side[1])
            for top in self.rows.starts
            for left in self.columns.starts
        )

    def weights(self, number: int, factor: int = 1) -> NDArray[np.float64]:
        """How much a tile counts in each of its (enlarged) pixels, (h, w)."""
        i, j = divmod(number, len(self.columns.starts))
        return np.outer(self.rows.weights(i, factor), self.columns.weights(j, factor))


def tiling(
    shape: tuple[int, int],
    longest: int,
    p: Parameters,
    psf: ArrayLike | None,
    *,
    in_parts: bool = False,
) -> Grid:
    """The tiles in which a plane is restored.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the plane.
    longest : int
        Pixels a side that a tile has at most, unless a blur reaches farther.
    p : Parameters
    psf : 2-D array or None
    in_parts : bool
        Whether parts of it are restored, however few the tiles.

    Raises
    ------
    InputError
        If a blur goes on in a circle, which it does of a whole plane only.
    """
    overlap = max(OVERLAP, 2 * reach(p, psf))
    grid = Grid.of(shape, max(longest, 2 * overlap), overlap)
    if (
        (in_parts or len(grid.tiles) > 1)
        and p.boundary == "circular"
        and (p.blur_sigma or psf is not None)
    ):
        raise InputError(
            "boundary is 'circular', which holds for a whole plane only, and this one is "
            "restored in parts; choose another boundary"
        )
    return grid


def blend(
    grid: Grid,
    block: Region,
    read: Callable[[int, tuple[slice, slice]], NDArray[Any]],
    samples: tuple[int, ...] = (),
    factor: int = 1,
    lost: Collection[int] = (),
) -> NDArray[np.float64]:
    """Put a rectangle of the plane together from the tiles that lie on it.

    Parameters
    ----------
    grid : Grid
    block : Region
        In pixels of the (enlarged) plane.
    read : callable
        Gives a rectangle of a restored tile by the tile's number.
    samples : tuple of int
        (C,) for colour.
    factor : int
        Restored pixels along each side for one of the grid's.
    lost : collection of int
        Numbers of tiles that count only where no other does.

    Returns
    -------
    (h, w) or (h, w, C) float64 array
    """
    if lost:
        good = [n for n in range(len(grid.tiles)) if n not in lost]
        (made, counts), (rest, _) = (
            _sum(grid, block, read, samples, factor, n) for n in (good, lost)
        )
        return np.where(counts > 0, made / np.where(counts > 0, counts, 1), rest)
    return _sum(grid, block, read, samples, factor, range(len(grid.tiles)))[0]


def _sum(
    grid: Grid,
    block: Region,
    read: Callable[[int, tuple[slice, slice]], NDArray[Any]],
    samples: tuple[int, ...],
    factor: int,
    numbers: Iterable[int],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The weighted sum of some tiles, and how much they count together."""
    total = np.zeros((*block.shape, *samples))
    counted = np.zeros((*block.shape, *(1 for _ in samples)))
    for number in numbers:
        tile = grid.tiles[number]
        top, left = tile.top * factor, tile.left * factor
        bottom, right = tile.bottom * factor, tile.right * factor
        rows = slice(max(block.top, top), min(block.bottom, bottom))
        columns = slice(max(block.left, left), min(block.right, right))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        inside = (
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )
        weights = grid.weights(number, factor)[inside]
        if not weights.any():
            continue
        place = (
            slice(rows.start - block.top, rows.stop - block.top),
            slice(columns.start - block.left, columns.stop - block.left),
        )
        part = read(number, inside)
        # Where a tile counts for nothing, what it is there (not a number, say) does not matter.
        counts = weights[..., None] if samples else weights
        total[place] += np.multiply(part, counts, out=np.zeros(part.shape), where=counts > 0)
        counted[place] += counts
    return total, counted


def regions_around(mask: NDArray[np.bool_], margin: int = MARGIN) -> tuple[Region, ...]:
    """Rectangles around the marked pixels, with a margin, that do not touch each other.

    Parameters
    ----------
    mask : (H, W) bool array
    margin : int
        Pixels around what is marked.
    """
    coarse = _any_in_squares(mask, margin)
    labels, _ = ndimage.label(coarse, np.ones((3, 3)))
    found = [
        Region(
            rows.start * margin, rows.stop * margin, columns.start * margin, columns.stop * margin
        )
        for rows, columns in ndimage.find_objects(labels)
    ]
    return _apart([r.grown(margin).clipped(*mask.shape) for r in found])


def _any_in_squares(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    rows, columns = (np.arange(0, n, side) for n in mask.shape)
    by_rows = np.logical_or.reduceat(mask, rows, axis=0)
    squares: NDArray[np.bool_] = np.logical_or.reduceat(by_rows, columns, axis=1)
    return squares


def _apart(regions: Sequence[Region]) -> tuple[Region, ...]:
    """The rectangles, those that overlap joined."""
    left = list(regions)
    done: list[Region] = []
    while left:
        region = left.pop()
        near = [r for r in (*left, *done) if _overlap(r, region)]
        if not near:
            done.append(region)
            continue
        left = [r for r in left if r not in near]
        done = [r for r in done if r not in near]
        near.append(region)
        left.append(
            Region(
                min(r.top for r in near),
                max(r.bottom for r in near),
                min(r.left for r in near),
                max(r.right for r in near),
            )
        )
    return tuple(sorted(done, key=lambda r: (r.top, r.left)))


def _overlap(a: Region, b: Region) -> bool:
    return a.top < b.bottom and b.top < a.bottom and a.left < b.right and b.left < a.right


def longest_side(memory_of: Callable[[int], int], free: int) -> int:
    """The longest side that a tile may have.

    Parameters
    ----------
    memory_of : callable
        Bytes that a square tile of a side takes.
    free : int
        Bytes that there are.
    """
    sides = range(LONGEST, SHORTEST, -64)
    return next((s for s in sides if memory_of(s) <= PART_OF_MEMORY * free), SHORTEST)
