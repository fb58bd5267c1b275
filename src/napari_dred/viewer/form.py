"""The form of the panel: what to restore and how, and what follows from it. It runs nothing."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from magicgui.widgets import CheckBox, Container
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils.notifications import show_warning
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSizePolicy

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import Plan, PSFRecord
from napari_dred.recipe import Settings
from napari_dred.text import sentence
from napari_dred.viewer.advanced import VISIBLE, Advanced
from napari_dred.viewer.blur_fields import BlurFields
from napari_dred.viewer.fields import LayerChoice, align_labels, alive, choice
from napari_dred.viewer.forecast import Inputs, inputs_of
from napari_dred.viewer.layers import read_plane
from napari_dred.viewer.mask_fields import MaskFields
from napari_dred.viewer.noise_fields import NoiseFields
from napari_dred.viewer.plane_fields import PlaneFields
from napari_dred.viewer.request import Request, Source
from napari_dred.viewer.samples import damage_of
from napari_dred.viewer.settings import preferred, threads
from napari_dred.viewer.symptoms import Symptoms, amount_symptom, layer_symptom, noise_symptom
from napari_dred.viewer.watch import Watch


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
        self._watch = Watch(self.refresh_later)
        self._is_sample = False

        self.image = LayerChoice(
            partial(layers, Image), name="image", label="Image", tooltip="The image to restore."
        )
        chosen = partial(getattr, self.image, "value")
        self._planes = PlaneFields(viewer, chosen)
        self._marks = MaskFields(viewer, layers, chosen, self.refresh_later)
        self._noise = NoiseFields(chosen)
        self._blur = BlurFields(viewer, layers, self.refresh_later)
        self._advanced = Advanced(viewer, layers)
        self.scale = choice("scale", "Enlarge", {1: "no"} | {n: f"{n} ×" for n in (2, 3, 4, 8)})
        self.planes = self._planes.which
        self.mask, self.mask_label = self._marks.layer, self._marks.label
        self.mask_line, self.find = self._marks.line, self._marks.find
        self.keep_observed = self._marks.keep_observed
        self.noise, self.sigma = self._noise.kind, self._noise.sigma
        self.estimate_sigma = self._noise.estimate
        self.blur_kind, self.blur_sigma = self._blur.kind, self._blur.sigma
        self.psf = self._blur.psf
        self.advanced, self.solver = self._advanced.fold, self._advanced.solver_fold
        self.preset, self.iterations = self._advanced.preset, self._advanced.iterations
        self.device, self.output_dtype = self._advanced.device, self._advanced.output_dtype
        self.region, self.shapes = self._advanced.region, self._advanced.shapes
        self.boundary = self._advanced.boundary

        self.holes = CheckBox(text="Holes", tooltip="Pixels are missing, or damaged beyond use.")
        self.noisy = CheckBox(text="Noise", value=True, tooltip="It is grainy.")
        self.blurred = CheckBox(text="Blur", tooltip="It is out of focus.")
        self.small = CheckBox(text="Low resolution", tooltip="It has too few pixels.")
        self._symptoms = Symptoms(
            (
                layer_symptom(self.holes, self.mask, propose=self._marks.propose),
                noise_symptom(self.noisy, self.noise, self.sigma, self.estimate_sigma),
                self._blur.symptom(self.blurred),
                amount_symptom(self.small, self.scale, none=1, first=2),
            ),
            self.refresh,
        )
        self.extend([self.image, *self._planes.widgets, self._symptoms, *self._marks.widgets])
        self.extend([*self._noise.widgets, *self._blur.widgets, self.scale])
        self.extend(self._advanced.widgets)
        # As wide as the form: in it, it would stand beside an empty label.
        self.native.layout().addWidget(self._advanced.solver_box.native)
        self._advanced.solver_box.changed.connect(lambda: self.changed.emit(self))
        self.margins = (0, 0, 0, 0)
        for layer_choice in (self.image, self.mask, self.psf, self.shapes):
            # A layer's long name must not make the panel wide.
            layer_choice.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

        # Painting sends many events; the line under the mask follows a moment later.
        self._later = QTimer(self.native)
        self._later.setSingleShot(True)
        self._later.setInterval(100)
        self._later.timeout.connect(self.refresh)
        self._later.timeout.connect(self._align)
        self.holes.changed.connect(self._marks.on_ticked)
        self.image.changed.connect(self._on_image)
        shown_with: list[Any] = [
            *(self.image, *self._planes.widgets, self.mask, self.mask_label, self.blur_kind),
            *(self.psf, self.scale, self.estimate_sigma, self.region, self.shapes),
            *(self.advanced, self.solver),
        ]
        for widget in shown_with:
            widget.changed.connect(self.refresh)
        viewer.layers.events.inserted.connect(self._on_inserted)
        dims, camera = viewer.dims.events, viewer.scene.camera.events
        for event in (dims.point, dims.order, dims.ndisplay):
            event.connect(self._on_plane)
        for event in (camera.center, camera.zoom):
            event.connect(self._on_camera)

        if viewer.layers.selection.active in self.image.choices:
            self.image.value = viewer.layers.selection.active
        self._marks.propose()
        self._advanced.show(preferred())
        self._on_image(self.image.value)
        self.refresh()

    def parameters(self) -> Parameters:
        """The parameters as the form stands.

        Raises
        ------
        InputError
            If a value is not allowed.
        """
        return Parameters(
            scale=self.scale.value,
            threads=threads(),
            **self._marks.values(),
            **self._noise.values(),
            **self._blur.values(),
            **self._advanced.values(),
        )

    def settings(self) -> Settings:
        """The same, with what else an equal run needs.

        Raises
        ------
        InputError
            If a value is not allowed, or the PSF cannot be read.
        """
        # How many processor threads there are is the machine's, not the image's.
        parameters = self.parameters().replace(threads=None)
        read_psf = self._blur.reader(self.image.value)
        record = None if read_psf is None else PSFRecord.of(read_psf())
        return Settings(parameters, record, self._marks.chosen_label)

    def read(self, *, shown: bool = False) -> Source:
        """Read the chosen layers: the plane, its mask, its PSF, and the part to be restored.

        Parameters
        ----------
        shown : bool
            Whether the plane that is shown is read alone, whatever the form says.

        Raises
        ------
        InputError
            If there is no image, or the layers do not fit together.
        """
        image: Image | None = self.image.value
        if image is None:
            raise InputError("there is no image layer; open an image first")
        label = self._marks.chosen_label
        stack = None if shown else self._planes.open(image, self.mask.value, label)
        read_psf = self._blur.reader(image)
        source = Source(
            read_plane(image, self._viewer) if stack is None else stack.first,
            self._marks.read(image) if stack is None else None,
            self._advanced.region_of(image),
            weakref.ref(image),
            psf=None if read_psf is None else read_psf(),
            psf_name="" if read_psf is None else self.psf.value.name,
            label=label,
            stack=stack,
        )
        if self.mask.value is None and self.holes.value and not source.may_lack:
            raise InputError(
                "holes are ticked and no mask is chosen; choose the layer that marks them, "
                "or untick Holes"
            )
        self.refresh()
        return source

    def request(self, *, shown: bool = False, **changes: Any) -> Request:
        """Read all that a run needs.

        Parameters
        ----------
        shown : bool
            As for `read`.
        **changes
            Fields of `Parameters` that are to have other values.

        Raises
        ------
        InputError
            As `read` and `parameters`.
        """
        source, parameters = self.read(shown=shown), self.parameters().replace(**changes)
        if parameters.keep_observed and not source.may_lack:
            parameters = parameters.replace(keep_observed=False)
        return Request(source, parameters)

    def inputs(self) -> Inputs:
        """What `read` would give to a run, not yet read.

        Raises
        ------
        InputError
            As `read`.
        """
        image = self.image.value
        region = None if image is None else self._advanced.region_of(image)
        count, there = (1, self._viewer) if image is None else self._planes.look_at(image)
        return inputs_of(
            image,
            self.mask.value,
            there,
            self.parameters(),
            label=self._marks.chosen_label,
            region=region,
            psf=self._blur.reader(image),
            planes=count,
        )

    def set_parameters(self, parameters: Parameters, psf: Image | None = None) -> None:
        """Fill in all fields.

        The task and the threads are left out: they follow from the ticks and the machine.

        Parameters
        ----------
        parameters : Parameters
        psf : Image, optional
            The layer of the measured PSF.
        """
        self._advanced.show(parameters)
        self.scale.value = parameters.scale
        self._noise.show(parameters)
        self._blur.show(parameters, psf)
        self.keep_observed.value = parameters.keep_observed
        declined = self._marks.declined
        self._symptoms.follow()
        self._marks.declined = declined  # by the user, never by a box that follows
        if parameters.keep_observed:  # something was missing, be it only what is not finite
            self.holes.value = True
        self.refresh()

    def set_settings(self, settings: Settings) -> None:
        """Fill in all fields, the PSF and the label among them.

        Raises
        ------
        InputError
            If no layer shows the PSF, or the label is not one that the form can take; then nothing
            is changed.
        """
        label, highest = settings.label or 0, int(self.mask_label.max)
        if not 0 <= label <= highest:
            raise InputError(f"label is {label}; the panel takes labels from 1 to {highest}")
        psf = None if settings.psf is None else self._blur.find(settings.psf, self.image.value)
        self.set_parameters(settings.parameters, psf)
        self._marks.show_label(label)

    def show_plan(self, plan: Plan) -> None:
        """Show what a plan found: the noise level, and what the preset gives."""
        # Not over a level that was typed since the run was started.
        if plan.sigma_estimated and self.estimate_sigma.value:
            self._noise.show_sigma(plan.sigma)
        if plan.parameters.preset == self.preset.value:
            self._advanced.show_preset(plan.parameters)

    def refresh(self) -> None:
        """Bring what depends on other fields up to date."""
        self._watch.follow(self.image.value)
        self._planes.refresh()
        self._noise.refresh()
        for widget in self._noise.widgets:
            widget.visible = bool(self.noisy.value)
        self._blur.refresh(bool(self.blurred.value))
        self.scale.visible = bool(self.small.value)
        self._advanced.refresh(bool(self.blurred.value))
        self._marks.refresh(bool(self.holes.value), self.scale.value, self._advanced.region_of)

    def refresh_later(self, event: Any = None) -> None:
        """Refresh in a moment, once for many calls."""
        if alive(self.native):
            self.changed.emit(self)  # what no field shows: a layer's content, plane, view
            self._later.start()

    def close_down(self) -> None:
        """Follow the layers no longer."""
        self._watch.follow(None)
        self._marks.close_down()
        self._blur.close_down()

    def _on_image(self, image: Image | None) -> None:
        """Fill in what is known of a sample's damage; the next image has other damage."""
        self._marks.on_image(image)
        self._noise.forget()
        try:
            told = None if image is None else damage_of(image)
        except InputError as e:
            told = None
            show_warning(sentence(str(e)))
        if told is not None or self._is_sample:
            known = told or Parameters()
            self.scale.value = known.scale
            self._blur.show(known)
            self._noise.show(known)
            self._symptoms.follow()
            self._marks.on_ticked(True)
        if told is not None:
            self._marks.propose()
        self._is_sample = told is not None

    def _on_plane(self, event: Any = None) -> None:
        if alive(self.native):
            self._marks.on_edited()

    def _on_camera(self, event: Any = None) -> None:
        if alive(self.native) and self.region.value == VISIBLE:
            self.refresh_later()

    def _on_inserted(self, event: Any) -> None:
        if alive(self.native):
            self._marks.on_inserted(event.value)

    def _align(self) -> None:
        align_labels(self)
        align_labels(self._advanced.solver_box)
