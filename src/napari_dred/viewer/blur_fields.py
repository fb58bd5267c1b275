"""The fields that say which blur there is: a Gaussian, or a PSF that was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from magicgui.widgets import CheckBox, ComboBox
from napari.components import ViewerModel
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import PSFRecord
from napari_dred.viewer.fields import LayerChoice, number
from napari_dred.viewer.psf import find_psf, psf_reader
from napari_dred.viewer.symptoms import Symptom
from napari_dred.viewer.watch import Watch

GAUSSIAN, MEASURED = "Gaussian", "measured PSF"
FIRST_BLUR = 1.0  # pixels, where it is not known yet


class BlurFields:
    """Kind and amount of the blur.

    Parameters
    ----------
    viewer : napari viewer
    layers : callable
        Gives those layers of a type that may be chosen.
    edited : callable
        Called with an event when the PSF's samples change.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        layers: Callable[[type[Layer]], Sequence[Layer]],
        edited: Callable[[Any], None],
    ) -> None:
        self._viewer = viewer
        self._watch = Watch(edited)
        self.kind = ComboBox(
            name="blur_kind",
            label="Blur",
            choices=(GAUSSIAN, MEASURED),
            tooltip="How a point is spread: a bell of some width, or as an image of a point shows.",
        )
        self.sigma = number("blur_sigma", "Blur σ", lowest_text="none")
        self.sigma.native.setSuffix(" px")
        self.psf = LayerChoice(
            partial(layers, Image),
            none_text="none",
            name="psf",
            label="PSF",
            tooltip="Image layer with a picture of a point, on the pixel grid of the result and "
            "without background; of a stack, the plane that is shown.",
        )
        self.widgets: list[Any] = [self.kind, self.sigma, self.psf]
        self.kind.changed.connect(self._on_kind)

    @property
    def measured(self) -> bool:
        """Whether a measured PSF is to be taken."""
        return bool(self.kind.value == MEASURED)

    def values(self) -> dict[str, Any]:
        """What they say, by field of `Parameters`."""
        return {"blur_sigma": 0.0 if self.measured else self.sigma.exact}

    def reader(self, image: Image | None) -> Callable[[], NDArray[Any]] | None:
        """Give a function that reads the measured PSF; None without one.

        Raises
        ------
        InputError
            If no layer is chosen for it, or one that cannot be it.
        """
        if not self.measured:
            return None
        if self.psf.value is None:
            raise InputError(
                "a measured PSF is asked for and no layer is chosen; choose the image layer with "
                "the PSF, or the Gaussian blur"
            )
        return psf_reader(self.psf.value, self._viewer, image)

    def find(self, record: PSFRecord, image: Image | None) -> Image:
        """Find the layer that shows the PSF of an earlier run; it is not the image.

        Raises
        ------
        InputError
            If there is none.
        """
        others = [x for x in self.psf.choices if x not in (None, image)]
        return find_psf(record, self._viewer, others)

    def show(self, parameters: Parameters, psf: Image | None = None) -> None:
        """Fill them in."""
        self.kind.value = GAUSSIAN if psf is None else MEASURED
        self.psf.value = psf
        self.sigma.set_exact(parameters.blur_sigma)

    def refresh(self, ticked: bool) -> None:
        """Show what there is to choose."""
        self.kind.visible = ticked
        self.sigma.visible = ticked and not self.measured
        self.psf.visible = ticked and self.measured
        self._watch.follow(self.psf.value if self.measured else None)

    def close_down(self) -> None:
        """Follow the PSF's layer no longer."""
        self._watch.follow(None)

    def symptom(self, box: CheckBox) -> Symptom:
        """Told by a width above 0 or a measured PSF; beginning with what it was before."""
        last: tuple[str, float, Image | None] = (GAUSSIAN, FIRST_BLUR, None)

        def begin() -> None:
            self.kind.value, self.sigma.value, psf = last
            self.psf.value = psf if psf in self.psf.choices else None

        def end() -> None:
            nonlocal last
            last = self.kind.value, self.sigma.value, self.psf.value
            self.kind.value, self.sigma.value, self.psf.value = GAUSSIAN, 0, None

        fields = (self.kind, self.sigma)
        return Symptom(box, fields, lambda: self.measured or self.sigma.value > 0, begin, end)

    def _on_kind(self) -> None:
        if not self.measured and self.sigma.value == 0:
            self.sigma.value = FIRST_BLUR
