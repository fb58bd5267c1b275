"""Blur kernels made from what is known of the optics: microscope, defocus, motion, Gaussian."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_dred.core.errors import InputError

LARGEST = 511  # pixels a side
AIRY_RADII = 6.0  # from the centre of a microscope's kernel to its border
FINE = 15  # parts of a pixel, along each side, that edges are drawn with


def microscope_psf(
    numerical_aperture: float,
    wavelength: float,
    pixel_size: float,
    refractive_index: float = 1.515,
    *,
    specimen_index: float | None = None,
    depth: float = 0.0,
    defocus: float = 0.0,
) -> NDArray[np.float64]:
    """One plane of a wide-field microscope's point-spread function (Gibson and Lanni, vectorial).

    Parameters
    ----------
    numerical_aperture : float
    wavelength : float
        Of the light that is detected, in nanometres.
    pixel_size : float
        Of the restored image, in micrometres.
    refractive_index : float
        Of the immersion.
    specimen_index : float, optional
        Of the specimen; that of the immersion, so that nothing aberrates, if left out.
    depth : float
        Of the point below the cover glass, in micrometres.
    defocus : float
        Distance of the plane from the focus, in micrometres.

    Returns
    -------
    (k, k) float64 array
        k is odd; the sum is 1.

    Raises
    ------
    InputError
        If a value makes no sense.
    """
    _positive("numerical_aperture", numerical_aperture)
    _positive("wavelength", wavelength)
    _positive("pixel_size", pixel_size)
    index = refractive_index if specimen_index is None else specimen_index
    if not 1 <= refractive_index <= 2 or not 1 <= index <= 2:
        raise InputError(
            f"the refractive indices are {refractive_index:g} and {index:g}; they lie between 1 "
            "(air) and 2, oil has 1.515 and water 1.33"
        )
    if numerical_aperture >= refractive_index:
        raise InputError(
            f"numerical_aperture is {numerical_aperture:g}; it must be below the refractive index "
            f"of the immersion, {refractive_index:g}"
        )
    if not 100 <= wavelength <= 3000:
        raise InputError(f"wavelength is {wavelength:g}; give it in nanometres, such as 520")
    if not math.isfinite(defocus) or not 0 <= depth < math.inf:
        raise InputError(f"defocus is {defocus:g} and depth {depth:g}, which is no place")
    import psfmodels

    microns = wavelength / 1000
    radius = AIRY_RADII * 0.61 * microns / numerical_aperture
    radius += abs(defocus) * math.tan(math.asin(numerical_aperture / refractive_index))
    psf: Any = psfmodels.make_psf(
        [defocus],
        nx=_odd(2 * radius / pixel_size),
        dxy=pixel_size,
        NA=numerical_aperture,
        wvl=microns,
        ns=index,
        ni=refractive_index,
        ni0=refractive_index,
        pz=depth,
        model="vectorial",
    )
    return _normalised(np.asarray(psf, np.float64)[0])


def gaussian_psf(sigma: float, pixel_size: float = 1.0) -> NDArray[np.float64]:
    """A Gaussian of which sigma is given in the unit of the pixel size.

    Raises
    ------
    InputError
        If a value makes no sense.
    """
    _positive("sigma", sigma)
    _positive("pixel_size", pixel_size)
    pixels = sigma / pixel_size
    n = _odd(8 * pixels)
    at = np.arange(n) - n // 2
    line = np.exp(-(at**2) / (2 * pixels**2))
    return _normalised(np.outer(line, line))


def defocus_psf(radius: float) -> NDArray[np.float64]:
    """The disc of a lens out of focus, of geometrical optics, with its radius in pixels.

    Raises
    ------
    InputError
        If the radius is not above 0.
    """
    _positive("radius", radius)
    n = _odd(2 * radius + 1)
    at = (np.arange(n * FINE) - (n * FINE - 1) / 2) / FINE
    inside = at[:, None] ** 2 + at**2 <= radius**2
    return _normalised(inside.reshape(n, FINE, n, FINE).mean(axis=(1, 3)))


def motion_psf(length: float, angle: float) -> NDArray[np.float64]:
    """A straight, even motion.

    Parameters
    ----------
    length : float
        In pixels.
    angle : float
        In degrees, from the right towards the top of the image.

    Raises
    ------
    InputError
        If a value makes no sense.
    """
    _positive("length", length)
    if not math.isfinite(angle):
        raise InputError(f"angle is {angle:g}; it must be a number of degrees")
    n = _odd(length + 2)
    steps = np.linspace(-0.5, 0.5, FINE * n) * length
    turn = math.radians(angle)
    rows, columns = n // 2 - steps * math.sin(turn), n // 2 + steps * math.cos(turn)
    kernel = np.zeros((n, n))
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = rows - top, columns - left
    for i, row_share in ((0, 1 - down), (1, down)):
        for j, column_share in ((0, 1 - right), (1, right)):
            share = row_share * column_share
            there = share > 0
            np.add.at(kernel, (top[there] + i, left[there] + j), share[there])
    return _normalised(kernel)


def _positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise InputError(f"{name} is {value:g}; it must be a number above 0")


def _odd(pixels: float) -> int:
    """The next odd number of pixels; a kernel has its centre in the middle of one."""
    if pixels > LARGEST:
        raise InputError(
            f"the blur reaches over {pixels:.0f} pixels, and at most {LARGEST} are computed; "
            "check the units: wavelength in nanometres, lengths in micrometres"
        )
    return max(3, 2 * math.ceil((pixels - 1) / 2) + 1)


def _normalised(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    made: NDArray[np.float64] = kernel / kernel.sum()
    return made
