"""The fields and buttons of the panel "Compare methods", with their help; nothing happens here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from magicgui.widgets import CheckBox, Container, PushButton
from napari.layers import Image, Layer
from qtpy.QtWidgets import QGridLayout, QSizePolicy, QWidget

from napari_dred.core.methods import EXPLANATIONS, METHODS
from napari_dred.core.parameters import Parameters
from napari_dred.core.presets import fill_in
from napari_dred.viewer.fields import LayerChoice, line, number

_TICKED = ("dred", "hqs")
_COLUMNS = 2
# As many as the network of the quick preset takes: what a processor does in minutes.
_LIMIT: Any = fill_in(Parameters(preset="fast"), "inpaint", 0.0).iterations


class MethodsForm(Container[Any]):
    """The fields and buttons.

    Parameters
    ----------
    layers : callable
        Gives those layers of a type that may be chosen.

    Attributes
    ----------
    ticks : dict
        A check box for each method.
    about : Label
        What the method is that was ticked or unticked last.
    status : Label
        What is done or could not be; left to the panel to place, like the buttons.
    """

    def __init__(self, layers: Callable[[type[Layer]], Sequence[Layer]]) -> None:
        super().__init__(labels=True)
        self.ticks = {
            name: CheckBox(text=name, value=name in _TICKED, tooltip=EXPLANATIONS[name])
            for name in METHODS
        }
        self._methods = QWidget()
        grid = QGridLayout(self._methods)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        rows = -(-len(self.ticks) // _COLUMNS)
        for i, (name, tick) in enumerate(self.ticks.items()):
            grid.addWidget(tick.native, i % rows, i // rows)
            tick.changed.connect(partial(self._explain, name))
        self.about = line()
        grid.addWidget(self.about.native, rows, 0, 1, _COLUMNS)
        self._explain(METHODS[0])
        self.limit = number("iterations", "At most")
        self.limit.value = _LIMIT
        self.limit.tooltip = (
            "Iterations of each method; the published ones run thousands by themselves, and a "
            "result that was cut short is not their best. Steps of the denoiser before and after "
            "the iterations come on top."
        )
        self.limit.native.setSuffix(" iterations each")
        self.reference = LayerChoice(
            partial(layers, Image),
            none_text="none",
            name="reference",
            label="Reference",
            tooltip="The image as it should be, if known: the table then has PSNR and SSIM.",
        )
        self.reference.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.start_button = PushButton(
            text="Compare",
            tooltip="Run the ticked methods one after the other on what is chosen in the panel "
            "Restore image, with its noise, blur and mask; each result becomes a layer.",
        )
        self.cancel_button = PushButton(
            text="Cancel", tooltip="End the present run and take the others off the queue."
        )
        self.copy_button = PushButton(text="Copy", tooltip="Copy the table to the clipboard.")
        self.save_button = PushButton(text="Save…", tooltip="Save the table as a CSV file.")
        self.spread = CheckBox(
            text="Show all side by side",
            tooltip="The image, all results and the reference in a grid whose panes move together.",
        )
        self.status = line()
        self.extend([self.limit, self.reference])
        self.native.layout().insertWidget(0, self._methods)
        self.margins = (0, 0, 0, 0)

    def _explain(self, name: str, ticked: bool = True) -> None:
        self.about.value = f"{name}: {EXPLANATIONS[name]}"

    @property
    def ticked(self) -> list[str]:
        """The methods to compare."""
        return [name for name, tick in self.ticks.items() if tick.value]
