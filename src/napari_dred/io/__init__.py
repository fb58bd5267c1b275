"""Image files in and out: TIFF, PNG and JPEG, one plane each, with what lies beside the samples."""

from napari_dred.io.picture import Picture, enlarged
from napari_dred.io.read import read_mask, read_picture, read_psf
from napari_dred.io.resolution import Resolution
from napari_dred.io.write import check_output, replace_file, write_picture

__all__ = [
    "Picture",
    "Resolution",
    "check_output",
    "enlarged",
    "read_mask",
    "read_picture",
    "read_psf",
    "replace_file",
    "write_picture",
]
