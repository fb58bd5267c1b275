"""The degradation H = Mask ∘ Downsample ∘ Blur: the parts, their composition, one builder."""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from napari_dred.core.errors import InputError
from napari_dred.core.operators.base import Operator
from napari_dred.core.operators.blur import Blur, gaussian_kernel, normalised_kernel
from napari_dred.core.operators.compose import Compose
from napari_dred.core.operators.downsample import Downsample
from napari_dred.core.operators.pointwise import Identity, Mask

__all__ = [
    "Blur",
    "Compose",
    "Downsample",
    "Identity",
    "Mask",
    "Operator",
    "build_operator",
    "gaussian_kernel",
    "normalised_kernel",
]


def build_operator(
    out_shape: tuple[int, int],
    *,
    observed: Tensor | ArrayLike | None = None,
    factor: int = 1,
    kernel: ArrayLike | None = None,
    boundary: str = "reflect",
) -> Operator:
    """Make H for an observed image, any part left out.

    Parameters
    ----------
    out_shape : (int, int)
        Height and width of the observed image Y. X is `factor` times as large.
    observed : (h, w), (1 or C, h, w) or (1, 1 or C, h, w) array or Tensor, optional
        True or 1 where Y was observed, False or 0 where it is missing.
    factor : int
        Down-sampling factor, 1 for none.
    kernel : 2-D array, optional
        Point-spread function on the grid of X, not negative; divided by its sum.
    boundary : str
        'reflect', 'circular' or 'zero': see `Blur`.

    Returns
    -------
    Operator

    Raises
    ------
    InputError
        If the mask's size is not `out_shape`, or the factor, kernel or boundary is not usable.
    """
    in_shape = (factor * out_shape[0], factor * out_shape[1])
    parts: list[Operator] = []
    if observed is not None:
        mask = Mask(observed)
        if mask.out_shape != out_shape:
            raise InputError(
                f"the mask is {mask.out_shape[0]} x {mask.out_shape[1]} and the image "
                f"{out_shape[0]} x {out_shape[1]}; they must have the same size"
            )
        # A mask that masks nothing would only cost the closed forms.
        if not bool(torch.as_tensor(observed).to(torch.float32).eq(1).all()):
            parts.append(mask)
    if factor != 1:
        parts.append(Downsample(in_shape, factor))
    if kernel is not None:
        parts.append(Blur(in_shape, kernel, boundary))
    if not parts:
        return Identity(out_shape)
    return parts[0] if len(parts) == 1 else Compose(*parts)
