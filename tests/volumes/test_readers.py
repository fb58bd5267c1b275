"""What is written is read as it was meant by readers that share no code with this package."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

SIZES = 300.0, 0.12, 0.11  # Z in nanometres, Y and X in micrometres, as `ome` has them


@pytest.fixture
def restored(ome, run, tmp_path):
    """The samples that an OME-TIFF got, and OME-Zarr images with the same, by version."""

    def made(version):
        tiff, image = tmp_path / "out.ome.tif", tmp_path / f"out-{version}.ome.zarr"
        run(ome, tiff)
        run(ome, image, version=version)
        return tifffile.imread(tiff), tiff, image

    return made


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_py(version, restored):
    reader = pytest.importorskip("ome_zarr.reader", reason="ome-zarr is not installed")
    from ome_zarr.io import parse_url

    samples, _, image = restored(version)
    (node,) = reader.Reader(parse_url(str(image)))()
    np.testing.assert_array_equal(np.asarray(node.data[0]), samples)
    assert [axis["name"] for axis in node.metadata["axes"]] == list("tczyx")
    units = [axis.get("unit") for axis in node.metadata["axes"]]
    assert units[2:] == ["nanometer", "micrometer", "micrometer"]
    assert node.metadata["channel_names"] == ["DAPI", "GFP"]
    (scale,) = node.metadata["coordinateTransformations"][0]
    assert scale["scale"][2:] == pytest.approx(SIZES)


@pytest.mark.filterwarnings("ignore")  # of libraries that only this reader brings
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_bioio(version, restored):
    bioio = pytest.importorskip("bioio", reason="bioio is not installed")
    import bioio_ome_tiff
    import bioio_ome_zarr

    samples, tiff, image = restored(version)
    for path, plugin in ((tiff, bioio_ome_tiff), (image, bioio_ome_zarr)):
        read = bioio.BioImage(str(path), reader=plugin.Reader)
        np.testing.assert_array_equal(read.data, samples)
        assert read.dims.order == "TCZYX"
        assert [str(name) for name in read.channel_names] == ["DAPI", "GFP"]
        assert tuple(read.physical_pixel_sizes) == pytest.approx(SIZES)
