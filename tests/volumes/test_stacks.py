"""Stacks: which planes, which noise, which mask, which metadata; and what a cut-off run leaves."""

from __future__ import annotations

import dataclasses
import json
import tracemalloc

import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr_models import v04, v05

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.core.restore import restore
from napari_dred.io import read_record
from napari_dred.io.axes import Selection
from napari_dred.io.stack import open_stack
from napari_dred.volumes import stacks
from napari_dred.volumes.planning import StackOptions
from napari_dred.volumes.stacks import Progress, restore_stack

from .conftest import SIGMAS, clean_plane


def test_every_plane_is_restored_with_its_channel_s_noise(ome, noisy, run, tmp_path):
    record = run(ome, tmp_path / "out.ome.tif")
    restored = tifffile.imread(tmp_path / "out.ome.tif")
    assert restored.shape == noisy.shape
    assert restored.dtype == noisy.dtype
    error = np.abs(restored - clean_plane()).mean(axis=(0, 2, 3, 4))
    before = np.abs(noisy - clean_plane()).mean(axis=(0, 2, 3, 4))
    assert (error < 0.6 * before).all()
    for channel, sigma in zip(record["channels"], SIGMAS, strict=True):
        assert channel["sigma"] == pytest.approx(sigma, rel=0.1)
    assert read_record(tmp_path / "out.ome.tif")["channels"] == record["channels"]
    assert not list(tmp_path.glob(".*"))


def test_a_single_plane_is_restored_as_by_the_core(noisy, quick, run, tmp_path):
    plane = noisy[0, 1, 0]
    tifffile.imwrite(tmp_path / "in.tif", plane, metadata=None)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "out.tif"), restore(plane, parameters=quick).image
    )


@pytest.mark.parametrize("axes", ["TCZYX", "CZTYX"])
def test_the_order_of_the_axes_makes_no_difference(axes, noisy, run, tmp_path):
    swapped = noisy.transpose(["TCZYX".index(a) for a in axes])
    tifffile.imwrite(
        tmp_path / "in.tif", swapped, photometric="minisblack", metadata={"axes": axes}
    )
    tifffile.imwrite(
        tmp_path / "usual.tif", noisy, photometric="minisblack", metadata={"axes": "TCZYX"}
    )
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    run(tmp_path / "usual.tif", tmp_path / "usual-out.tif")
    restored = tifffile.imread(tmp_path / "out.tif")
    np.testing.assert_array_equal(
        restored.transpose([axes.index(a) for a in "TCZYX"]),
        tifffile.imread(tmp_path / "usual-out.tif"),
    )


def test_axes_that_the_file_does_not_name_are_told(noisy, run, tmp_path):
    tifffile.imwrite(tmp_path / "in.tif", noisy[0, :, 0], photometric="minisblack", metadata=None)
    with pytest.raises(InputError, match=r"IYX.*--axes"):
        run(tmp_path / "in.tif", tmp_path / "out.tif")
    record = run(tmp_path / "in.tif", tmp_path / "out.tif", axes="cyx")
    assert len(record["channels"]) == 2


@pytest.mark.parametrize("told", ["", "YX", "QCYX", "CCYX", "CZYXS"])
def test_axes_that_do_not_fit_are_refused(told, noisy, run, tmp_path):
    tifffile.imwrite(tmp_path / "in.tif", noisy[0], photometric="minisblack", metadata=None)
    with pytest.raises(InputError, match="axes"):
        run(tmp_path / "in.tif", tmp_path / "out.tif", axes=told)


@pytest.mark.parametrize("scale", [1, 2])
def test_a_plane_without_known_samples_is_left_as_it_was(noisy, quick, run, tmp_path, scale):
    stack = noisy[0, 0].astype(np.float32)
    stack[1] = np.nan
    tifffile.imwrite(tmp_path / "in.tif", stack, metadata={"axes": "ZYX"}, imagej=True)
    record = run(tmp_path / "in.tif", tmp_path / "out.tif", quick.replace(scale=scale))
    made = tifffile.imread(tmp_path / "out.tif")
    assert np.isnan(made[1]).all()
    assert np.isfinite(made[[0, 2]]).all()
    assert any("has no known sample" in note for note in record["notes"])
    tifffile.imwrite(tmp_path / "in.tif", stack * np.nan, metadata={"axes": "ZYX"}, imagej=True)
    with pytest.raises(InputError, match="no sample of channel 0 is known"):
        run(tmp_path / "in.tif", tmp_path / "none.tif")


