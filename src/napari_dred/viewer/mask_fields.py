"""The fields that say which pixels are missing, and the line that says how many those are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, FloatSpinBox
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Shapes
from numpy.typing import NDArray

from napari_dred.core.errors import InputError
from napari_dred.text import sentence
from napari_dred.viewer.fields import LayerChoice, help_of, line
from napari_dred.viewer.find_missing import FindMissing
from napari_dred.viewer.masks import check_mask, mask_statement, read_mask_and_labels
from napari_dred.viewer.samples import may_mask
from napari_dred.viewer.watch import Watch
from napari_dred.volumes import Region

NO_MASK = "Add a Labels layer and paint over the damage, or let missing pixels be found."


class MaskFields:
    """Which layer marks the missing pixels, by which of its labels, and what is done with them.

    Parameters
    ----------
    viewer : napari viewer
    layers : callable
        Gives those layers of a type that may be chosen.
    image : callable
        Gives the image layer; None if there is none.
    edited : callable
        Called with an event when what is marked has changed.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        layers: Callable[[type[Layer]], Sequence[Layer]],
        image: Callable[[], Image | None],
        edited: Callable[[Any], None],
    ) -> None:
        self._viewer, self._image, self._edited = viewer, image, edited
        self._watch = Watch(self.on_edited)
        # Until something about it changes: the mask, and whether it has several labels.
        self._seen: tuple[NDArray[np.bool_], bool] | None = None
        self.declined = False  # whether the user unticked Holes: then no mask is chosen unasked
        # Whose label is chosen; None: that of whichever is chosen next.
        self._labelled: Labels | Shapes | None = None
        self.layer = LayerChoice(
            lambda: [*layers(Labels), *layers(Shapes)],
            none_text="none",
            name="mask",
            label="Mask",
            tooltip="Labels layer of the image's size, whose pixels with a non-zero label are "
            "missing and will be replaced; or a Shapes layer, whose shapes cover what is missing.",
        )
        self.label = FloatSpinBox(
            name="mask_label",
            label="Label",
            min=0,
            max=2**31 - 1,
            value=0,
            tooltip="The only label of the layer whose pixels are missing.",
        )
        self.label.native.setDecimals(0)  # the box for whole numbers cannot show a text
        self.label.native.setSpecialValueText("any")
        self.line = line()
        self.find = FindMissing(viewer, image, self.choose)
        self.keep_observed = CheckBox(
            name="keep_observed",
            text="Keep pixels outside the mask",
            tooltip=help_of("keep_observed"),
        )
        self.widgets: list[Any] = [
            *(self.layer, self.label, self.line, self.find, self.keep_observed)
        ]
        self.layer.changed.connect(self._on_layer)
        self.label.changed.connect(self.forget)

    @property
    def chosen_label(self) -> int | None:
        """The only label that is missing; None for any, and for shapes."""
        labels = isinstance(self.layer.value, Labels)
        return int(self.label.value) or None if labels else None

    def values(self) -> dict[str, Any]:
        """What they say, by field of `Parameters`."""
        return {"keep_observed": self.keep_observed.enabled and self.keep_observed.value}

    def read(self, image: Image) -> NDArray[np.bool_] | None:
        """Read the mask, afresh: who fills a layer's array by hand may have told nobody.

        Raises
        ------
        InputError
            If it does not fit the image.
        """
        self.forget()
        return None if self.layer.value is None else self._look(self.layer.value, image)[0]

    def refresh(
        self, ticked: bool, scale: int, region: Callable[[Image], Region | None] | None = None
    ) -> None:
        """Bring what depends on other fields up to date."""
        layer, image, several = self.layer.value, self._image(), False
        self._watch.follow(layer)
        # Without a mask, what is missing is what is no number.
        floats = image is not None and np.dtype(str(image.dtype)).kind == "f"
        some = layer is not None or (ticked and floats)
        self.keep_observed.enabled = some and scale == 1
        if layer is None:
            self.line.value = NO_MASK if ticked else ""
        elif image is not None:
            try:
                mask, several = self._look(layer, image)
                self.line.value = mask_statement(mask, _part(region, image))
            except InputError as e:
                self.line.value = sentence(str(e))
        for widget in self.widgets:
            widget.visible = ticked
        self.label.visible = ticked and (several or self.chosen_label is not None)

    def forget(self, *_: Any) -> None:
        """The mask is to be read again."""
        self._seen = None

    def on_edited(self, event: Any = None) -> None:
        """Something has changed that the mask depends on."""
        self.forget()
        self._edited(event)

    def on_ticked(self, ticked: bool) -> None:
        """Whoever wants no holes gets no mask unasked."""
        self.declined = not ticked

    def propose(self, last: Labels | Shapes | None = None) -> None:
        """Choose the last mask, or else the only one that there is, if none was chosen."""
        image = self._image()
        if last is not None and image is not None and last in self.layer.choices:
            self.layer.value = last if may_mask(last, image) else None
        self._propose(*(x for x in self._viewer.layers if isinstance(x, Labels)))

    def on_inserted(self, layer: Layer) -> None:
        """Choose a mask that is made while the panel is open: it is for the image in it."""
        if isinstance(layer, Labels) and not self.declined:
            self._propose(layer)

    def show_label(self, label: int | None) -> None:
        """Fill in the label, for the mask that is chosen or the one that will be."""
        self.label.value = label or 0
        self._labelled = self.layer.value

    def on_image(self, image: Image | None) -> None:
        """A sample's mask is for its own image."""
        self.forget()
        mask = self.layer.value
        if image is not None and mask is not None and not may_mask(mask, image):
            self.layer.value = None

    def choose(self, layer: Labels | Shapes) -> None:
        """Choose a layer that is new."""
        self.layer.reset_choices()
        self.layer.value = layer

    def close_down(self) -> None:
        """Follow the mask no longer."""
        self._watch.follow(None)
        self.find.close_down()

    def _look(self, layer: Labels | Shapes, image: Image) -> tuple[NDArray[np.bool_], bool]:
        if self._seen is None:
            self._seen = read_mask_and_labels(layer, image, self._viewer, self.chosen_label)
        return self._seen

    def _on_layer(self) -> None:
        self.forget()
        layer = self.layer.value
        if layer is None:
            return
        if self._labelled is not None and layer is not self._labelled:
            self.label.value = 0  # another layer's labels are others
        self._labelled = layer

    def _propose(self, *layers: Labels) -> None:
        image = self._image()
        if image is None or self.layer.value is not None or len(layers) != 1:
            return
        if not may_mask(layers[0], image):
            return
        try:
            check_mask(layers[0], image, self._viewer)
        except InputError:
            return
        self.choose(layers[0])


def _part(region: Callable[[Image], Region | None] | None, image: Image) -> Region | None:
    """The part that is restored; what is wrong with it is not the mask's to tell."""
    try:
        return None if region is None else region(image)
    except InputError:
        return None
