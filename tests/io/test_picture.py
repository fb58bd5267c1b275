"""A picture that is restored: what lies beside its samples goes with it."""

from __future__ import annotations

import numpy as np

from napari_dred.io import Picture, Resolution

from .conftest import ICC, RGB


def test_alpha_and_resolution_grow_with_the_image() -> None:
    alpha = np.zeros((11, 7), np.uint8)
    alpha[:, 3:] = 255
    picture = Picture(RGB, alpha, resolution=Resolution(100, 50, "inch"), icc_profile=ICC)
    large = picture.restored(np.zeros((22, 14, 3), np.uint8), 2)
    assert large.alpha is not None
    assert large.alpha.shape == (22, 14)
    assert large.alpha.dtype == np.uint8
    assert large.alpha[:, 0].max() == 0
    assert large.alpha[:, -1].min() == 255
    assert large.resolution == Resolution(200, 100, "inch")
    assert large.icc_profile == ICC


def test_alpha_keeps_its_meaning_in_another_dtype() -> None:
    alpha = np.array([[0, 51, 255]], np.uint8)
    for dtype, full in ((np.uint16, 65535), (np.float32, 1.0)):
        changed = Picture(np.zeros((1, 3), np.uint8), alpha).restored(np.zeros((1, 3), dtype))
        assert changed.alpha is not None
        assert changed.alpha.dtype == dtype
        np.testing.assert_allclose(changed.alpha, [[0, 0.2 * full, full]], rtol=1e-6)
