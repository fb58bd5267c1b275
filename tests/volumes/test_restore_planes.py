"""The planes of an open stack: the same samples as from a file, one plane held at a time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import tifffile

from napari_dred import InputError, Parameters, Plan, RestorationError, Result
from napari_dred.core.control import Control
from napari_dred.volumes import Region, restore_planes, solve_region
from napari_dred.volumes.planes import PlaneDone, Planes, PlaneStep
from napari_dred.volumes.planning import StackOptions
from napari_dred.volumes.restore_planes import solve_planes
from napari_dred.volumes.stacks import restore_stack

QUICK = Parameters(preset="preview", threads=1)


@pytest.fixture
def stack():
    """(C, Z, Y, X), the second channel far noisier than the first."""
    rng = np.random.default_rng(0)
    clean = np.add.outer(np.arange(40.0), np.arange(48.0)) + 60
    noise = rng.normal(size=(2, 2, 40, 48)) * np.array([3, 15]).reshape(2, 1, 1, 1)
    return (clean + noise).clip(0, 255).astype(np.uint8)


def planes_of(stack, **options):
    return Planes(tuple(np.ndindex(2, 2)), (40, 48), lambda i: stack[i], channel=0, **options)


def test_it_gives_what_the_command_line_writes(stack, tmp_path):
    tifffile.imwrite(tmp_path / "in.ome.tif", stack, metadata={"axes": "CZYX"})
    mask = np.zeros((40, 48), bool)
    mask[10:14, 20:25] = True
    tifffile.imwrite(tmp_path / "mask.tif", mask.astype(np.uint8))
    p = QUICK.replace(keep_observed=True)
    options = StackOptions(mask=tmp_path / "mask.tif")
    list(restore_stack(tmp_path / "in.ome.tif", tmp_path / "out.ome.tif", p, options))
    # OME-TIFF has its axes in the order Z, C there.
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as tiff:
        written, axes = tiff.series[0].asarray(), tiff.series[0].axes
    written = written.transpose([axes.index(a) for a in "CZYX"])
    records = list(solve_planes(planes_of(stack, mask=lambda _: mask), parameters=p))
    done = [r for r in records if isinstance(r, PlaneDone)]
    assert [r.index for r in done] == list(np.ndindex(2, 2))
    assert all(r.image.dtype == np.uint8 for r in done)
    for record in done:
        np.testing.assert_array_equal(record.image, written[record.index])
    plan = next(r for r in records if isinstance(r, Plan))
    assert plan.missing == 4 * 20
    assert isinstance(records[-1], Result)


def test_a_stopped_run_gives_no_more_planes(stack):
    control = Control()
    done = []
    for record in solve_planes(planes_of(stack), parameters=QUICK, control=control):
        if isinstance(record, PlaneDone):
            done.append(record.index)
            control.stop()
    assert done == [(0, 0)]
    assert isinstance(record, Result)
    assert record.stop_reason == "stopped"
    assert record.done == 1


def test_a_run_stopped_before_there_is_a_plane_says_so(stack):
    control = Control()
    control.stop()
    with pytest.raises(RestorationError, match="no image yet"):
        list(solve_planes(planes_of(stack), parameters=QUICK, control=control))


def test_steps_count_through_all_planes_and_tiles(stack, monkeypatch):
    monkeypatch.setattr(restore_planes, "LONGEST", 128)
    wide = np.tile(stack[:, :, :20], (1, 1, 1, 4))  # 20 x 192
    four = Planes(tuple(np.ndindex(2, 2)), wide.shape[2:], lambda i: wide[i], channel=0)
    records = list(solve_planes(four, parameters=QUICK))
    steps = [r for r in records if isinstance(r, PlaneStep) and not r.looking]
    assert all(a.iteration <= b.iteration for a, b in pairwise(steps))
    assert {s.total for s in steps} == {steps[-1].iteration}
    plan = next(r for r in records if isinstance(r, Plan))
    assert plan.shape == wide.shape[2:]
    assert [r.image.shape for r in records if isinstance(r, PlaneDone)] == [wide.shape[2:]] * 4


@pytest.mark.parametrize("when", [0, 1, 9])
def test_a_cancelled_run_gives_no_result(stack, when):
    control = Control()
    records = []
    for record in solve_planes(planes_of(stack), parameters=QUICK, control=control):
        if len(records) == when:
            control.cancel()
        records.append(record)
    assert len(records) < 25
    assert not any(isinstance(r, Result) for r in records)


def test_a_region_is_pasted_into_every_plane(stack):
    region = Region(4, 20, 8, 30)
    records = solve_planes(planes_of(stack), region, parameters=QUICK)
    for record in records:
        if isinstance(record, PlaneDone):
            changed = record.image != stack[record.index]
            assert changed[region.slices].any()
            changed[region.slices] = False
            assert not changed.any()


def test_a_plane_is_read_only_when_it_is_its_turn(stack):
    read = []
    two = Planes(((0,), (1,)), (40, 48), lambda i: read.append(i) or stack[0][i])
    records = solve_planes(two, parameters=QUICK)
    next(records)
    assert read == [(0,)]
    records.close()


def test_a_plane_without_known_samples_is_left_as_it_was(stack):
    planes = planes_of(stack, mask=lambda i: np.full((40, 48), i == (1, 0)))
    records = list(solve_planes(planes, parameters=QUICK))
    made = {r.index: r.image for r in records if isinstance(r, PlaneDone)}
    np.testing.assert_array_equal(made[1, 0], stack[1, 0])
    assert (records[-1].done, records[-1].stop_reason) == (4, "iterations")
    assert records[-1].notes[-1].startswith("Plane 3 of 4 has no known sample")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_tile_without_known_samples_is_left_as_it_was(stack, monkeypatch, dtype):
    monkeypatch.setattr(restore_planes, "LONGEST", 128)
    wide = np.tile(stack[:, :, :20], (1, 1, 1, 6)).astype(dtype)  # 20 x 288: four tiles
    mask = np.zeros(wide.shape[2:], bool)
    mask[:, 150:] = True
    if dtype == np.float32:
        wide[..., 150:] = np.nan
    planes = Planes(((0, 0),), wide.shape[2:], lambda i: wide[i], lambda _: mask)
    records = list(solve_planes(planes, parameters=QUICK.replace(noise="gaussian")))
    made = next(r.image for r in records if isinstance(r, PlaneDone))
    np.testing.assert_array_equal(made[:, 260:], wide[0, 0, :, 260:])
    assert np.isfinite(made[:, :150]).all()
    assert "in 1 of its 4 tiles" in records[-1].notes[-1]


def test_a_stack_without_known_samples_is_refused(stack):
    with pytest.raises(InputError, match="no sample is known"):
        list(solve_planes(planes_of(stack * np.nan), parameters=QUICK))


def test_a_run_stopped_within_a_plane_leaves_it_out(stack):
    control = Control()
    done = []
    for record in solve_planes(planes_of(stack), parameters=QUICK, control=control):
        if isinstance(record, PlaneDone):
            done.append(record.index)
            first = record.image
        elif isinstance(record, PlaneStep) and record.plane == 2 and not record.looking:
            control.stop()
    assert done == [(0, 0)]
    assert record.done == 1
    assert record.provenance()["iterations"] == 24
    np.testing.assert_array_equal(record.image, first)


def test_the_first_plane_is_kept_as_far_as_it_came(stack):
    control = Control()
    for record in solve_planes(planes_of(stack), parameters=QUICK, control=control):
        if isinstance(record, PlaneStep) and not record.looking:
            control.stop()
    assert (record.done, record.stop_reason) == (1, "stopped")


@pytest.mark.parametrize("error", [MemoryError(), InputError("odd"), RestorationError("gone")])
def test_an_error_keeps_the_planes_before_it(stack, error):
    calls = []

    def solve(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise error
        return solve_region(*arguments, **options)

    records = list(solve_planes(planes_of(stack), parameters=QUICK, solve=solve))
    assert [r.index for r in records if isinstance(r, PlaneDone)] == [(0, 0), (0, 1)]
    assert (records[-1].done, records[-1].stop_reason) == (2, "failed")
    assert "plane 3 of 4: " in records[-1].notes[-1]


def test_an_error_in_the_first_plane_is_raised(stack):
    def solve(*_, **__):
        raise RestorationError("gone")

    with pytest.raises(RestorationError, match="plane 1 of 4: gone"):
        list(solve_planes(planes_of(stack), parameters=QUICK, solve=solve))


def test_a_blur_reaches_into_the_next_tile(stack, monkeypatch):
    monkeypatch.setattr(restore_planes, "LONGEST", 128)
    wide = np.tile(stack[:, :, :20], (1, 1, 1, 4))
    four = Planes(tuple(np.ndindex(2, 2)), wide.shape[2:], lambda i: wide[i], channel=0)
    circular = QUICK.replace(blur_sigma=1.5, boundary="circular")
    with pytest.raises(InputError, match="circular"):
        list(solve_planes(four, parameters=circular))


def test_what_is_counted_lies_in_the_region(stack):
    mask = np.zeros((40, 48), bool)
    mask[:4] = True
    mask[10, 10:15] = True
    records = solve_planes(
        planes_of(stack, mask=lambda _: mask), Region(8, 20, 8, 30), parameters=QUICK
    )
    plan = next(r for r in records if isinstance(r, Plan))
    assert (plan.masked, plan.missing) == (20, 20)


@pytest.mark.parametrize(("rows", "said"), [(30, True), (20, False)])  # of 40
def test_a_mask_of_most_pixels_is_doubted(stack, rows, said):
    def mask(index):  # one plane is not known at all, which does not count
        return np.repeat(np.arange(40) < (40 if index == (0, 0) else rows), 48).reshape(40, 48)

    result = list(solve_planes(planes_of(stack, mask=mask), parameters=QUICK))[-1]
    assert any("marks 75.0 %" in note and "invert it" in note for note in result.notes) is said


def test_kept_planes_before_an_error_do_not_hide_it(stack):
    def mask(index):
        return np.full((40, 48), index == (1, 0)) & (np.arange(48) < 9)

    def solve(*_, **__):
        raise RestorationError("out of memory")

    planes = planes_of(stack, mask=mask)
    with pytest.raises(RestorationError, match="plane 3 of 4: out of memory"):
        list(solve_planes(planes, parameters=QUICK.replace(keep_observed=True), solve=solve))


def test_only_whole_planes_masked_leaves_the_others_as_they_are(stack):
    planes = planes_of(stack, mask=lambda i: np.full((40, 48), i == (1, 0)))
    records = solve_planes(planes, parameters=QUICK.replace(keep_observed=True))
    made = []
    with pytest.raises(InputError, match="nothing is left to restore"):
        made.extend(records)
    for record in made:
        if isinstance(record, PlaneDone):
            np.testing.assert_array_equal(record.image, stack[record.index])


def test_what_cannot_be_kept_is_refused_at_once(stack):
    read = []
    two = Planes(((0,), (1,)), (40, 48), lambda i: read.append(i) or stack[0][i])
    with pytest.raises(InputError, match="scale is 2"):
        list(solve_planes(two, parameters=QUICK.replace(keep_observed=True, scale=2)))
    assert read == []


def test_a_region_without_known_samples_leaves_its_plane_as_it_was(stack):
    planes = planes_of(stack, mask=lambda i: np.full((40, 48), i == (0, 1)))
    records = list(solve_planes(planes, Region(4, 20, 8, 30), parameters=QUICK))
    assert records[-1].stop_reason == "iterations"
    made = {r.index: r.image for r in records if isinstance(r, PlaneDone)}
    np.testing.assert_array_equal(made[0, 1], stack[0, 1])
