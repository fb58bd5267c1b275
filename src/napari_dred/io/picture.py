"""A picture between its file and the solver: samples, and what lies beside them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_dred.io.axes import ONE
from napari_dred.io.ome_xml import adapted
from napari_dred.io.resolution import Resolution


@dataclass(frozen=True)
class Picture:
    """One plane of an image file.

    Attributes
    ----------
    samples : (H, W) or (H, W, 3) array
        Gray or RGB, in the file's own dtype and values.
    alpha : (H, W) array or None
    premultiplied : bool
        Whether the samples were multiplied by alpha (TIFF's "associated" alpha).
    icc_profile : bytes or None
        As it stands in the file.
    resolution : Resolution or None
    notes : tuple of str
        Sentences for the user on what was converted.
    ome_xml : str
        The whole of an OME-TIFF's, made to fit the picture when it is written as one.
    """

    samples: NDArray[Any]
    alpha: NDArray[Any] | None = None
    premultiplied: bool = False
    icc_profile: bytes | None = None
    resolution: Resolution | None = None
    notes: tuple[str, ...] = ()
    ome_xml: str = field(default="", repr=False)

    def part(self, rows: slice, columns: slice) -> Picture:
        """Give a rectangle of the picture."""
        alpha = None if self.alpha is None else self.alpha[rows, columns]
        return dataclasses.replace(self, samples=self.samples[rows, columns], alpha=alpha)

    def restored(self, samples: NDArray[Any], factor: int = 1) -> Picture:
        """Give the picture with other samples, and with all the rest made to fit them.

        Parameters
        ----------
        samples : (H * factor, W * factor) or (H * factor, W * factor, C) array
            Any dtype; an integer alpha keeps its fraction of full scale in it.
        factor : int
            Pixels along each side for one of this picture.
        """
        alpha = self.alpha
        if alpha is not None:
            alpha = _converted_alpha(enlarged(alpha, factor), samples.dtype)
        resolution = self.resolution and self.resolution.scaled(factor)
        xml = self.ome_xml
        if xml and factor > 1:
            xml = adapted(xml, ONE, samples.shape[:2], samples.dtype.name, factor)
        return dataclasses.replace(
            self, samples=samples, alpha=alpha, resolution=resolution, ome_xml=xml
        )


def enlarged(alpha: NDArray[Any], factor: int) -> NDArray[Any]:
    """Enlarge an alpha channel to go with a super-resolved image.

    Lanczos, within the values that were there.

    Parameters
    ----------
    alpha : (H, W) array
    factor : int
        Pixels along each side for one of `alpha`.

    Returns
    -------
    (H * factor, W * factor) array of the same dtype
    """
    if factor == 1:
        return alpha
    height, width = alpha.shape
    image = Image.fromarray(alpha.astype(np.float32))
    large = np.asarray(image.resize((width * factor, height * factor), Image.Resampling.LANCZOS))
    return _cast(np.clip(large, alpha.min(), alpha.max()), alpha.dtype)


def _converted_alpha(alpha: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Give alpha in the samples' dtype; full scale is the largest integer, or 1."""
    if alpha.dtype == dtype:
        return alpha
    full = [np.iinfo(d).max if d.kind in "ui" else 1 for d in (alpha.dtype, dtype)]
    return _cast(np.clip(alpha / full[0], 0, 1) * full[1], dtype)


def _cast(a: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    return (np.rint(a) if dtype.kind in "ui" else a).astype(dtype)
