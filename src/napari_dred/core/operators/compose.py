"""Several operators, one after the other."""

from __future__ import annotations

import itertools
import math

from torch import Tensor

from napari_dred.core.operators.base import Operator


class Compose(Operator):
    """H = H₁ ∘ H₂ ∘ …: as in the formula, the last one acts first.

    Parameters
    ----------
    *operators : Operator
        For example ``Compose(mask, downsample, blur)``.

    Raises
    ------
    ValueError
        If there is none, or one's output is not of the next one's size.
    """

    def __init__(self, *operators: Operator) -> None:
        if not operators:
            raise ValueError("Compose needs at least one operator")
        for outer, inner in itertools.pairwise(operators):
            if outer.in_shape != inner.out_shape:
                raise ValueError(
                    f"{type(inner).__name__} gives {inner.out_shape} and "
                    f"{type(outer).__name__} takes {outer.in_shape}"
                )
        self.operators = operators
        self.in_shape = operators[-1].in_shape
        self.out_shape = operators[0].out_shape

    def _forward(self, x: Tensor) -> Tensor:
        for op in reversed(self.operators):
            x = op._forward(x)
        return x

    def _adjoint(self, y: Tensor) -> Tensor:
        for op in self.operators:
            y = op._adjoint(y)
        return y

    def _spectrum(self) -> Tensor | None:
        # Near the truth for a blur and what keeps most of what the blur left, as
        # down-sampling does. A mask is far from circulant: with down-sampling it then takes
        # more iterations, not fewer.
        if any(op.in_shape != self.in_shape for op in self.operators):
            return None
        spectra = [op._spectrum() for op in self.operators]
        known = [s for s in spectra if s is not None]
        return math.prod(known[1:], start=known[0]) if len(known) == len(spectra) else None
