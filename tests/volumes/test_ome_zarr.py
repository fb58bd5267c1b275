"""OME-Zarr through a restoration: where its samples lie, and what its channels are called."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from napari_dred.core.parameters import Parameters
from napari_dred.io.axes import Selection
from napari_dred.io.ome_zarr import open_image

SCALE, TRANSLATION = [1.0, 2.0, 0.5, 0.25], [0.0, 10.0, 3.0, -4.0]


@pytest.fixture
def image(tmp_path, noisy):
    """(2, 3, 40, 48) C, Z, Y, X without units; with one channel's name for its two."""
    path = tmp_path / "in.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    array = group.create_array("0", shape=(2, 3, 40, 48), dtype="uint16", chunks=(1, 1, 40, 48))
    array[:] = noisy[0]
    half = {"type": "scale", "scale": [1.0, 1.0, 0.5, 0.5]}
    steps = [{"type": "scale", "scale": SCALE}, {"type": "translation", "translation": TRANSLATION}]
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [
                {"name": "c", "type": "channel"},
                *({"name": name, "type": "space"} for name in "zyx"),
            ],
            "datasets": [{"path": "0", "coordinateTransformations": steps}],
            "coordinateTransformations": [half],
        }
    ]
    group.attrs["omero"] = {"channels": [{"label": "DAPI", "color": "0000FF"}]}
    return path


def _first_edges(metadata):
    """Where the first pixel begins, and its size, along Y and X."""
    sizes = {axis: metadata.sizes[axis][0] for axis in "YX"}
    return {a: metadata.origin.get(a, 0) - sizes[a] / 2 for a in "YX"}, sizes


def test_sizes_without_a_unit_and_places_are_read(image):
    _, axes, metadata = open_image(image)
    assert axes == "CZYX"
    assert metadata.sizes == {"Z": (2, ""), "Y": (0.25, ""), "X": (0.125, "")}
    assert metadata.origin == {"Z": 10, "Y": 1.5, "X": -2}


@pytest.mark.parametrize("factor", [1, 2])
def test_the_result_lies_where_the_image_does(image, run, tmp_path, factor):
    target = tmp_path / "out.ome.zarr"
    run(image, target, Parameters(preset="preview", iterations=1, threads=1, scale=factor))
    before, after = (open_image(path)[2] for path in (image, target))
    (edges, sizes), (new_edges, new_sizes) = map(_first_edges, (before, after))
    assert new_edges == pytest.approx(edges)
    assert new_sizes == pytest.approx({axis: size / factor for axis, size in sizes.items()})
    assert after.origin["Z"] == before.origin["Z"]


def test_planes_of_a_part_lie_where_they_did(image, run, tmp_path):
    target = tmp_path / "out.ome.zarr"
    run(image, target, selection=Selection.from_text("Z=1:3"))
    assert open_image(target)[2].origin["Z"] == 12


def test_names_for_fewer_channels_than_there_are_are_left_out(image, run, tmp_path):
    target = tmp_path / "out.ome.zarr"
    run(image, target)
    assert "omero" not in dict(zarr.open_group(target, mode="r").attrs)


def test_the_names_of_the_chosen_channels_are_kept(image, run, tmp_path):
    group = zarr.open_group(image, mode="r+")
    group.attrs["omero"] = {"channels": [{"label": "DAPI"}, {"label": "GFP"}], "id": 7}
    target = tmp_path / "out.ome.zarr"
    run(image, target, selection=Selection.from_text("C=1"))
    omero = dict(zarr.open_group(target, mode="r").attrs)["omero"]
    assert omero == {"channels": [{"label": "GFP"}], "id": 7}


def test_the_levels_of_a_pyramid_lie_on_each_other(tmp_path, run):
    path = tmp_path / "in.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("0", data=np.tile(np.arange(310, dtype=np.uint8) % 200, (300, 1)))
    group.attrs["multiscales"] = [
        {
            "version": "0.4",
            "axes": [{"name": n, "type": "space"} for n in "yx"],
            "datasets": [
                {
                    "path": "0",
                    "coordinateTransformations": [
                        {"type": "scale", "scale": [2.0, 2.0]},
                        {"type": "translation", "translation": [5.0, 0.0]},
                    ],
                }
            ],
        }
    ]
    target = tmp_path / "out.ome.zarr"
    run(path, target)
    levels = zarr.open_group(target, mode="r").attrs["multiscales"][0]["datasets"]
    steps = [{s["type"]: s[s["type"]] for s in d["coordinateTransformations"]} for d in levels]
    assert [s["translation"] for s in steps] == [[5.0, 0.0], [6.0, 1.0]]
    assert [s["scale"] for s in steps] == [[2.0, 2.0], [4.0, 4.0]]