def test_a_tile_without_known_samples_is_left_as_it_was(noisy, quick, run, tmp_path):
    plane = np.tile(noisy[0, 0, 0], (6, 6)).astype(np.float32)
    plane[100:, 100:] = np.nan
    tifffile.imwrite(tmp_path / "in.tif", plane)
    record = run(tmp_path / "in.tif", tmp_path / "out.tif", quick, tile=128)
    made = tifffile.imread(tmp_path / "out.tif")
    assert np.isfinite(made[:100]).all()
    assert np.isfinite(made[:, :100]).all()
    assert np.isnan(made[-20:, -20:]).all()
    assert np.isfinite(made[150:, :150]).all()
    assert any("parts, which were left" in note for note in record["notes"])


def test_a_lost_tile_keeps_large_integers(run, quick, tmp_path):
    rng = np.random.default_rng(0)
    plane = (rng.normal(size=(64, 400)) * 100 + 2**31).astype(np.uint32)
    mask = np.zeros(plane.shape, np.uint8)
    mask[:, 200:] = 1
    tifffile.imwrite(tmp_path / "in.tif", plane)
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    run(tmp_path / "in.tif", tmp_path / "out.tif", quick, tile=128, mask=tmp_path / "mask.tif")
    made = tifffile.imread(tmp_path / "out.tif")
    np.testing.assert_array_equal(made[:, 350:], plane[:, 350:])


def test_a_colour_of_which_nothing_is_known_anywhere_is_refused(run, quick, tmp_path):
    plane = np.random.default_rng(0).uniform(0, 1, (64, 64, 3)).astype(np.float32)
    plane[..., 0] = np.nan
    tifffile.imwrite(tmp_path / "in.tif", plane, photometric="rgb")
    with pytest.raises(InputError, match="a colour of which no sample is known"):
        run(tmp_path / "in.tif", tmp_path / "out.tif", quick)


def test_some_planes(ome, noisy, run, tmp_path):
    run(ome, tmp_path / "all.ome.tif")
    run(ome, tmp_path / "z.ome.tif", selection=Selection.from_text("Z=1:3, c=1"))
    with open_stack(tmp_path / "z.ome.tif") as some:
        assert some.sizes.get("T") == 2
        assert some.sizes.get("Z") == 2
        assert [c.name for c in some.metadata.channels] == ["GFP"]
    assert tifffile.imread(tmp_path / "z.ome.tif").shape == (2, 2, 40, 48)
    for text in ("Z=1:4", "C=2", "T=1:1"):
        with pytest.raises(InputError, match="no range"):
            run(ome, tmp_path / "no.tif", selection=Selection.from_text(text))
    for text in ("", "Q=1", "Z=a", "Z=1,Z=2", "Z"):
        with pytest.raises(InputError, match="Z=3:10,C=1"):
            Selection.from_text(text)


def test_the_metadata_of_an_ome_tiff_survive(ome, run, tmp_path):
    run(ome, tmp_path / "out.ome.tif")
    before, after = (
        tifffile.xml2dict(tifffile.TiffFile(p).ome_metadata)["OME"]["Image"]
        for p in (ome, tmp_path / "out.ome.tif")
    )
    after["Pixels"].pop("BigEndian")
    for image in (before, after):
        image["Pixels"].pop("TiffData")
    assert after == before


