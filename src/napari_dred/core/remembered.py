"""The last result of something slow, for whoever asks for the same again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Remembered(Generic[T]):
    """Makes things, and keeps the last one and what it was made from; for any thread."""

    def __init__(self) -> None:
        self._last: tuple[Hashable, T] | None = None

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Give the last thing if it has this key, else make it."""
        last = self._last
        if last is None or last[0] != key:
            last = self._last = (key, make())
        return last[1]


def digest(array: NDArray[Any]) -> tuple[Hashable, ...]:
    """What tells an array from any other: its shape, its dtype and a hash of its samples."""
    content = np.ascontiguousarray(array)
    return array.shape, array.dtype.str, hashlib.blake2b(content.data, digest_size=16).digest()
