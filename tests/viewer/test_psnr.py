"""The comparison of a run's images with a reference."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_dred import InputError
from napari_dred.metrics import psnr
from napari_dred.viewer.psnr import MAX_PIXELS, PsnrMeter, Reference, decibels

pytestmark = pytest.mark.window


@pytest.fixture
def meter(qtbot):
    """A meter, and what it has measured."""
    meter = PsnrMeter()
    meter.seen = []
    meter.measured.connect(lambda *measured: meter.seen.append(measured))
    yield meter
    meter.forget()


@pytest.mark.parametrize(
    ("values", "span"),
    [
        (np.array([[3, 7]], np.uint8), 255),
        (np.array([[3, 7]], np.uint16), 65535),
        (np.array([[0.25, 0.5]]), 1),
        (np.array([[-3.0, 7.0]]), 10),
    ],
)
def test_the_peak_is_that_of_the_dtype_or_else_of_the_values(values, span):
    assert Reference.of(values).data_range == span


def test_a_reference_without_a_peak_is_refused_in_words():
    with pytest.raises(InputError, match="the same value everywhere"):
        Reference.of(np.full((4, 4), 7.0))


def test_it_is_the_psnr_and_of_large_images_nearly():
    rng = np.random.default_rng(0)
    clean = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    noisy = np.clip(clean + rng.normal(0, 5, clean.shape), 0, 255).astype(np.uint8)
    assert Reference.of(clean).psnr(noisy) == psnr(noisy, clean)
    assert Reference.of(clean).psnr(clean) == np.inf
    side = int(1.5 * MAX_PIXELS**0.5)
    clean = rng.random((side, side), np.float32)
    noisy = clean + rng.normal(0, 0.1, clean.shape).astype(np.float32)
    assert Reference.of(clean).psnr(noisy) == pytest.approx(psnr(noisy, clean), abs=0.05)


def test_decibels():
    assert decibels(31.234) == "31.23 dB"
    assert decibels(np.inf) == "∞ dB"


def test_it_measures_in_a_thread_of_its_own_and_tells_the_windows(qtbot, meter):
    clean = np.zeros((4, 4), np.uint8)
    reference = Reference.of(clean)
    where = []
    meter.measured.connect(lambda *_: where.append(threading.get_ident()))
    for iteration in (3, 4, 5):
        meter.ask(reference, iteration, clean + iteration)
    qtbot.waitUntil(lambda: len(meter.seen) == 3)
    assert [(r is reference, i) for r, i, _ in meter.seen] == [(True, 3), (True, 4), (True, 5)]
    assert meter.seen[0][2] == pytest.approx(20 * np.log10(255 / 3))
    assert set(where) == {threading.get_ident()}


def test_what_was_asked_is_forgotten_and_it_measures_on(qtbot, meter):
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Reference):
        def psnr(self, image):
            begun.set()
            assert go_on.wait(5)
            return 1.0

    slow = Slow(np.zeros((4, 4), np.uint8), 255)
    for iteration in range(5):
        meter.ask(slow, iteration, slow.image)
    assert begun.wait(5)
    meter.forget()
    go_on.set()
    quick = Reference.of(slow.image)
    meter.ask(quick, 9, slow.image + 1)
    qtbot.waitUntil(lambda: any(r is quick for r, *_ in meter.seen))
    qtbot.wait(50)
    assert [i for r, i, _ in meter.seen if r is slow] == [0]


def test_images_that_cannot_be_compared_are_passed_over(qtbot, meter):
    reference = Reference.of(np.zeros((4, 4), np.uint8))
    meter.ask(reference, 1, np.zeros((5, 5), np.uint8))
    meter.ask(reference, 2, np.ones((4, 4), np.uint8))
    qtbot.waitUntil(lambda: len(meter.seen) > 0)
    assert [i for _, i, _ in meter.seen] == [2]