def test_the_metadata_of_an_imagej_tiff_survive(noisy, run, tmp_path):
    luts = [np.stack([np.arange(256, dtype=np.uint8)] * 3) // (i + 1) for i in range(2)]
    metadata = {
        **{"axes": "TZCYX", "unit": "um", "spacing": 0.3, "finterval": 2.5, "fps": 0.4},
        **{"mode": "composite", "Info": "a note", "Labels": [f"plane {i}" for i in range(12)]},
        **{"Ranges": (1.0, 2.0, 3.0, 4.0), "LUTs": luts, "loop": False},
    }
    stack = noisy.transpose(0, 2, 1, 3, 4)
    tifffile.imwrite(
        tmp_path / "in.tif", stack, imagej=True, resolution=(9.0, 8.0), metadata=metadata
    )
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    with (
        tifffile.TiffFile(tmp_path / "in.tif") as a,
        tifffile.TiffFile(tmp_path / "out.tif") as b,
    ):
        assert b.series[0].shape == a.series[0].shape
        assert b.series[0].axes == a.series[0].axes == "TZCYX"
        before, after = a.imagej_metadata, b.imagej_metadata
        np.testing.assert_array_equal(after.pop("LUTs"), before.pop("LUTs"))
        assert after == before
        for tag in ("XResolution", "YResolution", "ResolutionUnit"):
            assert b.pages[0].tags.valueof(tag) == a.pages[0].tags.valueof(tag)
    # Of some of the planes, what belongs to them.
    run(tmp_path / "in.tif", tmp_path / "some.tif", selection=Selection.from_text("C=1,Z=2"))
    with tifffile.TiffFile(tmp_path / "some.tif") as c:
        assert c.imagej_metadata["Labels"] == ["plane 5", "plane 11"]
        assert c.imagej_metadata["Ranges"] == (3.0, 4.0)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_through_ome_zarr_and_back(version, ome, run, tmp_path):
    run(ome, tmp_path / "out.ome.tif")
    run(ome, tmp_path / "out.ome.zarr", version=version)
    attributes = dict(zarr.open_group(tmp_path / "out.ome.zarr", mode="r").attrs)
    if version == "0.4":
        v04.image.ImageAttrs.model_validate(attributes)
    else:
        v05.image.ImageAttrs.model_validate(attributes["ome"])
    with (
        open_stack(ome) as before,
        open_stack(tmp_path / "out.ome.zarr") as after,
        open_stack(tmp_path / "out.ome.tif") as tiff,
    ):
        assert after.axes == "TCZYX"
        assert after.metadata.sizes == before.metadata.sizes
        assert after.metadata.channels == before.metadata.channels
        np.testing.assert_array_equal(after.data[:], tiff.data[:])
    # And a Zarr into a Zarr and a TIFF; the first in the version that it came in.
    p = Parameters(preset="preview", iterations=1, threads=1, sigma=1)
    run(tmp_path / "out.ome.zarr", tmp_path / "again.ome.zarr", p)
    run(tmp_path / "out.ome.zarr", tmp_path / "again.ome.tif", p)
    again = zarr.open_group(tmp_path / "again.ome.zarr", mode="r")
    assert again.metadata.zarr_format == {"0.4": 2, "0.5": 3}[version]
    with (
        open_stack(tmp_path / "again.ome.zarr") as a,
        open_stack(tmp_path / "again.ome.tif") as b,
    ):
        assert a.metadata.sizes == b.metadata.sizes == before.metadata.sizes
        assert a.metadata.channels == b.metadata.channels == before.metadata.channels
        np.testing.assert_array_equal(a.data[:], b.data[:])


def test_the_pyramid_is_of_means(quick, run, tmp_path):
    rng = np.random.default_rng(0)
    image = rng.normal(100, 5, (301, 530)).astype(np.float32)
    tifffile.imwrite(tmp_path / "in.tif", image)
    run(tmp_path / "in.tif", tmp_path / "out.zarr", quick.replace(iterations=1))
    group = zarr.open_group(tmp_path / "out.zarr", mode="r")
    levels = [group[str(k)][:] for k in range(3)]
    assert [level.shape for level in levels] == [(301, 530), (151, 265), (76, 133)]
    for fine, coarse in zip(levels, levels[1:], strict=False):
        whole = fine[:-1] if fine.shape[0] % 2 else fine
        whole = whole[:, :-1] if fine.shape[1] % 2 else whole
        h, w = whole.shape[0] // 2, whole.shape[1] // 2
        means = whole.reshape(h, 2, w, 2).mean(axis=(1, 3))
        np.testing.assert_allclose(coarse[:h, :w], means, rtol=1e-5)


def test_colour_is_no_channel(run, tmp_path):
    rng = np.random.default_rng(0)
    rgba = rng.integers(60, 180, (2, 24, 32, 4), dtype=np.uint8)
    for name, data in (("rgb", rgba[..., :3]), ("rgba", rgba)):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, data, photometric="rgb", metadata={"axes": "ZYXS"})
        record = run(path, tmp_path / f"{name}-out.tif")
        assert len(record["channels"]) == 1
        restored = tifffile.imread(tmp_path / f"{name}-out.tif")
        assert restored.shape == data.shape
    np.testing.assert_array_equal(restored[..., 3], rgba[..., 3])
    run(tmp_path / "rgb.tif", tmp_path / "rgb.ome.zarr")
    with open_stack(tmp_path / "rgb.ome.zarr") as made:
        assert made.axes == "CZYX"
        assert [c.name for c in made.metadata.channels] == ["red", "green", "blue"]
        planes = np.moveaxis(made.data[:], 0, -1)
    np.testing.assert_array_equal(planes, tifffile.imread(tmp_path / "rgb-out.tif"))
    with pytest.raises(InputError, match="alpha"):
        run(tmp_path / "rgba.tif", tmp_path / "rgba.ome.zarr")


