"""Words for people, the same in the window and on the command line."""

from __future__ import annotations

from collections.abc import Sequence


def duration(seconds: float) -> str:
    """Say a time: '2.4 s', '38 s', '1 min 05 s', '2 h 03 min'."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def memory(size: int) -> str:
    """Say how much memory `size` bytes are: '12 MiB', '1.3 GiB', '120 GiB'."""
    if size < 2**30:
        return f"{size / 2**20:,.0f} MiB"
    return f"{size / 2**30:,.{1 if size < 100 * 2**30 else 0}f} GiB"


def plural(count: int, noun: str) -> str:
    """Say how many there are: '1 pixel', '1,000 pixels'."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def part(count: int, total: int, noun: str) -> str:
    """Say how many of all: '1,200 pixels (12.0 %)'."""
    share = 100 * count / total if total else 0.0
    percent = "less than 0.1 %" if 0 < share < 0.05 else f"{share:.1f} %"
    return f"{plural(count, noun)} ({percent})"


def sentence(text: str) -> str:
    """Give a message its capital letter and its full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def times(size: Sequence[int]) -> str:
    """Say a size: '512 x 640'."""
    return " x ".join(map(str, size))
