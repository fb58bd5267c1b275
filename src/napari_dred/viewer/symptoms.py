"""What is wrong with the image: the four boxes to tick, which show and reset the fields behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from magicgui.widgets import CheckBox, Container, Label
from magicgui.widgets.bases import ValueWidget

from napari_dred.core.parameters import Parameters


@dataclass(frozen=True)
class Symptom:
    """One thing that may be wrong.

    Attributes
    ----------
    box : CheckBox
    fields : tuple of ValueWidget
        Which tell of it.
    is_told : callable
        Whether they do.
    begin, end : callable
        Give the fields a first value, and take it away: then they tell of nothing.
    """

    box: CheckBox
    fields: tuple[ValueWidget[Any], ...]
    is_told: Callable[[], bool]
    begin: Callable[[], None]
    end: Callable[[], None]


def layer_symptom(
    box: CheckBox, layer: ValueWidget[Any], propose: Callable[[Any], None]
) -> Symptom:
    """Told by a layer that is chosen; `propose` takes the last one and may choose one."""

    last: Any = None

    def begin() -> None:
        propose(last)

    def end() -> None:
        nonlocal last
        last, layer.value = layer.value, None

    return Symptom(box, (layer,), lambda: layer.value is not None, begin, end)


def amount_symptom(box: CheckBox, field: ValueWidget[Any], *, none: float, first: float) -> Symptom:
    """Told by a number above `none`, beginning with what it was before, or with `first`."""
    last = first

    def begin() -> None:
        field.value = last

    def end() -> None:
        nonlocal last
        last, field.value = field.value, none

    return Symptom(box, (field,), lambda: bool(field.value > none), begin, end)


def noise_symptom(
    box: CheckBox, kind: ValueWidget[Any], sigma: ValueWidget[Any], estimate: ValueWidget[Any]
) -> Symptom:
    """Told by anything but Gaussian noise of level 0; its kind and level are estimated at first."""
    last = (Parameters().noise, True, 0.0)

    def is_told() -> bool:
        return bool(estimate.value or sigma.value > 0 or kind.value != "gaussian")

    def begin() -> None:
        kind.value, estimate.value, sigma.value = last

    def end() -> None:
        nonlocal last
        last = kind.value, estimate.value, sigma.value
        kind.value, estimate.value, sigma.value = "gaussian", False, 0

    return Symptom(box, (kind, sigma, estimate), is_told, begin, end)


class Symptoms(Container[Any]):
    """The boxes, two in a row. The fields hold what is true: a box only follows or resets them.

    Parameters
    ----------
    symptoms : sequence of Symptom
    refresh : callable
        Called when a box has changed: other fields are to be shown.
    """

    def __init__(self, symptoms: tuple[Symptom, ...], refresh: Callable[[], None]) -> None:
        super().__init__(labels=False)
        self._symptoms, self._refresh, self._ending = symptoms, refresh, False
        self.append(Label(value="What is wrong with it?"))
        boxes = [symptom.box for symptom in symptoms]
        for start in range(0, len(boxes), 2):
            row: Container[Any] = Container(
                widgets=boxes[start : start + 2], layout="horizontal", labels=False
            )
            row.margins = (0, 0, 0, 0)
            self.append(row)
        self.margins = (0, 0, 0, 0)
        for symptom in symptoms:
            symptom.box.changed.connect(lambda ticked, s=symptom: self._on_box(s, ticked))
            for field in symptom.fields:
                field.changed.connect(lambda *_, s=symptom: self._on_field(s))

    def follow(self) -> None:
        """Tick what the fields tell of, and nothing else."""
        for symptom in self._symptoms:
            symptom.box.value = symptom.is_told()

    def _on_box(self, symptom: Symptom, ticked: bool) -> None:
        if ticked and not symptom.is_told():
            symptom.begin()
        elif not ticked and symptom.is_told():
            # Half way through, some fields still tell of it.
            self._ending = True
            symptom.end()
            self._ending = False
        self._refresh()

    def _on_field(self, symptom: Symptom) -> None:
        # Only to tick it: who passes through 'none' with a field's arrows is not done with it.
        if symptom.is_told() and not self._ending:
            symptom.box.value = True
