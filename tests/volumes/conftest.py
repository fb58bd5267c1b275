"""For the tests of stacks: a small stack with all axes, and quick settings."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_dred.core.parameters import Parameters
from napari_dred.volumes.planning import StackOptions
from napari_dred.volumes.stacks import restore_stack

SIGMAS = (20.0, 60.0)


def clean_plane(shape=(40, 48)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return 2000 + 800 * np.sin(y / 9) * np.cos(x / 7)


@pytest.fixture
def quick():
    return Parameters(preset="preview", iterations=2, threads=1)


@pytest.fixture
def noisy():
    """(2, 2, 3, 40, 48) uint16: T, C, Z, Y, X; each channel with noise of its own."""
    rng = np.random.default_rng(0)
    levels = np.array(SIGMAS).reshape(1, 2, 1, 1, 1)
    return (clean_plane() + levels * rng.standard_normal((2, 2, 3, 40, 48))).astype(np.uint16)


@pytest.fixture
def ome(tmp_path, noisy):
    """An OME-TIFF with every field that tifffile writes."""
    path = tmp_path / "in.ome.tif"
    metadata = {
        "axes": "TCZYX",
        **{"PhysicalSizeX": 0.11, "PhysicalSizeXUnit": "µm"},
        **{"PhysicalSizeY": 0.12, "PhysicalSizeYUnit": "µm"},
        **{"PhysicalSizeZ": 300.0, "PhysicalSizeZUnit": "nm"},
        **{"TimeIncrement": 2.5, "TimeIncrementUnit": "s", "Name": "cells"},
        "Channel": {
            "Name": ["DAPI", "GFP"],
            "Color": [65535, 16711935],
            "EmissionWavelength": [461.0, 509.0],
            "EmissionWavelengthUnit": ["nm", "nm"],
        },
        "Plane": {"ExposureTime": [0.1 * i for i in range(12)], "ExposureTimeUnit": ["s"] * 12},
    }
    tifffile.imwrite(path, noisy, metadata=metadata)
    return path


@pytest.fixture
def run(quick):
    """Restore a file into another with quick settings; give the record."""

    def restored(source, target, parameters=quick, **told):
        options = {k: told.pop(k) for k in list(told) if k in StackOptions.__dataclass_fields__}
        *_, record = restore_stack(source, target, parameters, StackOptions(**options), **told)
        return record

    return restored
