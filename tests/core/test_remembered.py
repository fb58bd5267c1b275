"""The last results of something slow: given again for the same, and for nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dred.core.remembered import Remembered, digest


def test_the_last_few_are_kept_and_no_other() -> None:
    made: list[str] = []

    def ask(name: str) -> None:
        def make() -> str:
            made.append(name)
            return name.upper()

        assert kept.get(name, make) == name.upper()

    kept = Remembered[str](2)
    for name in "abacbab":
        ask(name)
    assert "".join(made) == "abcba"
    kept.clear()
    ask("b")
    assert made[-1] == "b"
    assert len(made) == 6


def test_what_failed_is_not_kept() -> None:
    kept = Remembered[int | None](1)

    def fail() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        kept.get(0, fail)
    assert kept.get(0, lambda: None) is None
    assert kept.get(0, fail) is None


def test_a_digest_tells_samples_shape_and_dtype_apart() -> None:
    a = np.arange(12, dtype=np.uint8).reshape(3, 4)
    other = a.copy()
    other[1, 2] = 99
    found = [digest(x) for x in (a, other, a.T, a.reshape(4, 3), a.view(np.int8), a > 3)]
    assert len(set(found)) == len(found)
    assert digest(np.asfortranarray(a)) == digest(np.repeat(a, 2, 1)[:, ::2]) == digest(a)
