"""What a restored picture's file says of the run that made it: a JSON object beside the samples."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from tifffile import TiffFile

from napari_dred.core.errors import InputError
from napari_dred.io.guard import of_any_size, reading
from napari_dred.io.read import known_kind

#: A tag of the range that TIFF leaves to everybody: the description belongs to ImageJ and OME.
TIFF_TAG = 65035
#: The key of a PNG's text chunk.
PNG_KEY = "napari-dred"


def record_text(record: Mapping[str, Any]) -> str:
    """Give the record as it is written into a file: JSON in ASCII, as TIFF's texts must be.

    Without the seconds that the run took, so that the same run gives the same file.
    """
    return json.dumps({key: value for key, value in record.items() if key != "seconds"})


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read what `write_picture` noted of the run.

    Parameters
    ----------
    path : path-like
        A TIFF or PNG file.

    Returns
    -------
    dict
        JSON values, of which only their being JSON has been checked.

    Raises
    ------
    InputError
        If the file cannot be read, or holds no such record.
    """
    path = Path(path)
    text: Any = None
    with reading(path):
        match known_kind(path):
            case "TIFF":
                with TiffFile(path) as tiff:
                    text = tiff.pages.first.tags.valueof(TIFF_TAG)
            case "PNG":
                with of_any_size(), Image.open(path, formats=("PNG",)) as image:
                    text = image.info.get(PNG_KEY)
    try:
        record = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise InputError(
            f"{path}: this picture has no record of a run; "
            "the TIFF and PNG files that the command line writes have one"
        )
    return record
