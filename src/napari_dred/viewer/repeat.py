"""The menu "Settings": the form as Python, command or file, and settings back into the form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tifffile
from magicgui.widgets import Label, PushButton
from napari.components import ViewerModel
from napari.layers import Image, Labels, Layer, Shapes
from napari.utils.notifications import show_warning
from numpy.typing import NDArray
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QMenu

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.io import marked, read_mask, read_picture, read_psf, replace_file
from napari_dred.io.guard import reading
from napari_dred.recipe import (
    Source,
    as_command,
    as_python,
    as_settings,
    read_settings,
    settings_of,
)
from napari_dred.text import sentence
from napari_dred.viewer.form import RestoreForm
from napari_dred.viewer.layers import METADATA_KEY, Plane, read_plane
from napari_dred.viewer.masks import place_of_mask
from napari_dred.viewer.plane_fields import SHOWN
from napari_dred.volumes import Region

#: What the files are called that are still to be saved.
IMAGE_FILE, MASK_FILE, PSF_FILE = "image.tif", "mask.tif", "psf.tif"
JSON_FILES = "Settings (*.json)"
SETTINGS_FILES = (
    "Settings, or an image restored with them (*.json *.tif *.tiff *.png);;All files (*)"
)


class _Writer(Protocol):
    def __call__(
        self,
        parameters: Parameters,
        image: Source,
        mask: Source | None = None,
        psf: Source | None = None,
        region: Region | None = None,
    ) -> str: ...


class SettingsMenu(PushButton):
    """A button that opens the menu.

    Parameters
    ----------
    viewer : napari viewer
    form : RestoreForm
        Read, and filled in.
    restore : callable
        Starts a run with what is in the form.
    status : Label
        Where it says what was done.
    """

    def __init__(
        self, viewer: ViewerModel, form: RestoreForm, restore: Callable[[], None], status: Label
    ) -> None:
        super().__init__(
            text="Settings", tooltip="Do the same again: as Python, as a command, from a file."
        )
        self._viewer = viewer
        self._form = form
        self._restore = restore
        self._status = status
        self.menu = QMenu(self.native)
        self.menu.setToolTipsVisible(True)
        for text, help, act in (
            ("Copy as Python", "A script that does what Restore would do.", self.copy_python),
            ("Copy as command", "A shell command that does the same.", self.copy_command),
            ("Save settings…", "To a JSON file; the image, mask and PSF are not in it.", self.save),
            ("Load settings…", "From such a file, or from an image that was restored.", self.load),
            (
                "Run again with these settings",
                "Take the settings of the selected restored layer for the image in the form.",
                self.run_again,
            ),
        ):
            action = self.menu.addAction(text)
            assert action is not None
            action.setToolTip(help)
            action.triggered.connect(self._said(act))
        self.native.setMenu(self.menu)

    def copy_python(self) -> None:
        """Put a Python script on the clipboard."""
        self._copy(as_python, "The Python script is on the clipboard.")

    def copy_command(self) -> None:
        """Put a shell command on the clipboard."""
        self._copy(as_command, "The command is on the clipboard.")

    def save(self) -> None:
        """Write the settings to a file that the user names."""
        settings = self._form.settings()
        name, _ = QFileDialog.getSaveFileName(
            self.native, "Save settings", "settings.json", JSON_FILES
        )
        if not name:
            return
        try:
            replace_file(Path(name), as_settings(settings).encode())
        except OSError as e:
            raise InputError(f"{name}: {e.strerror}") from None
        self._status.value = f"The settings are in {name}."

    def load(self) -> None:
        """Fill in the form from a file that the user chooses."""
        name, _ = QFileDialog.getOpenFileName(self.native, "Load settings", "", SETTINGS_FILES)
        if name:
            self._form.set_settings(read_settings(name))
            self._status.value = f"The settings are those of {name}."
            self._form.parameters()  # says what is wrong: weights that are not there

    def run_again(self) -> None:
        """Start a run with the settings of the selected layer."""
        layer = self._viewer.layers.selection.active
        record = None if layer is None else layer.metadata.get(METADATA_KEY)
        if layer is None or record is None:
            raise InputError(
                "there is no restored layer selected; select one in the layer list to take its "
                "settings"
            )
        self._form.set_settings(settings_of(record, f"the layer {layer.name!r}"))
        self._restore()

    def _said(self, act: Callable[[], None]) -> Callable[[], None]:
        """Do it, and turn a mistake of the user's into one plain sentence."""

        def do() -> None:
            try:
                act()
            except InputError as e:
                self._status.value = sentence(str(e))
                show_warning(self._status.value)

        return do

    def _copy(self, write: _Writer, done: str) -> None:
        request = self._form.request()
        if request.source.stack is not None:
            raise InputError(
                "several planes are to be restored, and what is copied is for one image; choose "
                f"{SHOWN!r} under Planes, or save the settings and restore the file by the command "
                "`napari-dred restore stack.tif -o restored.tif --settings settings.json`"
            )
        read, parameters = request.source, request.parameters
        image, labels = self._form.image.value, self._form.mask.value
        mask = psf = None
        if labels is not None and read.mask is not None:
            mask = _mask_source(labels, image, self._viewer, read.mask, read.label)
        if read.psf is not None:
            psf = _psf_source(self._form.psf.value, self._viewer)
        picture = _image_source(image, read.plane)
        text = write(parameters, picture, mask, psf, read.region)
        clipboard = QGuiApplication.clipboard()
        assert clipboard is not None  # there is one as long as there is a window
        clipboard.setText(text)
        unsaved = [s for s in (picture, mask, psf) if s is not None and s.unsaved]
        hint = " A comment in it says what to save first." if unsaved else ""
        self._status.value = done + hint


