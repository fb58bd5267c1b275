"""The fields that say which noise there is, and how much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, Container
from napari.layers import Image
from qtpy.QtWidgets import QSizePolicy

from napari_dred.core.parameters import Parameters
from napari_dred.viewer.fields import choice, decimals, number


class NoiseFields:
    """Kind and level of the noise.

    Parameters
    ----------
    image : callable
        Gives the image layer; its sample values say how many decimals the level needs.
    """

    def __init__(self, image: Callable[[], Image | None]) -> None:
        self._image = image
        self.kind = choice("noise", "Noise")
        self.sigma = number("sigma", "Noise σ")
        self.estimate = CheckBox(
            text="estimate", value=True, tooltip="Estimate the noise level from the image."
        )
        # The panel may be as narrow as the other fields allow.
        self.sigma.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.sigma.native.setMinimumWidth(80)
        level: Container[Any] = Container(
            widgets=[self.sigma, self.estimate],
            layout="horizontal",
            labels=False,
            label="Noise σ",
        )
        level.margins = (0, 0, 0, 0)
        self.widgets: list[Any] = [self.kind, level]

    def values(self) -> dict[str, Any]:
        """What they say, by field of `Parameters`."""
        sigma = None if self.estimate.value else self.sigma.exact
        return {"noise": self.kind.value, "sigma": sigma}

    def show(self, parameters: Parameters) -> None:
        """Fill them in."""
        self.kind.value = parameters.noise
        self.estimate.value = parameters.sigma is None
        if parameters.sigma is not None:
            self.show_sigma(parameters.sigma)

    def show_sigma(self, sigma: float) -> None:
        """Show a noise level."""
        self._adapt(min(sigma, self.sigma.max))
        self.sigma.set_exact(sigma)

    def forget(self) -> None:
        """An estimate was of another image."""
        if self.estimate.value:
            self.sigma.set_exact(0)

    def refresh(self) -> None:
        """Bring what depends on other fields up to date."""
        self.sigma.enabled = not self.estimate.value
        self.sigma.native.setSpecialValueText("" if self.sigma.enabled else "auto")
        self._adapt(self.sigma.value)

    def _adapt(self, sigma: float) -> None:
        """As many decimals as the image's sample values, and the level itself, call for."""
        image = self._image()
        count = max(2, decimals(sigma))
        if image is not None and np.dtype(str(image.dtype)).kind == "f":
            low, high = image.contrast_limits_range
            count = max(count, decimals((high - low) / 100))
        self.sigma.native.setDecimals(count)
