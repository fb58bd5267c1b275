"""The form of the panel: what to restore and how, and what follows from it. It runs nothing."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, Container, FloatSpinBox, PushButton
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Shapes
from numpy.typing import NDArray
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.text import sentence
from napari_dred.viewer.fields import LayerChoice, alive, choice, help_of, line, number, value_of
from napari_dred.viewer.find_missing import FindMissing
from napari_dred.viewer.forecast import Inputs, inputs_of
from napari_dred.viewer.layers import (
    Plane,
    read_plane,
    shapes_region,
    visible_region,
)
from napari_dred.viewer.masks import check_mask, edits_of, mask_statement, read_mask
from napari_dred.viewer.samples import SAMPLE_KEY
from napari_dred.viewer.symptoms import (
    Symptoms,
    amount_symptom,
    layer_symptom,
    noise_symptom,
)
from napari_dred.volumes import Region

WHOLE, VISIBLE, RECTANGLE = "whole image", "visible part", "rectangle (Shapes layer)"
# By hand: asking which there are would import torch. What is not there is refused by name.
DEVICES = ("auto", "cpu", "cuda", "mps")
NO_MASK = "Add a Labels layer and paint over the damage, or let missing pixels be found."
FIRST_BLUR = 1.0  # pixels, where it is not known yet


class RestoreForm(Container[Any]):
    """The fields of the panel.

    Parameters
    ----------
    viewer : napari viewer
    layers : callable
        Gives those layers of a type that may be chosen.
    """

    def __init__(
        self, viewer: ViewerModel, layers: Callable[[type[Layer]], Sequence[Layer]]
    ) -> None:
        super().__init__(labels=True)
        self._viewer = viewer
        self._watched: Labels | Shapes | None = None
        self._mask_seen: NDArray[np.bool_] | None = None  # until something about it changes
        self._exact: dict[str, tuple[float, float]] = {}  # by field: as its box shows it, and exact
        self._given = Parameters()  # what no widget shows
        self._is_sample = False
        self._declined = False  # whether Holes was unticked: then no mask is chosen unasked

        self.image = LayerChoice(
            partial(layers, Image),
            name="image",
            label="Image",
            tooltip="The image to restore; of a stack, the plane that is shown.",
        )
        self.mask = LayerChoice(
            lambda: [*layers(Labels), *layers(Shapes)],
            none_text="none",
            name="mask",
            label="Mask",
            tooltip="Labels layer of the image's size, whose pixels with a non-zero label are "
            "missing and will be replaced; or a Shapes layer, whose shapes cover what is missing.",
        )
        self.mask_line = line()
        self.find = FindMissing(viewer, lambda: self.image.value, self._on_found)
        self.keep_observed = CheckBox(
            name="keep_observed",
            text="Keep pixels outside the mask",
            tooltip=help_of("keep_observed"),
        )
        self.scale = choice("scale", "Enlarge", {1: "no"} | {n: f"{n} ×" for n in (2, 3, 4, 8)})
        self.blur_sigma = number("blur_sigma", "Blur σ", lowest_text="none")
        self.sigma = number("sigma", "Noise σ")
        self.noise = choice("noise", "Noise")
        self.estimate_sigma = CheckBox(
            text="estimate", value=True, tooltip="Estimate the noise level from the image."
        )
        level: Container[Any] = Container(
            widgets=[self.sigma, self.estimate_sigma],
            layout="horizontal",
            labels=False,
            label="Noise σ",
        )
        level.margins = (0, 0, 0, 0)
        self.preset = choice("preset", "Preset")
        self.iterations = number("iterations", "Iterations", lowest_text="as preset")
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
        self.holes = CheckBox(text="Holes", tooltip="Pixels are missing, or damaged beyond use.")
        self.noisy = CheckBox(text="Noise", value=True, tooltip="It is grainy.")
        self.blurred = CheckBox(text="Blur", tooltip="It is out of focus.")
        self.small = CheckBox(text="Low resolution", tooltip="It has too few pixels.")
        self._symptoms = Symptoms(
            (
                layer_symptom(self.holes, self.mask, propose=self._propose_masks),
                noise_symptom(self.noisy, self.noise, self.sigma, self.estimate_sigma),
                amount_symptom(self.blurred, self.blur_sigma, none=0, first=FIRST_BLUR),
                amount_symptom(self.small, self.scale, none=1, first=2),
            ),
            self.refresh,
        )
        self.advanced = PushButton(tooltip="Show or hide how and where it is done.")
        self.advanced.native.setCheckable(True)
        self._shown_with: tuple[tuple[CheckBox, list[Any]], ...] = (
            (self.holes, [self.mask, self.mask_line, self.find, self.keep_observed]),
            (self.noisy, [self.noise, level]),
            (self.blurred, [self.blur_sigma]),
            (self.small, [self.scale]),
        )
        self._advanced: list[Any] = [
            *(self.preset, self.iterations, self.device, self.region, self.shapes),
            *(self.boundary, self.output_dtype),
        ]
        fields = [field for _, fields in self._shown_with for field in fields]
        self.extend([self.image, self._symptoms, *fields, self.advanced, *self._advanced])
        self.margins = (0, 0, 0, 0)
        for layer_choice in (self.image, self.mask, self.shapes):
            # A layer's long name must not make the panel wide.
            layer_choice.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

        # Painting sends many events; the line under the mask follows a moment later.
        self._later = QTimer(self.native)
        self._later.setSingleShot(True)
        self._later.setInterval(100)
        self._later.timeout.connect(self.refresh)
        self._later.timeout.connect(self._align)
        self.preset.changed.connect(self._on_preset)
        self.holes.changed.connect(self._on_holes)
        self.image.changed.connect(self._on_image)
        self.image.changed.connect(self._on_layer)
        self.mask.changed.connect(self._on_layer)
        for widget in (self.scale, self.region, self.shapes, self.estimate_sigma, self.advanced):
            widget.changed.connect(self.refresh)
        viewer.layers.events.inserted.connect(self._on_inserted)
        dims, camera = viewer.dims.events, viewer.scene.camera.events
        for event in (dims.point, dims.order, dims.ndisplay):
            event.connect(self._on_mask_changed)
        for event in (camera.center, camera.zoom):
            event.connect(self._on_camera)

        if viewer.layers.selection.active in self.image.choices:
            self.image.value = viewer.layers.selection.active
        self._propose_masks()
        self._on_image(self.image.value)
        self.refresh()

    def parameters(self) -> Parameters:
        """The parameters as the form stands.

        Raises
        ------
        InputError
            If a value is not allowed.
        """
        return self._given.replace(
            scale=self.scale.value,
            blur_sigma=self._number(self.blur_sigma),
            noise=self.noise.value,
            sigma=None if self.estimate_sigma.value else self._number(self.sigma),
            preset=self.preset.value,
            iterations=value_of(self.iterations),
            device=self.device.value,
            boundary=self.boundary.value,
            output_dtype=self.output_dtype.value,
            threads=self._given.threads or _threads(),
            keep_observed=self.keep_observed.enabled and self.keep_observed.value,
        )

    def read(self) -> tuple[Plane, NDArray[np.bool_] | None, Region | None]:
        """Read the chosen layers: the plane, its mask, and the part that is to be restored.

        Raises
        ------
        InputError
            If there is no image, or the layers do not fit together.
        """
        image: Image | None = self.image.value
        if image is None:
            raise InputError("there is no image layer; open an image first")
        plane = read_plane(image, self._viewer)
        labels: Labels | Shapes | None = self.mask.value
        # Afresh: who fills a layer's array by hand may have told nobody.
        mask = None if labels is None else read_mask(labels, image, self._viewer)
        if mask is None and self.holes.value and np.isfinite(plane.image).all():
            raise InputError(
                "holes are ticked and no mask is chosen; choose the layer that marks them, "
                "or untick Holes"
            )
        self._mask_seen = mask
        region = self._region(image)
        self.refresh()
        return plane, mask, region

    def inputs(self) -> Inputs:
        """What `read` would give to a run, not yet read.

        Raises
        ------
        InputError
            As `read`.
        """
        image = self.image.value
        region = None if image is None else self._region(image)
        return inputs_of(image, self.mask.value, self._viewer, self.parameters(), region=region)

    def set_parameters(self, parameters: Parameters) -> None:
        """Fill in all fields; what no widget shows is kept until another preset is chosen."""
        p = parameters
        self.preset.value = p.preset
        self._given = p
        self.scale.value, self.noise.value = p.scale, p.noise
        self._show_number(self.blur_sigma, p.blur_sigma)
        self.estimate_sigma.value = p.sigma is None
        if p.sigma is not None:
            self.show_sigma(p.sigma)
        self.iterations.value = self.iterations.min if p.iterations is None else p.iterations
        if p.device not in self.device.choices:
            self.device.choices = (*self.device.choices, p.device)
        self.device.value = p.device
        self.keep_observed.value = p.keep_observed
        self.boundary.value, self.output_dtype.value = p.boundary, p.output_dtype
        self._symptoms.follow()
        self._declined = False
        self.refresh()

    def show_sigma(self, sigma: float) -> None:
        """Show a noise level."""
        self._adapt_sigma(min(sigma, self.sigma.max))
        self._show_number(self.sigma, sigma)

    def _show_number(self, box: FloatSpinBox, value: float) -> None:
        if value > 0:
            box.native.setDecimals(max(box.native.decimals(), _decimals(value)))
        box.value = min(value, box.max)
        self._exact[box.name] = (box.value, value)

    def _number(self, box: FloatSpinBox) -> float:
        """What the box says; of a value in it that was not edited, all digits."""
        shown, exact = self._exact.get(box.name, (None, 0.0))
        return exact if box.value == shown else float(box.value)

    def refresh(self) -> None:
        """Bring what depends on other fields up to date."""
        image, labels = self.image.value, self.mask.value
        self._watch(labels)
        self.sigma.enabled = not self.estimate_sigma.value
        self.sigma.native.setSpecialValueText("" if self.sigma.enabled else "from the image")
        for box, fields in self._shown_with:
            for field in fields:
                field.visible = bool(box.value)
        unfolded = bool(self.advanced.value)
        self.advanced.text = "Advanced  ▾" if unfolded else "Advanced  ▸"
        for field in self._advanced:
            field.visible = unfolded
        self.shapes.visible = unfolded and self.region.value == RECTANGLE
        self.boundary.visible = unfolded and bool(self.blurred.value)
        self.keep_observed.enabled = labels is not None and self.scale.value == 1
        self._adapt_sigma(self.sigma.value)
        if labels is None:
            self.mask_line.value = NO_MASK if self.holes.value else ""
        elif image is not None:
            try:
                if self._mask_seen is None:
                    self._mask_seen = read_mask(labels, image, self._viewer)
                self.mask_line.value = mask_statement(self._mask_seen, self._region(image))
            except InputError as e:
                self.mask_line.value = sentence(str(e))

    def refresh_later(self, event: Any = None) -> None:
        """Refresh in a moment, once for many calls."""
        if alive(self.native):
            self.changed.emit(self)  # what no field shows: the mask's content, plane, view
            self._later.start()

    def close_down(self) -> None:
        """Follow the mask no longer."""
        self._watch(None)
        self.find.close_down()

    def _region(self, image: Image) -> Region | None:
        if self.region.value == VISIBLE:
            return visible_region(image, self._viewer)
        if self.region.value == RECTANGLE:
            if self.shapes.value is None:
                raise InputError(
                    "there is no Shapes layer; add one and draw a rectangle around the part"
                )
            return shapes_region(self.shapes.value, image, self._viewer)
        return None

    def _on_holes(self, ticked: bool) -> None:
        self._declined = not ticked

    def _on_preset(self) -> None:
        self._given = Parameters()

    def _on_image(self, image: Image | None) -> None:
        """Fill in what is known of a sample's damage; the next image has other damage."""
        told = {} if image is None else image.metadata.get(SAMPLE_KEY, {})
        if told or self._is_sample:
            known = Parameters.from_dict(told)
            self.scale.value, self.blur_sigma.value = known.scale, known.blur_sigma
            self.estimate_sigma.value = known.sigma is None
            if known.sigma is not None:
                self.sigma.value = known.sigma
            self._symptoms.follow()
            self._declined = False
        self._is_sample = bool(told)

    def _on_layer(self) -> None:
        self._mask_seen = None
        self.refresh()

    def _on_mask_changed(self, event: Any = None) -> None:
        self._mask_seen = None
        self.refresh_later()

    def _on_camera(self, event: Any = None) -> None:
        if alive(self.native) and self.region.value == VISIBLE:
            self.refresh_later()

    def _on_inserted(self, event: Any) -> None:
        # A mask that is made while the panel is open is for the image in it.
        if alive(self.native) and isinstance(event.value, Labels) and not self._declined:
            self._propose_mask(event.value)

    def _propose_masks(self) -> None:
        self._propose_mask(*(x for x in self._viewer.layers if isinstance(x, Labels)))

    def _propose_mask(self, *layers: Labels) -> None:
        """Choose a mask where there is one candidate and none was chosen."""
        image = self.image.value
        if image is None or self.mask.value is not None or len(layers) != 1:
            return
        try:
            check_mask(layers[0], image, self._viewer)
        except InputError:
            return
        self.mask.reset_choices()
        self.mask.value = layers[0]

    def _on_found(self, labels: Labels) -> None:
        self.mask.reset_choices()
        self.mask.value = labels

    def _watch(self, labels: Labels | Shapes | None) -> None:
        """Follow the edits of one mask layer."""
        if labels is self._watched:
            return
        if self._watched is not None:
            for event in edits_of(self._watched):
                event.disconnect(self._on_mask_changed)
        self._watched = labels
        if labels is not None:
            for event in edits_of(labels):
                event.connect(self._on_mask_changed)

    def _adapt_sigma(self, sigma: float) -> None:
        """As many decimals as the image's sample values, and the level itself, call for."""
        image: Image | None = self.image.value
        decimals = max(2, _decimals(sigma))
        if image is not None and np.dtype(str(image.dtype)).kind == "f":
            low, high = image.contrast_limits_range
            decimals = max(decimals, _decimals((high - low) / 100))
        self.sigma.native.setDecimals(decimals)

    def _align(self) -> None:
        """Give the labels one width."""
        names = {widget.label for widget in self}
        labels = [x for x in self.native.findChildren(QLabel) if x.text() in names]
        width = max(label.sizeHint().width() for label in labels)
        for label in labels:
            label.setMinimumWidth(width)


def _decimals(value: float) -> int:
    """How many decimals show three digits of a number."""
    return 2 - math.floor(math.log10(value)) if value > 0 else 0


def _threads() -> int:
    """All cores but one, which is left to the window."""
    usable = getattr(os, "sched_getaffinity", None)
    return max(1, (len(usable(0)) if usable else os.cpu_count() or 1) - 1)
