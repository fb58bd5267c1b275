"""Images of a run as it went: few enough to keep, spread evenly over it. No widget, no layer."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

#: What is kept at most.
MAX_COUNT, MAX_BYTES = 32, 256 * 2**20


@dataclass(frozen=True)
class Snapshot:
    """The image of one iteration, in the input's sample values."""

    iteration: int
    image: NDArray[Any] = field(repr=False, compare=False)


class Snapshots:
    """The images kept of one run, in the order of their iterations.

    When it is full, that image goes whose neighbours lie closest together; the first and the
    newest stay. The newest is kept whatever its size, as the window shows it anyway.

    Parameters
    ----------
    max_count, max_bytes : int
        What is kept at most.
    """

    def __init__(self, max_count: int = MAX_COUNT, max_bytes: int = MAX_BYTES) -> None:
        self._max_count, self._max_bytes = max_count, max_bytes
        self._kept: list[Snapshot] = []

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> Snapshot:
        return self._kept[index]

    def __iter__(self) -> Iterator[Snapshot]:
        return iter(self._kept)

    @property
    def nbytes(self) -> int:
        """Memory that the images take."""
        return sum(snapshot.image.nbytes for snapshot in self._kept)

    def add(self, iteration: int, image: NDArray[Any]) -> None:
        """Keep an image, which nobody may change from now on.

        Parameters
        ----------
        iteration : int
            Above all those before.
        image : array
        """
        self._kept.append(Snapshot(iteration, image))
        while len(self._kept) > 1 and (
            len(self._kept) > self._max_count or self.nbytes > self._max_bytes
        ):
            del self._kept[self._most_crowded()]

    def nearest(self, iteration: int) -> int:
        """Index of the image whose iteration is closest; there must be one."""
        iterations = [snapshot.iteration for snapshot in self._kept]
        at = min(bisect_left(iterations, iteration), len(iterations) - 1)
        before = max(at - 1, 0)
        return before if iteration - iterations[before] < iterations[at] - iteration else at

    def clear(self) -> None:
        """Let go of all images."""
        self._kept.clear()

    def _most_crowded(self) -> int:
        inner = range(1, len(self._kept) - 1)
        return min(
            inner,
            key=lambda i: self._kept[i + 1].iteration - self._kept[i - 1].iteration,
            default=0,
        )
