"""What is kept of a run's images: bounded, and spread evenly."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from napari_dred.viewer.snapshots import MAX_BYTES, MAX_COUNT, Snapshots


def filled(count, max_count=32, max_bytes=2**30, size=8):
    kept = Snapshots(max_count, max_bytes)
    for i in range(1, count + 1):
        kept.add(i, np.full(size, i % 256, np.uint8))
    return kept


def iterations(kept):
    return [snapshot.iteration for snapshot in kept]


def test_few_images_are_all_kept():
    kept = filled(5)
    assert iterations(kept) == [1, 2, 3, 4, 5]
    assert kept[2].image[0] == 3
    assert kept.nbytes == 40


@pytest.mark.parametrize("count", [33, 50, 100, 257, 1000])
def test_of_many_the_first_the_newest_and_an_even_choice_are_kept(count):
    kept = filled(count)
    assert len(kept) == 32
    assert kept[0].iteration == 1
    assert kept[-1].iteration == count
    gaps = [b - a for a, b in pairwise(iterations(kept))]
    assert max(gaps) <= 3 * count / 32
    assert all(snapshot.image[0] == snapshot.iteration % 256 for snapshot in kept)


def test_memory_is_bounded_and_the_newest_is_kept_whatever_its_size():
    kept = filled(100, max_bytes=50)
    assert kept.nbytes <= 50
    assert len(kept) == 6
    assert kept[-1].iteration == 100
    kept = filled(3, max_bytes=4)
    assert iterations(kept) == [3]
    kept = filled(9, max_bytes=17)
    assert iterations(kept) == [1, 9][-len(kept) :]


def test_the_bounds_of_the_panel():
    assert MAX_COUNT <= 32
    assert MAX_BYTES <= 256 * 2**20


def test_the_nearest_is_found():
    kept = Snapshots()
    for i in (10, 20, 40):
        kept.add(i, np.zeros(1))
    found = [kept[kept.nearest(i)].iteration for i in (0, 10, 14, 16, 29, 31, 40, 99)]
    assert found == [10, 10, 10, 20, 20, 40, 40, 40]


def test_cleared_it_holds_nothing():
    import weakref

    kept = Snapshots()
    image = np.zeros(4)
    gone = weakref.ref(image)
    kept.add(1, image)
    del image
    assert gone() is not None
    kept.clear()
    assert gone() is None
    assert len(kept) == kept.nbytes == 0
