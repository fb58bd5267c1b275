"""The last result of something slow: given again for the same, and for nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dred.core.remembered import Remembered, digest


def test_the_last_one_is_kept_and_no_other() -> None:
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name

    last = Remembered[str]()
    for name in ("a", "a", "b", "b", "a"):
        assert last.get(name, lambda name=name: make(name)) == name  # type: ignore[misc]
    assert made == ["a", "b", "a"]


def test_what_failed_is_not_kept() -> None:
    last = Remembered[int]()

    def fail() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        last.get(0, fail)
    assert last.get(0, lambda: 1) == 1


def test_a_digest_tells_samples_shape_and_dtype_apart() -> None:
    a = np.arange(12, dtype=np.uint8).reshape(3, 4)
    other = a.copy()
    other[1, 2] = 99
    found = [digest(x) for x in (a, other, a.T, a.reshape(4, 3), a.view(np.int8), a > 3)]
    assert len(set(found)) == len(found)
    assert digest(np.asfortranarray(a)) == digest(np.repeat(a, 2, 1)[:, ::2]) == digest(a)