def test_masks_for_all_planes_and_for_each(ome, noisy, run, quick, tmp_path):
    one = np.zeros((40, 48), np.uint8)
    one[10:14, 20:24] = 255
    each = np.zeros((3, 40, 48), np.uint8)
    for z in range(3):
        each[z, 5 + z : 9 + z, 8:12] = 1
    tifffile.imwrite(tmp_path / "one.tif", one)
    tifffile.imwrite(
        tmp_path / "each.tif", each, photometric="minisblack", metadata={"axes": "ZYX"}
    )
    kept = quick.replace(keep_observed=True)
    for name, mask in (("one", one[None]), ("each", each)):
        run(ome, tmp_path / f"{name}.ome.tif", kept, mask=tmp_path / f"{name}.tif")
        changed = tifffile.imread(tmp_path / f"{name}.ome.tif") != noisy
        assert not (changed & (mask == 0)).any()
        marked = np.broadcast_to(mask != 0, changed.shape)
        assert changed[marked].mean() > 0.9
    tifffile.imwrite(tmp_path / "labels.tif", one + np.roll(one, 10) // 51)  # 255 and 5
    run(ome, tmp_path / "label.ome.tif", kept, mask=tmp_path / "labels.tif", label=5)
    changed = tifffile.imread(tmp_path / "label.ome.tif") != noisy
    assert not (changed & (np.roll(one, 10) == 0)).any()
    assert changed[..., np.roll(one, 10) != 0].mean() > 0.9
    tifffile.imwrite(
        tmp_path / "two.tif", each[:2], photometric="minisblack", metadata={"axes": "ZYX"}
    )
    with pytest.raises(InputError, match="2 planes on axis Z"):
        run(ome, tmp_path / "no.ome.tif", mask=tmp_path / "two.tif")
    tifffile.imwrite(tmp_path / "small.tif", one[:20])
    with pytest.raises(InputError, match="same size"):
        run(ome, tmp_path / "no.ome.tif", mask=tmp_path / "small.tif")


@pytest.mark.parametrize(("rows", "said"), [(30, True), (20, False)])  # of 40
def test_a_mask_of_most_pixels_is_doubted(ome, run, tmp_path, rows, said):
    mask = np.zeros((40, 48), np.uint8)
    mask[:rows] = 1
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    record = run(ome, tmp_path / "out.ome.tif", mask=tmp_path / "mask.tif")
    assert any("marks 75.0 %" in note and "invert it" in note for note in record["notes"]) is said


def test_around_the_mask_only_missing_pixels_change(run, quick, tmp_path):
    rng = np.random.default_rng(0)
    image = rng.normal(1000, 20, (400, 500)).astype(np.uint16)
    mask = np.zeros(image.shape, np.uint8)
    mask[50:55, 60:66] = mask[300:304, 400:410] = 1
    tifffile.imwrite(tmp_path / "in.tif", image)
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    steps = list(
        restore_stack(
            tmp_path / "in.tif",
            tmp_path / "out.tif",
            quick,
            StackOptions(mask=tmp_path / "mask.tif", around_mask=True),
        )
    )
    assert steps[-2] == Progress(2, 2)
    changed = tifffile.imread(tmp_path / "out.tif") != image
    assert not changed[mask == 0].any()
    assert changed[mask == 1].mean() > 0.9
    with pytest.raises(InputError, match="enlarged"):
        run(tmp_path / "in.tif", tmp_path / "no.tif", Parameters(scale=2), around_mask=True)


def test_enlarged_tiles_fit_together(run, quick, tmp_path):
    rng = np.random.default_rng(0)
    image = (clean_plane((96, 160)) + rng.normal(0, 5, (96, 160))).astype(np.float32)
    tifffile.imwrite(tmp_path / "in.tif", image, resolution=(100, 100), resolutionunit="INCH")
    p = quick.replace(scale=2)
    run(tmp_path / "in.tif", tmp_path / "tiles.tif", p, tile=128)
    whole = restore(image, parameters=p).image
    tiled = tifffile.imread(tmp_path / "tiles.tif")
    assert tiled.shape == (192, 320)
    assert np.abs(tiled - whole).mean() < 0.1 * np.abs(whole - whole.mean()).mean()
    with open_stack(tmp_path / "in.tif") as a, open_stack(tmp_path / "tiles.tif") as b:
        assert b.metadata.sizes["X"][0] == pytest.approx(a.metadata.sizes["X"][0] / 2)


def test_a_run_that_was_cut_off_goes_on_and_does_nothing_twice(
    ome, run, quick, tmp_path, monkeypatch
):
    run(ome, tmp_path / "whole.ome.zarr")
    steps = restore_stack(ome, tmp_path / "out.ome.zarr", quick)
    for step in steps:
        if step.done == 5:
            break
    steps.close()
    assert not (tmp_path / "out.ome.zarr").exists()
    done = []
    real = stacks.restore_part

    def counted(*arguments):
        done.append(arguments[2])
        return real(*arguments)

    monkeypatch.setattr(stacks, "restore_part", counted)
    run(ome, tmp_path / "out.ome.zarr", resume=True)
    assert len(done) == 12 - 4  # the fifth was not put down yet: its tile is there
    with (
        open_stack(tmp_path / "whole.ome.zarr") as a,
        open_stack(tmp_path / "out.ome.zarr") as b,
    ):
        np.testing.assert_array_equal(a.data[:], b.data[:])
    assert not list(tmp_path.glob(".*"))


def test_what_was_left_of_another_run_is_not_used(ome, run, quick, tmp_path):
    steps = restore_stack(ome, tmp_path / "out.ome.tif", quick)
    for step in steps:
        if step.done == 5:
            break
    steps.close()
    other = quick.replace(iterations=3)
    run(ome, tmp_path / "out.ome.tif", other, resume=True)
    run(ome, tmp_path / "direct.ome.tif", other)
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "out.ome.tif"), tifffile.imread(tmp_path / "direct.ome.tif")
    )


