"""How large a pixel is, in whichever unit a file says it."""

from __future__ import annotations

import math
from dataclasses import dataclass

_CENTIMETRES = {
    "angstrom": 1e-8,
    "nm": 1e-7,
    "um": 1e-4,
    "mm": 0.1,
    "cm": 1.0,
    "inch": 2.54,
    "m": 100.0,
}
_SPELLINGS = {
    "\N{MICRO SIGN}m": "um",
    "\N{GREEK SMALL LETTER MU}m": "um",
    "\\u00B5m": "um",  # as ImageJ escapes it
    "micron": "um",
    "microns": "um",
    "in": "inch",
    "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}": "angstrom",
    "\N{ANGSTROM SIGN}": "angstrom",
}


@dataclass(frozen=True)
class Resolution:
    """How large a pixel is.

    Attributes
    ----------
    x, y : float
        Pixels per unit along the columns and along the rows.
    unit : str
        'inch', 'cm', another name of a length ('um', 'nm', ...), or 'none'
        where only the ratio of the two means something.
    """

    x: float
    y: float
    unit: str

    @classmethod
    def of(cls, x: float, y: float, unit: str) -> Resolution | None:
        """Take what a file says, None where it says nothing; a unit's spellings become one."""
        x, y, unit = float(x), float(y), _SPELLINGS.get(unit.strip(), unit.strip())
        if not (0 < x < math.inf and 0 < y < math.inf) or (unit == "none" and x == y == 1):
            return None
        return cls(x, y, unit)

    def turned(self, orientation: int) -> Resolution:
        """Give the resolution of the image turned upright from a TIFF or EXIF orientation."""
        sideways = orientation in (5, 6, 7, 8)
        return Resolution(self.y, self.x, self.unit) if sideways else self

    def scaled(self, factor: float) -> Resolution:
        """Give the resolution of the same scene with `factor` times the pixels a side."""
        return Resolution(self.x * factor, self.y * factor, self.unit)

    def per_centimetre(self) -> tuple[float, float] | None:
        """Pixels per centimetre along x and y, None where the unit is no known length."""
        size = _CENTIMETRES.get(self.unit)
        return None if size is None else (self.x / size, self.y / size)
