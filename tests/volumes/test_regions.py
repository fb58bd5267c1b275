"""A rectangle is restored with its surroundings, and nothing else changes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_dred import InputError, Parameters, Plan, Result, Step
from napari_dred.volumes import Region, solve_region


class Recorder:
    """A solver that gives a fixed function of each pixel, and keeps what it was given."""

    def __call__(self, image, mask, *, psf, parameters, control, calibration=None):
        self.image, self.mask, self.options = image, mask, (psf, parameters, control)
        factor = 1 if parameters is None else parameters.scale
        restored = self.restored(image).repeat(factor, axis=0).repeat(factor, axis=1)
        full = parameters or Parameters()
        plan = Plan("inpaint", restored.shape, full, 1.0, True, 0, 0, "cpu", 1, 1.0)
        yield plan
        yield Step(1, 1, 0.0, 0.0, image=restored.astype(np.float32))
        yield Result(restored, plan, (), "iterations", 0.1, (), "0")

    @staticmethod
    def restored(image):
        return np.where(image % 2 == 0, image // 2, 255 - image).astype(image.dtype)


def run(image, mask=None, region=None, solver=None, **options):
    solver = solver or Recorder()
    return list(solve_region(image, mask, region, solve=solver, **options)), solver


images = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 255)
) | hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3)))
edges = st.integers(-5, 45)


@given(images, edges, edges, edges, edges, st.integers(0, 8))
def test_only_the_region_changes(image, top, bottom, left, right, margin):
    region = Region(top, bottom, left, right)
    before = image.copy()
    inner = region.clipped(*image.shape[:2])
    if min(inner.shape) < 1:
        with pytest.raises(InputError, match="no pixel"):
            run(image, region=region, margin=margin)
        return
    records, solver = run(image, region=region, margin=margin)
    expected = image.copy()
    expected[inner.slices] = Recorder.restored(image)[inner.slices]
    np.testing.assert_array_equal(records[-1].image, expected)
    assert records[-1].image.dtype == image.dtype
    np.testing.assert_array_equal(image, before)
    # The solver had the region and at most the margin around it.
    outer = inner.grown(margin).clipped(*image.shape[:2])
    np.testing.assert_array_equal(solver.image, image[outer.slices])
    np.testing.assert_array_equal(records[1].image, expected[inner.slices])


@given(st.integers(0, 20), st.integers(0, 20), st.sampled_from((2, 3, 4)), st.integers(0, 9))
def test_an_enlarged_region_comes_alone(top, left, factor, margin):
    image = np.arange(30 * 31).reshape(30, 31).astype(np.uint16)
    region = Region(top, top + 7, left, left + 9)
    records, _ = run(image, region=region, margin=margin, parameters=Parameters(scale=factor))
    part = Recorder.restored(image)[region.slices]
    expected = part.repeat(factor, axis=0).repeat(factor, axis=1)
    np.testing.assert_array_equal(records[-1].image, expected)
    np.testing.assert_array_equal(records[1].image, expected)
    assert records[0].shape == records[-1].plan.shape == (7 * factor, 9 * factor)


def test_without_a_region_the_records_are_the_solvers():
    image = np.arange(20, dtype=np.uint8).reshape(4, 5)
    records, solver = run(image, parameters=None)
    direct = list(Recorder()(image, None, psf=None, parameters=None, control=None))
    assert [type(r) for r in records] == [Plan, Step, Result]
    assert records[0] == direct[0]
    np.testing.assert_array_equal(records[-1].image, direct[-1].image)
    assert solver.image.shape == image.shape


def test_the_mask_is_cut_alike_and_the_counts_are_those_of_the_region():
    image = np.ones((50, 60), np.float32)
    image[12, 13] = np.nan
    image[0, 0] = np.inf
    mask = np.zeros((50, 60), np.uint8)
    mask[10:14, 10:14] = 3
    mask[40:, 40:] = 1
    region = Region(11, 20, 12, 30)
    parameters = Parameters(preset="preview")
    records, solver = run(image, mask, region, margin=4, parameters=parameters)
    np.testing.assert_array_equal(solver.mask, mask[7:24, 8:34])
    assert solver.options[1] is parameters
    assert records[0].masked == 3 * 2
    assert records[0].missing == 3 * 2  # the NaN lies under the mask
    assert records[0].shape == (9, 18)
    assert records[-1].plan == replace(records[0])
    np.testing.assert_array_equal(np.isnan(records[-1].image[:11]), np.isnan(image[:11]))


def test_a_float_result_of_a_whole_number_image_keeps_the_rest():
    class Floats(Recorder):
        @staticmethod
        def restored(image):
            return image.astype(np.float32) + 0.5

    image = np.arange(100, dtype=np.uint8).reshape(10, 10)
    records, _ = run(image, region=Region(2, 4, 3, 6), solver=Floats())
    expected = image.astype(np.float32)
    expected[2:4, 3:6] += 0.5
    np.testing.assert_array_equal(records[-1].image, expected)


@pytest.mark.parametrize(
    ("options", "margin"),
    [
        ({}, 32),
        ({"parameters": Parameters(blur_sigma=2)}, 32),
        ({"parameters": Parameters(blur_sigma=20)}, 80),
        ({"parameters": Parameters(blur_sigma=20.1, scale=2)}, 41),
        ({"psf": np.ones((9, 99))}, 50),
        ({"psf": np.ones((9, 99)), "parameters": Parameters(scale=2)}, 32),
        ({"parameters": Parameters(blur_sigma=20), "margin": 3}, 3),
    ],
)
def test_the_margin_reaches_as_far_as_the_blur(options, margin):
    _, solver = run(np.zeros((200, 210), np.uint8), region=Region(90, 95, 100, 106), **options)
    assert solver.image.shape == (5 + 2 * margin, 6 + 2 * margin)


def test_what_a_blur_continued_in_a_circle_is_restored_as_a_whole():
    image = np.zeros((100, 100), np.uint8)
    part, whole = Region(0, 20, 0, 20), Region(0, 100, 0, 100)
    circular = Parameters(blur_sigma=1, boundary="circular")
    with pytest.raises(InputError, match="'circular'"):
        run(image, region=part, parameters=circular)
    with pytest.raises(InputError, match="'circular'"):
        run(image, region=part, psf=np.ones((3, 3)), parameters=Parameters(boundary="circular"))
    run(image, region=whole, parameters=circular)
    run(image, region=part, parameters=Parameters(boundary="circular"))  # there is no blur


@pytest.mark.parametrize("how", ["mask", "NaN", "one channel"])
def test_a_region_within_a_hole_is_refused_in_words(how):
    image = np.ones((200, 200, 3), np.float32)
    mask = np.zeros((200, 200), bool)
    if how == "mask":
        mask[20:180, 20:180] = True
    else:
        image[20:180, 20:180, 1 : 2 if how == "one channel" else None] = np.nan
    with pytest.raises(InputError, match=r"the region has no observed pixel.*larger region"):
        run(image, mask, Region(90, 110, 90, 110))
    run(image, mask, Region(40, 110, 90, 110))  # the margin reaches what is known
    # Of a whole image it is not for us to say.
    run(image, np.ones((200, 200)), Region(0, 200, 0, 200))


def test_a_mask_of_another_size_is_refused_in_words():
    with pytest.raises(InputError, match=r"\(4, 4\).*\(5, 5\)"):
        run(np.zeros((5, 5)), np.zeros((4, 4)), Region(0, 2, 0, 2))


def test_a_region_of_a_real_restoration():
    rng = np.random.default_rng(0)
    image = np.clip(rng.normal(120, 20, (48, 56)), 0, 255).astype(np.uint8)
    mask = np.zeros((48, 56), bool)
    mask[20:24, 20:24] = True
    region = Region(16, 30, 16, 31)
    parameters = Parameters(preset="preview", iterations=2, threads=1, sigma=20)
    *_, result = solve_region(image, mask, region, margin=8, parameters=parameters)
    changed = result.image != image
    assert changed[region.slices].any()
    changed[region.slices] = False
    assert not changed.any()
    assert result.image.dtype == np.uint8
    assert result.plan.masked == 16


def test_importing_it_brings_no_torch_no_qt_and_no_napari():
    code = (
        "import sys, napari_dred.volumes; "
        "print(sorted({'torch', 'napari', 'qtpy', 'PyQt6', 'magicgui'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
