"""The last results of something slow, for whoever asks for the same again."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Remembered(Generic[T]):
    """Makes things, and keeps the last few that were asked for; for any thread.

    Parameters
    ----------
    most : int
        How many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[Hashable, T] = {}  # the one that was asked for last is the last
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Give the thing that was made for this key, or make it."""
        with self._lock:
            if key in self._kept:
                thing = self._kept[key] = self._kept.pop(key)
                return thing
        thing = make()
        with self._lock:
            self._kept[key] = thing
            if len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return thing

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._kept.clear()


def digest(array: NDArray[Any]) -> tuple[Hashable, ...]:
    """What tells an array from any other: its shape, its dtype and a hash of its samples."""
    content = np.ascontiguousarray(array)
    return array.shape, array.dtype.str, hashlib.blake2b(content.data, digest_size=16).digest()