def test_an_output_is_replaced_only_on_demand_and_only_by_a_whole_one(ome, run, quick, tmp_path):
    target = tmp_path / "out.ome.zarr"
    run(ome, target)
    with pytest.raises(InputError, match="--force"):
        run(ome, target)
    with pytest.raises(InputError, match="an input of the run"):
        run(target, target, replace=True)
    tifffile.imwrite(tmp_path / "bad.tif", np.full((2, 20, 20), np.nan, np.float32))
    with pytest.raises(InputError, match="no sample"):
        run(tmp_path / "bad.tif", target, replace=True, axes="ZYX")
    with open_stack(target) as kept:
        assert kept.axes == "TCZYX"
    run(ome, target, replace=True, selection=Selection.from_text("Z=0"))
    with open_stack(target) as new:
        assert new.sizes["Z"] == 1


@pytest.mark.parametrize("name", ["out.png", "out", "out.jpg"])
def test_what_no_stack_is_written_to_is_refused(name, ome, run, tmp_path):
    with pytest.raises(InputError, match=r"\.ome\.tif"):
        run(ome, tmp_path / name)


def test_a_truncated_stack_is_refused(ome, run, tmp_path):
    content = ome.read_bytes()
    for share in (0.5, 0.9):
        short = tmp_path / "short.ome.tif"
        short.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(InputError, match=str(short)):
            run(short, tmp_path / "out.ome.tif")