def _psf_source(layer: Image, viewer: ViewerModel) -> Source:
    return _image_source(layer, read_plane(layer, viewer), PSF_FILE, read_psf)


def _image_source(
    layer: Image,
    plane: Plane,
    name: str = IMAGE_FILE,
    read: Callable[[Path], NDArray[Any]] = lambda path: read_picture(path).samples,
) -> Source:
    """The file that holds the plane, pixel by pixel, or the one that the layer is to become."""
    ndim = len(plane.index)
    index = tuple(None if a in plane.axes else i for a, i in enumerate(plane.index))
    alpha = plane.alpha is not None
    if ndim == 2:
        path = _holding(layer, plane.image, read)
        return Source(path or name, unsaved="" if path else layer.name)
    there = Source("", index, alpha)
    path = _holding(layer, plane.image, lambda path: _plane_of_stack(path, there))
    return Source(path or name, index, alpha, unsaved="" if path else layer.name)


def _mask_source(
    layer: Labels | Shapes,
    image: Image,
    viewer: ViewerModel,
    mask: NDArray[np.bool_],
    label: int | None,
) -> Source:
    if isinstance(layer, Shapes):
        return Source(MASK_FILE, unsaved=f"{layer.name} (converted to labels)")
    if layer.ndim == 2:
        path = _holding(layer, mask, lambda path: read_mask(path, mask.shape, label))
        return Source(path or MASK_FILE, unsaved="" if path else layer.name, label=label)
    place = place_of_mask(layer, image, viewer)
    index = tuple(None if isinstance(i, slice) else int(i) for i in place)
    there = Source("", index)
    path = _holding(layer, mask, lambda path: marked(_plane_of_stack(path, there), label))
    return Source(path or MASK_FILE, index, unsaved="" if path else layer.name, label=label)


def _holding(
    layer: Layer, pixels: NDArray[Any], read: Callable[[Path], NDArray[Any]]
) -> str | None:
    """The layer's file if these pixels are in it: a layer may have been painted on, or cropped."""
    path = layer.source.path
    if path is None:
        return None
    try:
        with reading(Path(path)):
            found = read(Path(path))
    except InputError:
        return None
    same = found.dtype.newbyteorder("=") == pixels.dtype.newbyteorder("=")
    nan_too = pixels.dtype.kind == "f"
    return path if same and np.array_equal(found, pixels, equal_nan=nan_too) else None


def _plane_of_stack(path: Path, source: Source) -> NDArray[Any]:
    stack: NDArray[Any]
    try:
        stack = tifffile.memmap(path, mode="r")
    except ValueError:  # compressed
        stack = tifffile.imread(path)
    index: list[Any] = [slice(None) if i is None else i for i in source.plane or ()]
    return np.asarray(stack[tuple([*index, slice(3)] if source.alpha else index)])
