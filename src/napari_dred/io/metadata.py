"""What a file says beside its samples: pixel sizes, units, channels; and what only its kind has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from napari_dred.io.axes import Selection

# OME-XML's symbols, and OME-Zarr's names for the same units.
UNIT_NAMES = {
    **{"\N{ANGSTROM SIGN}": "angstrom", "pm": "picometer", "nm": "nanometer"},
    **{"\N{MICRO SIGN}m": "micrometer", "mm": "millimeter", "cm": "centimeter", "m": "meter"},
    **{"in": "inch", "ns": "nanosecond", "\N{MICRO SIGN}s": "microsecond", "ms": "millisecond"},
    **{"s": "second", "min": "minute", "h": "hour", "d": "day"},
}
UNIT_SYMBOLS = {name: symbol for symbol, name in UNIT_NAMES.items()}
_OTHER_SYMBOLS = {
    **{"um": "\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m": "\N{MICRO SIGN}m"},
    **{"micron": "\N{MICRO SIGN}m", "microns": "\N{MICRO SIGN}m", "\\u00B5m": "\N{MICRO SIGN}m"},
    **{"sec": "s", "seconds": "s", "inch": "in", "angstrom": "\N{ANGSTROM SIGN}"},
}


def unit_symbol(unit: str) -> str:
    """Give the symbol that OME-XML has for a unit, however it is spelled."""
    unit = unit.strip()
    return _OTHER_SYMBOLS.get(unit) or UNIT_SYMBOLS.get(unit) or unit


_MICROMETRES = {
    **{"pm": 1e-6, "\N{ANGSTROM SIGN}": 1e-4, "nm": 1e-3, "\N{MICRO SIGN}m": 1.0},
    **{"mm": 1e3, "cm": 1e4, "in": 25400.0, "m": 1e6},
}


def micrometres(size: tuple[float, str] | None) -> float | None:
    """Give a size in micrometres; None where its unit is no known length."""
    if size is None or size[1] not in _MICROMETRES:
        return None
    return size[0] * _MICROMETRES[size[1]]


@dataclass(frozen=True)
class Channel:
    """One channel.

    Attributes
    ----------
    name : str
    color : str
        As 'RRGGBB' in hexadecimal digits; '' where the file names none.
    """

    name: str = ""
    color: str = ""


@dataclass(frozen=True)
class Metadata:
    """What lies beside the samples of a stack.

    Attributes
    ----------
    sizes : mapping of axis to (float, str)
        The distance of two samples on T, Z, Y or X, and its unit ('µm', 's'); '' for none.
    origin : mapping of axis to float
        Where the middle of the first sample on T, Z, Y or X lies, in that unit; 0 where not named.
    channels : tuple of Channel
        One for each channel, or none.
    ome_xml : str
        The whole of an OME-TIFF's.
    imagej : mapping
        The whole of an ImageJ TIFF's.
    ome_zarr : mapping
        The attributes of an OME-Zarr image that OME does not define, and its 'omero'.
    icc_profile : bytes or None
    name : str
        Of the image.
    """

    sizes: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    origin: Mapping[str, float] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    ome_xml: str = field(default="", repr=False)
    imagej: Mapping[str, Any] = field(default_factory=dict, repr=False)
    ome_zarr: Mapping[str, Any] = field(default_factory=dict, repr=False)
    icc_profile: bytes | None = field(default=None, repr=False)
    name: str = ""

    def part(self, selection: Selection, factor: int = 1) -> Metadata:
        """Give what holds for some of the planes, enlarged by a factor."""
        sizes = {
            axis: (size / factor if axis in "YX" else size, unit)
            for axis, (size, unit) in self.sizes.items()
        }
        origin = {}
        for axis in "TZYX":
            size = self.sizes.get(axis, (1.0, ""))[0]
            # The middle of the first of `factor` pixels in one.
            ahead = (1 / factor - 1) / 2 if axis in "YX" else selection.range(axis)[0]
            if at := self.origin.get(axis, 0.0) + size * ahead:
                origin[axis] = at
        chosen = selection.range("C")
        channels = tuple(c for i, c in enumerate(self.channels) if i in chosen)
        return dataclasses.replace(
            self,
            sizes=sizes,
            origin=origin,
            channels=channels,
            ome_zarr=_of_channels(self.ome_zarr, chosen),
        )


def _of_channels(attributes: Mapping[str, Any], chosen: range) -> Mapping[str, Any]:
    """The attributes with an 'omero' of these channels; without one if it lacks any of them."""
    omero = attributes.get("omero")
    if omero is None:
        return attributes
    listed = omero.get("channels") if isinstance(omero, dict) else None
    others = {key: value for key, value in attributes.items() if key != "omero"}
    if not isinstance(listed, list) or len(listed) < chosen.stop:
        return others
    return {**others, "omero": {**omero, "channels": [listed[c] for c in chosen]}}