def test_memory_does_not_grow_with_the_image(quick, tmp_path, monkeypatch):
    """numpy's peak for a Zarr with four times the pixels, restored into a Zarr."""

    def nothing(job, whole, place, number, region):
        with stacks.Reader(job) as reader:
            np.save(job.tile(place, number), reader.image(place, region.slices))

    monkeypatch.setattr(stacks, "restore_part", nothing)
    peaks = []
    for side in (2048, 2048, 4096):  # the first for what is imported
        source = tmp_path / f"{side}.zarr"
        array = zarr.create_array(
            source,
            shape=(side, side),
            chunks=(1024, 1024),
            dtype="uint16",
            zarr_format=3,
            overwrite=True,
        )
        array[:, :] = np.broadcast_to(np.arange(side, dtype=np.uint16), (side, side))
        tracemalloc.start()
        p = dataclasses.replace(quick, sigma=1.0, noise="gaussian")
        target = tmp_path / f"out{side}.zarr"
        list(restore_stack(source, target, p, StackOptions(tile=512), replace=True))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1], peaks


def test_the_record_is_json(ome, run, tmp_path):
    record = run(ome, tmp_path / "out.ome.zarr")
    written = dict(zarr.open_group(tmp_path / "out.ome.zarr", mode="r").attrs)["napari-dred"]
    assert json.loads(json.dumps(record))["channels"] == written["channels"]


@pytest.mark.parametrize(
    ("changes", "told", "what"),
    [
        ({"keep_observed": True}, {}, "no pixel is missing"),
        ({}, {"around_mask": True}, "no pixel is missing"),
        ({"keep_observed": True, "scale": 2}, {}, "scale is 2"),
        ({"boundary": "circular", "blur_sigma": 1.0}, {"tile": 128}, "circular"),
    ],
)
def test_what_leaves_nothing_to_do_or_does_not_go_together_is_refused(
    changes, told, what, run, quick, tmp_path
):
    tifffile.imwrite(tmp_path / "in.tif", np.ones((200, 200), np.uint8))
    with pytest.raises(InputError, match=what):
        run(tmp_path / "in.tif", tmp_path / "out.tif", quick.replace(**changes), **told)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("compression", ["lzw", "zstd", "zlib"])
def test_a_compressed_stack_is_restored_as_the_plain_one(compression, noisy, run, tmp_path):
    plain, packed = tmp_path / "plain.ome.tif", tmp_path / "packed.ome.tif"
    tifffile.imwrite(plain, noisy[0, 0], metadata={"axes": "ZYX"})
    tifffile.imwrite(packed, noisy[0, 0], metadata={"axes": "ZYX"}, compression=compression)
    for path in (plain, packed):
        run(path, path.with_name(f"made-{path.name}"))
    made = (tifffile.imread(tmp_path / f"made-{p.name}") for p in (plain, packed))
    np.testing.assert_array_equal(*made)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"photometric": "miniswhite"}, "0 stands for white"),
        (
            {"photometric": "minisblack", "extratags": [(274, "H", 1, 3, True)]},
            "turned or mirrored",
        ),
        ({"photometric": "rgb", "extrasamples": ["assocalpha"]}, "multiplied by their alpha"),
    ],
)
def test_samples_that_do_not_mean_what_they_say_are_refused(tmp_path, options, said):
    path, samples = tmp_path / "in.tif", (4,) * ("extrasamples" in options)
    tifffile.imwrite(path, np.zeros((3, 24, 32, *samples), np.uint8), **options)
    with pytest.raises(InputError, match=said):
        open_stack(path)
