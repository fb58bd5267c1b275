"""What the panel is made of: inputs from the fields of `Parameters`, layers to choose, lines."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

from magicgui.widgets import ComboBox, Container, FloatSpinBox, Label, PushButton
from napari.layers import Layer
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_dred.core.parameters import Parameters

_FIELDS = {f.name: f for f in dataclasses.fields(Parameters)}


def help_of(name: str) -> str:
    """The sentence that describes a field of `Parameters`."""
    return str(_FIELDS[name].metadata["help"])


def choice(name: str, label: str, texts: dict[Any, str] | None = None) -> ComboBox:
    """A combo box with the field's choices, default and help.

    Parameters
    ----------
    name : str
        Field of `Parameters`.
    label : str
    texts : dict, optional
        What is shown for a choice, where its own name would not do.
    """
    f = _FIELDS[name]
    choices = [((texts or {}).get(c, str(c)), c) for c in f.metadata["choices"]]
    return ComboBox(name=name, label=label, choices=choices, value=f.default, tooltip=help_of(name))


class NumberBox(FloatSpinBox):
    """A spin box that remembers the digits that it does not show."""

    _shown: float | None = None
    _exact = 0.0

    def set_exact(self, value: float) -> None:
        """Show a number with at least three digits."""
        if value > 0:
            self.native.setDecimals(max(self.native.decimals(), decimals(value)))
        self.value = min(value, self.max)
        self._shown, self._exact = self.value, value

    @property
    def exact(self) -> float:
        """What it says; of a value in it that was not edited, all digits."""
        return self._exact if self.value == self._shown else float(self.value)


def decimals(value: float) -> int:
    """How many decimals show three digits of a number."""
    return 2 - math.floor(math.log10(value)) if value > 0 else 0


def number(name: str, label: str, *, lowest_text: str = "", maximum: float = 1e9) -> NumberBox:
    """A spin box with the field's limits, default and help; read it with `value_of`.

    Parameters
    ----------
    name : str
        Field of `Parameters`.
    label : str
    lowest_text : str
        Shown in place of the lowest value. If the field's default is None, that lowest value is
        one step below what is allowed and stands for None.
    maximum : float
        For a field without an upper limit.
    """
    f = _FIELDS[name]
    low = f.metadata.get("ge", 0)
    if f.default is None and lowest_text:
        low -= 1
    value: Any = low if f.default is None else f.default
    box = NumberBox(
        name=name,
        label=label,
        min=low,
        max=min(f.metadata.get("le", maximum), maximum),
        value=value,
        tooltip=help_of(name),
    )
    if _is_whole(name):  # magicgui's own box for whole numbers cannot show a text
        box.native.setDecimals(0)
    box.native.setSpecialValueText(lowest_text)
    return box


def value_of(box: FloatSpinBox) -> float | int | None:
    """The value of a spin box from `number`, None where it stands for None."""
    if _FIELDS[box.name].default is None and box.value < _FIELDS[box.name].metadata.get("ge", 0):
        return None
    return int(box.value) if _is_whole(box.name) else box.value


def _is_whole(name: str) -> bool:
    return str(_FIELDS[name].type).split(" | ")[0] == "int"


class LayerChoice(ComboBox):
    """A combo box of layers that keeps the chosen layer when it is renamed or moved.

    The base class tells choices by their text, and would take another layer.

    Parameters
    ----------
    layers : callable
        Gives the layers to choose from.
    none_text : str
        A first choice for no layer, if not empty.
    """

    def __init__(
        self, layers: Callable[[], Sequence[Layer]], none_text: str = "", **kwargs: Any
    ) -> None:
        self._layers = layers
        self.null_string = none_text
        super().__init__(choices=self._named, nullable=bool(none_text), **kwargs)

    def _named(self, _: Any) -> list[tuple[str, Layer]]:
        return [(layer.name, layer) for layer in self._layers()]

    def reset_choices(self, *_: Any) -> None:
        """Take the layers that there are now, and stay on the chosen one if it is among them."""
        before = self.value
        with self.changed.blocked():
            super().reset_choices()
            if before is not None and before in self.choices:
                self.value = before
        if self.value is not before:
            self.changed.emit(self.value)


class _WholeText(QObject):
    """Keeps a label that wraps from being squeezed to less than its text needs."""

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        looked_at = (QEvent.Type.Resize, QEvent.Type.Paint)  # a new text alone resizes nothing
        if isinstance(watched, QLabel) and event is not None and event.type() in looked_at:
            watched.setMinimumHeight(max(0, watched.heightForWidth(watched.width())))
        return bool(super().eventFilter(watched, event))


def line() -> Label:
    """A line of text that wraps instead of making the panel wide."""
    label = Label(value="")
    label.native.setWordWrap(True)
    # A layer's name in it is no markup.
    label.native.setTextFormat(Qt.TextFormat.PlainText)
    policy = label.native.sizePolicy()  # with the height that follows from the width
    policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
    label.native.setSizePolicy(policy)
    label.native.installEventFilter(_WholeText(label.native))
    return label


def row(*buttons: PushButton) -> Container[Any]:
    """Buttons side by side."""
    box: Container[Any] = Container(widgets=list(buttons), layout="horizontal", labels=False)
    box.margins = (0, 0, 0, 0)
    return box


def align_labels(container: Container[Any]) -> None:
    """Give the labels of the fields in a container one width."""
    names = {widget.label for widget in container}
    labels = [x for x in container.native.findChildren(QLabel) if x.text() in names]
    width = max(label.sizeHint().width() for label in labels)
    for label in labels:
        label.setMinimumWidth(width)


def alive(widget: Any) -> bool:
    """Whether the window system still has the widget; with the viewer it goes at once."""
    return bool(isalive(widget))  # type: ignore[no-untyped-call]
