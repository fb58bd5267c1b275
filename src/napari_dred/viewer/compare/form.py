"""The fields and buttons of the panel "Compare images", with their help; nothing happens here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container, FloatSlider, FloatSpinBox, PushButton
from napari.layers import Image, Labels, Layer
from qtpy.QtWidgets import QSizePolicy

from napari_dred.viewer.compare.views import BLINK, SIDE_BY_SIDE, SWIPE
from napari_dred.viewer.fields import LayerChoice, line

NO_VIEW = "as it is"
_OF_COLOUR = (
    "Of colour images: how large it is over the three channels (root mean square), green where "
    "their sum is positive and pink where it is negative."
)


class Form(Container[Any]):
    """The fields and buttons.

    Parameters
    ----------
    layers : callable
        Gives those layers of a type that may be chosen.

    Attributes
    ----------
    status : Label
        What was done or could not be; left to the panel to place.
    """

    def __init__(self, layers: Callable[[type[Layer]], Sequence[Layer]]) -> None:
        # Not magicgui's own scroll area: napari docks what it holds without it.
        super().__init__(labels=True)

        def choose(name: str, tooltip: str, kind: type[Layer] = Image, none: str = "") -> Any:
            choice = LayerChoice(
                partial(layers, kind),
                none_text=none,
                name=name.lower(),
                label=name,
                tooltip=tooltip,
            )
            choice.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            return choice

        self.before = choose("Before", "The image as it was.")
        self.after = choose("After", "The image to compare it with, a restored one for example.")
        self.reference = choose("Reference", "The image as it should be, if known.", none="none")
        self.view = ComboBox(
            label="View",
            choices=(NO_VIEW, SIDE_BY_SIDE, SWIPE, BLINK),
            tooltip="How both layers are shown; with 'as it is' the viewer is as it was before.",
        )
        self.position = FloatSlider(
            label="Divider",
            min=0,
            max=100,
            value=50,
            step=0.5,
            tooltip="Place of the divider, in percent of the width; the mouse can drag it too.",
        )
        self.rate = FloatSpinBox(
            label="Changes / s",
            min=0.5,
            max=5,  # more than three flashes a second can harm
            step=0.5,
            value=2,
            tooltip="How often the other image is shown, in changes a second.",
        )
        self.same_contrast = CheckBox(
            text="Same contrast for both",
            tooltip="The contrast limits of the image before for both, as long as this is checked.",
        )
        self.mask = choose(
            "Mask", "Labels layer of the pixels that were missing.", Labels, none="none"
        )
        self.difference_button = PushButton(
            text="Difference",
            tooltip="Add after − before as a layer, in colours around zero. " + _OF_COLOUR,
        )
        self.residual_button = PushButton(
            text="Residual",
            tooltip="Add what the restoration removed as a layer: the image before minus the "
            "result, blurred and reduced as the image was. " + _OF_COLOUR,
        )
        self.measure_button = PushButton(
            text="Measure",
            tooltip="Without a reference, FRC tells how fine the details are, not whether they "
            "are true.",
        )
        self.copy_button = PushButton(text="Copy", tooltip="Copy the table to the clipboard.")
        self.save_button = PushButton(text="Save…", tooltip="Save the table as a CSV file.")
        self.profile_button = PushButton(
            text="Line profile",
            tooltip="Plot the values of both images along a line: draw it on the image, or first "
            "select the Shapes layer that has it.",
        )
        self.status = line()
        self.extend(
            [
                *(self.before, self.after, self.reference),
                *(self.view, self.position, self.rate, self.same_contrast, self.mask),
                _side_by_side(self.difference_button, self.residual_button),
                _side_by_side(self.profile_button, self.measure_button),
                _side_by_side(self.copy_button, self.save_button),
            ]
        )


def _side_by_side(*widgets: Any) -> Container[Any]:
    row: Container[Any] = Container(widgets=widgets, layout="horizontal", labels=False)
    row.margins = (0, 0, 0, 0)
    return row
