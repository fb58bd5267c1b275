"""Rows made from the fields of `Parameters` by themselves: whatever field there is gets one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, get_args, get_type_hints

from magicgui.widgets import ComboBox, FileEdit, LineEdit
from magicgui.widgets.bases import ValueWidget
from qtpy.QtWidgets import QComboBox, QSizePolicy

from napari_dred.core.parameters import Parameters
from napari_dred.viewer.fields import help_of

AS_PRESET = "as preset"

_FIELDS = {f.name: f for f in dataclasses.fields(Parameters)}
_HINTS = get_type_hints(Parameters)
#: Which files a field may name.
_FILES = {"weights": "Weights (*.safetensors *.pth)"}


class _Choice(ComboBox):
    """A combo box whose choices never change, the text of the first one apart."""

    null_string = AS_PRESET
    _made = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._made = True

    def reset_choices(self, *_: Any) -> None:
        """Leave them: the base class would take the first one's text for another choice."""
        if not self._made:
            super().reset_choices()


class ParameterRow:
    """One field: a choice of what is allowed, a file, or a line for a number.

    The field's default is an empty line or the first choice. Where it is None, that says what
    the preset gives.

    Parameters
    ----------
    name : str
        Field of `Parameters`.

    Attributes
    ----------
    widget : ValueWidget
    """

    def __init__(self, name: str) -> None:
        f = _FIELDS[name]
        self.name, self._default = name, f.default
        kinds = get_args(_HINTS[name]) or (_HINTS[name],)
        self._kind = next(kind for kind in kinds if kind is not type(None))
        self.widget: Any
        about: dict[str, Any] = {"name": name, "label": name.replace("_", " ").capitalize()}
        about["tooltip"] = help_of(name)
        choices = [(str(c), c) for c in f.metadata.get("choices", ())]
        if self._kind is bool:
            choices = [("yes", True), ("no", False)]
        if choices:
            box = _Choice(choices=choices, value=f.default, nullable=f.default is None, **about)
            box.native.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            self.widget = box
        elif name in _FILES:
            self.widget = FileEdit(filter=_FILES[name], nullable=True, **about)
            self.widget.choose_btn.text = "…"
            self.widget.choose_btn.tooltip = "Choose the file."
            self.widget.choose_btn.max_width = 30
        else:
            self.widget = LineEdit(**about)
        # A long path or choice must not make the panel wide.
        self.widget.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.show_preset(None)

    @property
    def _line(self) -> LineEdit | None:
        if isinstance(self.widget, FileEdit):
            return self.widget.line_edit
        return self.widget if isinstance(self.widget, LineEdit) else None

    @property
    def value(self) -> Any:
        """What it says; a text that is no number as it is, for `Parameters` to refuse by name."""
        if self._line is None:
            return self.widget.value
        text = self._line.value.strip()
        if not text:
            return self._default
        try:
            return self._kind(text)
        except ValueError:
            return text

    @value.setter
    def value(self, value: Any) -> None:
        if self._line is None:
            self.widget.value = value
        else:
            self._line.value = "" if value == self._default else str(value)

    def show_preset(self, value: Any) -> None:
        """Show what the preset gives where nothing else is said; None if that is not known."""
        text = f"{value:g}" if isinstance(value, float) else str(value)
        text = {"True": "yes", "False": "no"}.get(text, text)
        if isinstance(self.widget, _Choice):
            if self._default is None:
                first = AS_PRESET if value is None else f"preset: {text}"
                self.widget.native.setItemText(0, first)
        elif self._line is not None:
            unknown = AS_PRESET if self._default is None else str(self._default)
            if self.name in _FILES:
                unknown = "the package's own"
            known = value is not None and self._default is None and self.name not in _FILES
            self._line.native.setPlaceholderText(f"preset: {text}" if known else unknown)


class ParameterRows:
    """Several such rows.

    Parameters
    ----------
    names : iterable of str
        Fields of `Parameters`.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._rows = {name: ParameterRow(name) for name in names}
        self.widgets: list[ValueWidget[Any]] = [row.widget for row in self._rows.values()]

    def __getitem__(self, name: str) -> ParameterRow:
        return self._rows[name]

    def values(self) -> dict[str, Any]:
        """What they say, by field; not checked."""
        return {name: row.value for name, row in self._rows.items()}

    def show(self, parameters: Parameters) -> None:
        """Fill them in."""
        for name, row in self._rows.items():
            row.value = getattr(parameters, name)

    def show_preset(self, complete: Parameters | None) -> None:
        """Show what a preset gives, out of the parameters of a plan; None if there is no plan."""
        for name, row in self._rows.items():
            if complete is None:
                row.show_preset(None)
            elif row.value is None:  # else what was given is in the plan too
                row.show_preset(getattr(complete, name))
