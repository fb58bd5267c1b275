"""The axes of a stack by their letters (T, C, Z, Y, X, S for colour samples), and its planes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

from napari_dred.core.errors import InputError

#: Every axis that a stack may have, in the order in which OME-Zarr wants them.
LETTERS = "TCZYXS"
#: Those whose planes are restored one by one.
STACKED = "TCZ"


class Place(NamedTuple):
    """Where a plane lies in a stack; 0 on axes that the stack does not have."""

    t: int = 0
    c: int = 0
    z: int = 0

    def __str__(self) -> str:
        return f"T={self.t}, C={self.c}, Z={self.z}"


def checked_axes(axes: str, shape: tuple[int, ...], origin: str) -> str:
    """Check that letters name the axes of an array.

    Parameters
    ----------
    axes : str
        One letter an axis, such as 'TCZYX', in either case.
    shape : tuple of int
        That of the array.
    origin : str
        What the array comes from, for messages.

    Returns
    -------
    str
        In capitals.

    Raises
    ------
    InputError
    """
    letters = axes.upper()
    if unknown := sorted(set(letters) - set(LETTERS)):
        raise InputError(
            f"{origin}: the axes {letters} of the stack of shape {shape} have {unknown[0]!r} among "
            "them, which has no meaning here; name them with --axes, such as TYX, ZCYX or YXS "
            "(T time, C channel, Z depth, S colour samples)"
        )
    if len(letters) != len(shape):
        raise InputError(
            f"{origin}: the axes {letters} are {len(letters)}, and the shape {shape} has "
            f"{len(shape)}; give one letter for each"
        )
    if len(set(letters)) < len(letters) or not {"Y", "X"} <= set(letters):
        raise InputError(
            f"{origin}: the axes are {letters}; Y and X must be among them, and each only once"
        )
    if 0 in shape:
        raise InputError(f"{origin}: the image is empty, its shape is {shape}")
    if "S" in letters and not 1 <= (samples := shape[letters.index("S")]) <= 4:
        raise InputError(
            f"{origin}: {samples} colour samples a pixel (shape {shape}, axes {letters}) are not "
            "gray or RGB with or without alpha; if they are channels, name that axis C with --axes"
        )
    return letters


@dataclass(frozen=True)
class Selection:
    """Which planes of a stack are meant, by ranges on its axes.

    Attributes
    ----------
    ranges : mapping of 'T', 'C' or 'Z' to (start, stop)
        Half open; an axis that is not named is meant as a whole.
    """

    ranges: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def from_text(cls, text: str) -> Selection:
        """Read 'Z=3:10,C=1': on each axis a range (the last not included) or one plane.

        Raises
        ------
        InputError
            If it is something else.
        """
        ranges: dict[str, tuple[int, int]] = {}
        for part in text.split(","):
            found = re.fullmatch(r"\s*([TCZ])=(\d{1,9})(?::(\d{1,9}))?\s*", part, re.I | re.A)
            if found is None or found[1].upper() in ranges:
                raise InputError(
                    f"planes are {text!r}; they must be given like Z=3:10,C=1 (planes 3 to 9 of "
                    "channel 1, counted from 0), on the axes T, C and Z"
                )
            start = int(found[2])
            ranges[found[1].upper()] = (start, int(found[3]) if found[3] else start + 1)
        return cls(ranges)

    def checked(self, sizes: Mapping[str, int], origin: str) -> Selection:
        """Give the selection with a range for each of T, C and Z.

        Raises
        ------
        InputError
            If it reaches beyond the stack or is empty.
        """
        full = {}
        for axis in STACKED:
            size = sizes.get(axis, 1)
            start, stop = self.ranges.get(axis, (0, size))
            if not 0 <= start < stop <= size:
                raise InputError(
                    f"{origin}: there are {size} planes on axis {axis}, so that {start}:{stop} "
                    "is no range of them"
                )
            full[axis] = (start, stop)
        return Selection(full)

    def range(self, axis: str) -> range:
        """The places on an axis, of a checked selection."""
        return range(*self.ranges[axis])

    def size(self, axis: str) -> int:
        """How many places on an axis, of a checked selection."""
        return len(self.range(axis))

    def places(self, order: str = STACKED) -> Iterator[Place]:
        """Every plane, of a checked selection, the last axis of `order` the fastest."""
        for values in product(*(self.range(axis) for axis in order)):
            at = dict(zip(order, values, strict=True))
            yield Place(at["T"], at["C"], at["Z"])

    def within(self, place: Place) -> Place:
        """Where a plane of the stack lies in what is selected of it."""
        return Place(*(i - self.ranges[a][0] for a, i in zip(STACKED, place, strict=True)))


#: The only plane of a picture.
ONE = Selection(dict.fromkeys(STACKED, (0, 1)))
