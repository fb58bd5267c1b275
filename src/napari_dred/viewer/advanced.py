"""The fields that are folded away: how and where it is done, and the solver's own values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox, Container, PushButton
from napari.components import ViewerModel
from napari.layers import Image, Layer, Shapes

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.viewer.fields import LayerChoice, choice, help_of, number, value_of
from napari_dred.viewer.layers import shapes_region, visible_region
from napari_dred.viewer.parameter_rows import AS_PRESET, ParameterRows
from napari_dred.volumes import Region

WHOLE, VISIBLE, RECTANGLE = "whole image", "visible part", "rectangle (Shapes layer)"
# By hand: asking which there are would import torch. What is not there is refused by name.
DEVICES = ("auto", "cpu", "cuda", "mps")

#: Fields with a widget of their own, here and in the rest of the form, or with none on purpose:
#: the task follows from the ticks, the threads from the machine.
_ELSEWHERE = {
    *("task", "scale", "blur_sigma", "noise", "sigma", "keep_observed", "threads"),
    *("preset", "iterations", "device", "boundary", "output_dtype"),
}
_GENERAL = ("method", "precision", "seed", "weights")
#: All others: the solver's own.
_SOLVER = [f.name for f in dataclasses.fields(Parameters) if f.name not in {*_ELSEWHERE, *_GENERAL}]


class Advanced:
    """The two folds.

    Parameters
    ----------
    viewer : napari viewer
    layers : callable
        Gives those layers of a type that may be chosen.
    """

    def __init__(
        self, viewer: ViewerModel, layers: Callable[[type[Layer]], Sequence[Layer]]
    ) -> None:
        self._viewer = viewer
        self.fold = _fold("Show or hide how and where it is done.")
        self.solver_fold = _fold("Show or hide the solver's own values, which the preset decides.")
        self.preset = choice("preset", "Preset")
        self.iterations = number("iterations", "Iterations", lowest_text=AS_PRESET)
        self.device = ComboBox(
            name="device", label="Device", choices=DEVICES, tooltip=help_of("device")
        )
        self.region = ComboBox(
            name="region",
            label="Region",
            choices=(WHOLE, VISIBLE, RECTANGLE),
            tooltip="A part is restored together with its surroundings and pasted back; "
            "when enlarging, the result is the part alone.",
        )
        self.shapes = LayerChoice(
            partial(layers, Shapes),
            name="shapes",
            label="Rectangle",
            tooltip="Shapes layer: the box around its selected shapes, or around all of them.",
        )
        self.boundary = choice("boundary", "Border")
        self.output_dtype = choice("output_dtype", "Result", {"same": "as the image"})
        self.general, self.solver = ParameterRows(_GENERAL), ParameterRows(_SOLVER)
        self._folded: list[Any] = [
            *(self.preset, self.iterations, self.device, self.region, self.shapes),
            *(self.boundary, self.output_dtype, *self.general.widgets, self.solver_fold),
        ]
        # By themselves: their names are longer than those of the other fields.
        self.solver_box: Container[Any] = Container(widgets=self.solver.widgets, labels=True)
        self.solver_box.margins = (0, 0, 0, 0)
        self.widgets: list[Any] = [self.fold, *self._folded]
        self.preset.changed.connect(self._on_preset)
        self.general["method"].widget.native.activated.connect(self._on_method)

    def values(self) -> dict[str, Any]:
        """What they say, by field of `Parameters`; not checked but for the file of weights.

        Raises
        ------
        InputError
            If that file is not there.
        """
        values = {
            "preset": self.preset.value,
            "iterations": value_of(self.iterations),
            "device": self.device.value,
            "boundary": self.boundary.value,
            "output_dtype": self.output_dtype.value,
            **self.general.values(),
            **self.solver.values(),
        }
        weights = values["weights"]
        if weights is not None and not Path(weights).is_file():
            raise InputError(
                f"there is no file of weights {weights!r}; choose another under Advanced, or "
                "clear the line for the package's own"
            )
        return values

    def show(self, parameters: Parameters) -> None:
        """Fill them in."""
        p = parameters
        self.preset.value = p.preset
        self.iterations.value = self.iterations.min if p.iterations is None else p.iterations
        if p.device not in self.device.choices:
            self.device.choices = (*self.device.choices, p.device)
        self.device.value = p.device
        self.boundary.value, self.output_dtype.value = p.boundary, p.output_dtype
        self.general.show(p)
        self.solver.show(p)

    def show_preset(self, complete: Parameters | None) -> None:
        """Show what the preset gives, out of the parameters of a plan; None if there is no plan."""
        known = None if complete is None else complete.iterations
        text = AS_PRESET if known is None else f"preset: {known}"
        # A number that was given is in the plan too, and not the preset's.
        if complete is None or value_of(self.iterations) is None:
            self.iterations.native.setSpecialValueText(text)
        self.general.show_preset(complete)
        self.solver.show_preset(complete)

    def region_of(self, image: Image) -> Region | None:
        """Give the part of the image that is to be restored; None for all of it.

        Raises
        ------
        InputError
            If there is no such part.
        """
        if self.region.value == VISIBLE:
            return visible_region(image, self._viewer)
        if self.region.value == RECTANGLE:
            if self.shapes.value is None:
                raise InputError(
                    "there is no Shapes layer; add one and draw a rectangle around the part"
                )
            return shapes_region(self.shapes.value, image, self._viewer)
        return None

    def refresh(self, blurred: bool) -> None:
        """Show what is unfolded and of use."""
        unfolded, all_unfolded = bool(self.fold.value), bool(self.solver_fold.value)
        self.fold.text = f"Advanced  {'▾' if unfolded else '▸'}"
        self.solver_fold.text = f"Solver  {'▾' if all_unfolded else '▸'}"
        for widget in self._folded:
            widget.visible = unfolded
        self.solver_box.visible = unfolded and all_unfolded
        self.shapes.visible = unfolded and self.region.value == RECTANGLE
        self.boundary.visible = unfolded and blurred

    def _on_preset(self) -> None:
        """What was said in its place was for another preset."""
        for name in ("method", "precision"):
            self.general[name].value = None
        self._on_method()

    def _on_method(self) -> None:
        """What was said of its network was for another one."""
        self.iterations.value = self.iterations.min
        self.solver.show(Parameters())
        self.show_preset(None)


def _fold(tooltip: str) -> PushButton:
    button = PushButton(tooltip=tooltip)
    button.native.setCheckable(True)
    return button
