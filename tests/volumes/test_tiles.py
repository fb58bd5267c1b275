"""Tiles: weights that sum to 1, no seam, rectangles around a mask, sizes from memory."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_dred.core.calibration import calibrate
from napari_dred.core.parameters import Parameters
from napari_dred.core.restore import restore
from napari_dred.volumes import Region
from napari_dred.volumes.tiles import (
    OVERLAP,
    Grid,
    Span,
    blend,
    longest_side,
    regions_around,
    tiling,
)


@given(st.integers(8, 700), st.integers(70, 200), st.sampled_from((16, 33, 64)), st.integers(1, 3))
def test_the_weights_sum_to_one(length, longest, overlap, factor):
    span = Span.of(length, max(longest, 2 * overlap), overlap)
    total = np.zeros(length * factor)
    for i, start in enumerate(span.starts):
        weights = span.weights(i, factor)
        assert (weights >= 0).all()
        total[start * factor : (start + span.side) * factor] += weights
    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-12)
    assert span.side <= max(longest, 2 * overlap)


def test_a_tile_s_own_border_does_not_count():
    span = Span.of(500, 200, 64)
    assert len(span.starts) > 2
    assert not span.weights(1)[:8].any()
    assert not span.weights(1)[-8:].any()
    assert span.weights(0)[0] == span.weights(len(span.starts) - 1)[-1] == 1


@given(st.integers(60, 260), st.integers(60, 260), st.integers(1, 2))
def test_what_the_tiles_agree_on_is_given_back(height, width, factor):
    image = np.random.default_rng(0).random((height * factor, width * factor))
    grid = Grid.of((height, width), 128, 32)

    def read(number, inside):
        tile = grid.tiles[number]
        rows = slice(tile.top * factor, tile.bottom * factor)
        columns = slice(tile.left * factor, tile.right * factor)
        return image[rows, columns][inside]

    block = Region(3, height * factor - 5, 7, width * factor)
    np.testing.assert_allclose(
        blend(grid, block, read, factor=factor), image[block.slices], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("junk", [1e6, np.nan])
def test_a_lost_tile_counts_only_where_no_other_does(junk):
    image = np.random.default_rng(0).random((100, 260))
    grid = Grid.of(image.shape, 128, 32)
    last = len(grid.tiles) - 1

    def read(number, inside):
        part = image[grid.tiles[number].slices][inside]
        return np.full_like(part, junk) if number == last else part

    made = blend(grid, Region(0, 100, 0, 260), read, lost=[last])
    # A quarter of what two tiles share lies at the border of the first, where it is not used.
    reached = grid.tiles[last - 1].right - (grid.tiles[last - 1].right - grid.tiles[last].left) // 4
    np.testing.assert_allclose(made[:, : reached - 1], image[:, : reached - 1], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(
        made[:, reached + 1 :], np.full_like(made[:, reached + 1 :], junk)
    )


def test_there_is_no_seam():
    """The step across the middle of an overlap is as high as those elsewhere."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:256, :256]
    clean = 120 + 50 * np.sin(y / 11) * np.cos(x / 13)
    noisy = (clean + rng.normal(0, 15, clean.shape)).astype(np.float32)
    p = Parameters(preset="preview", iterations=3, threads=1)
    known = np.ones(noisy.shape, bool)
    whole = calibrate([noisy], [known], (float(noisy.min()), float(noisy.max())), p)
    grid = Grid.of(noisy.shape, 160)
    parts = [restore(noisy[t.slices], parameters=p, calibration=whole).image for t in grid.tiles]
    assert len(parts) == 4
    blended = blend(grid, Region(0, 256, 0, 256), lambda n, i: parts[n][i])
    butted = noisy.astype(float)
    middle = 128
    for tile, part in zip(grid.tiles, parts, strict=True):
        rows = slice(0, middle) if tile.top == 0 else slice(middle, 256)
        columns = slice(0, middle) if tile.left == 0 else slice(middle, 256)
        cut = slice(rows.start - tile.top, rows.stop - tile.top)
        across = slice(columns.start - tile.left, columns.stop - tile.left)
        butted[rows, columns] = part[cut, across]

    def step(image):
        rows = np.abs(np.diff(image - clean, axis=0)).mean(axis=1)
        columns = np.abs(np.diff(image - clean, axis=1)).mean(axis=0)
        return [line[middle - 1] / np.delete(line, middle - 1).mean() for line in (rows, columns)]

    # Scatter of such a mean of 256 steps: about 5 %.
    assert max(step(blended)) < 1.2
    direct = restore(noisy, parameters=p).image
    inside = np.abs(blended - direct)
    assert inside.max() < 0.2 * 15
    assert np.abs(blended - clean).mean() < 1.05 * np.abs(direct - clean).mean()


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(4, 40))
def test_rectangles_around_the_mask_hold_it_and_do_not_overlap(seed, holes, margin):
    rng = np.random.default_rng(seed)
    mask = np.zeros((150, 170), bool)
    for _ in range(holes):
        top, left = rng.integers(0, 145), rng.integers(0, 165)
        mask[top : top + rng.integers(1, 9), left : left + rng.integers(1, 9)] = True
    regions = regions_around(mask, margin)
    count = np.zeros(mask.shape, int)
    for region in regions:
        assert region == region.clipped(*mask.shape)
        count[region.slices] += 1
    assert count.max() <= 1
    assert count[mask].all()


def test_no_hole_no_rectangle():
    assert regions_around(np.zeros((50, 60), bool)) == ()


@pytest.mark.parametrize(("free", "side"), [(10**12, 2048), (2 * 10**7, 2048), (2 * 10**6, 960)])
def test_the_side_of_a_tile_follows_from_the_memory(free, side):
    assert longest_side(lambda s: s * s, free) == min(side, 2048)
    assert longest_side(lambda s: s * s, 0) == 128


@pytest.mark.parametrize(("sigma", "overlap"), [(0, OVERLAP), (1, OVERLAP), (20, 160)])
def test_tiles_overlap_by_what_a_blur_reaches(sigma, overlap):
    rows = tiling((900, 300), 128, Parameters(blur_sigma=sigma), None).rows
    assert all(a + rows.side - b >= overlap for a, b in pairwise(rows.starts))
    assert len(rows.starts) > 1
