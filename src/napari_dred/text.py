"""Words for people, the same in the window and on the command line."""

from __future__ import annotations


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


def plural(count: int, noun: str) -> str:
    """Say how many there are: '1 pixel', '1,000 pixels'."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def sentence(text: str) -> str:
    """Give a message its capital letter and its full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
