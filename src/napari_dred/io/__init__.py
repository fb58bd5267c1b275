"""Image files in and out: TIFF, PNG and JPEG, one plane each, with what lies beside the samples."""

from napari_dred.io.picture import Picture, enlarged
from napari_dred.io.read import kind_of, marked, read_mask, read_picture, read_psf
from napari_dred.io.record import read_record
from napari_dred.io.resolution import Resolution
from napari_dred.io.write import check_no_input, check_output, replace_file, write_picture

__all__ = [
    "Picture",
    "Resolution",
    "check_no_input",
    "check_output",
    "enlarged",
    "kind_of",
    "marked",
    "read_mask",
    "read_picture",
    "read_psf",
    "read_record",
    "replace_file",
    "write_picture",
]
