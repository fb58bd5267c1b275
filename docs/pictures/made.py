"""Made images of cells with known damage, for what scikit-image's pictures do not show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_dred.samples import Sample

SIDE = 256
OFFSET, GAIN, READ_NOISE = 100.0, 25.0, 12.0  # of the camera, in its sample values


def noisy_confocal() -> Sample:
    """Cells under a confocal microscope with few photons: (256, 256) uint16."""
    rng = np.random.default_rng(11)
    photons = 1.5 + 26 * _cells(rng)
    return Sample("Noisy confocal image", _camera(photons, rng), OFFSET + GAIN * photons)


def blurred_wide_field() -> Sample:
    """The same cells through a wide-field microscope, out of focus: (256, 256) uint16."""
    rng = np.random.default_rng(11)
    sharp = 40 + 560 * _cells(rng)
    blur_sigma = 2.0
    image = _camera(gaussian_filter(sharp, blur_sigma), rng)
    return Sample(
        "Blurred wide-field image",
        image,
        OFFSET + GAIN * sharp,
        parameters={"blur_sigma": blur_sigma},
    )


def _cells(rng: np.random.Generator) -> NDArray[np.float64]:
    """Nuclei, filaments and spots, from 0 to about 1: (256, 256)."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(float)
    texture = gaussian_filter(rng.normal(size=(SIDE, SIDE)), 3)
    texture /= texture.std()
    picture = np.zeros((SIDE, SIDE))
    centres = [(62, 60), (70, 190), (150, 120), (205, 40), (208, 205)]
    for row, column in centres:
        turn, long, short = rng.uniform(0, np.pi), rng.uniform(24, 30), rng.uniform(17, 22)
        along = (rows - row) * np.cos(turn) + (columns - column) * np.sin(turn)
        across = (columns - column) * np.cos(turn) - (rows - row) * np.sin(turn)
        inside = (along / long) ** 2 + (across / short) ** 2 < 1
        nucleus = gaussian_filter(inside.astype(float), 1.2) * (0.42 + 0.07 * texture)
        picture = np.maximum(picture, nucleus)
        for _ in range(16):  # filaments leave the rim of the nucleus and bend a little
            angle, bend = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.012)
            y, x = row + 20 * np.sin(angle), column + 20 * np.cos(angle)
            line = np.zeros_like(picture)
            for _ in range(int(rng.integers(60, 140))):
                angle += bend + rng.normal(0, 0.03)
                y, x = y + 0.7 * np.sin(angle), x + 0.7 * np.cos(angle)
                if 0 <= y < SIDE - 1 and 0 <= x < SIDE - 1:
                    line[round(y), round(x)] = 1
            picture += gaussian_filter(line, 0.9) * rng.uniform(0.7, 1.3)
    spots = np.zeros_like(picture)
    spots[rng.integers(0, SIDE, 45), rng.integers(0, SIDE, 45)] = 1
    return np.clip(picture + 4 * gaussian_filter(spots, 1.1), 0, 1.4)


def _camera(photons: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.uint16]:
    """What a camera records: photon noise and read noise."""
    recorded = OFFSET + GAIN * rng.poisson(photons) + rng.normal(0, READ_NOISE, photons.shape)
    return np.clip(np.rint(recorded), 0, 4095 * 16).astype(np.uint16)
