"""Positional-encoding image prior (Shabtay et al. 2022): Fourier features, 1 x 1 convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_dred.core.networks.skip import SkipNetwork

FREQUENCIES, HIGHEST = 8, 8  # how many, and the logarithm (to base 2) of the highest


class PositionalNetwork(SkipNetwork):
    """The skip network with 1 x 1 convolutions alone, on Fourier features of the coordinates.

    Parameters
    ----------
    channels, size, widths, generator
        As `SkipNetwork`; five times 128 makes 329,575 parameters for RGB.
    learned : bool
        Whether the frequencies are parameters too.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        widths: Sequence[int],
        *,
        generator: torch.Generator,
        learned: bool = False,
    ) -> None:
        super().__init__(
            channels,
            size,
            widths,
            generator=generator,
            kernel=1,
            input_channels=4 * FREQUENCIES,
        )
        steps = torch.linspace(0, HIGHEST, FREQUENCIES)
        self.frequencies = nn.Parameter(2**steps, requires_grad=learned) if learned else 2**steps
        self.keep_input(self._encoded())

    @property
    def z(self) -> Tensor:
        if isinstance(self.frequencies, nn.Parameter):
            return self._encoded()
        return self._z

    def _encoded(self) -> Tensor:
        """Cosines and sines of the column, then of the row, at every frequency."""
        h, w = self.input_size
        planes = []
        for along, n in enumerate((w, h)):
            at = torch.linspace(0, 1, n, device=self.frequencies.device)
            angle = self.frequencies[:, None] * at
            angle = angle[:, None, :] if along == 0 else angle[:, :, None]
            planes += [f(angle).expand(-1, h, w) for f in (torch.cos, torch.sin)]
        return torch.cat(planes)[None]
