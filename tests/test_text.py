"""Words for people."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dred.text import duration, memory, part, plural, sentence

UNITS = {"s": 1, "min": 60, "h": 3600}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (2.44, "2.4 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.7, "1 min 00 s"),
        (65, "1 min 05 s"),
        (3599.9, "1 h 00 min"),
        (7380, "2 h 03 min"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@given(st.floats(0, 1e6))
def test_a_duration_is_near_what_it_says(seconds: float) -> None:
    parts = re.findall(r"([\d.]+) (s|min|h)", duration(seconds))
    said = sum(float(number) * UNITS[unit] for number, unit in parts)
    assert said == pytest.approx(seconds, rel=0.05, abs=0.06)
    assert all(float(number) < 60 for number, unit in parts if unit != "h")


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 MiB"),
        (3 * 2**20, "3 MiB"),
        (2**30, "1.0 GiB"),
        (99 * 2**30, "99.0 GiB"),
        (120 * 2**30, "120 GiB"),
        (2**62, "4,294,967,296 GiB"),
    ],
)
def test_memory(size: int, said: str) -> None:
    assert memory(size) == said


def test_plurals() -> None:
    assert [plural(n, "pixel") for n in (0, 1, 1000)] == ["0 pixels", "1 pixel", "1,000 pixels"]


def test_sentences() -> None:
    assert sentence("it broke") == sentence("It broke.") == "It broke."


@pytest.mark.parametrize(
    ("count", "total", "said"),
    [
        (1200, 10_000, "1,200 pixels (12.0 %)"),
        (1, 10_000, "1 pixel (less than 0.1 %)"),
        (0, 10_000, "0 pixels (0.0 %)"),
        (0, 0, "0 pixels (0.0 %)"),
    ],
)
def test_a_part_of_all(count: int, total: int, said: str) -> None:
    assert part(count, total, "pixel") == said
