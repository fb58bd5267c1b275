"""The buttons of the panel "Restore image", and the bar under them."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import Container, ProgressBar, PushButton

from napari_dred.viewer.fields import row


class RunButtons(Container[Any]):
    """What starts, holds and ends a run, and how far it is."""

    def __init__(self) -> None:
        super().__init__(labels=False)
        self.margins = (0, 0, 0, 0)
        self.restore, self.preview = PushButton(), PushButton()
        self.pause = PushButton(text="Pause", tooltip="Hold the run, or go on.")
        self.stop = PushButton(text="Stop && keep", tooltip="End now, keep the best image.")
        self.cancel = PushButton(text="Cancel", tooltip="End now and keep nothing.")
        self.bar = ProgressBar(value=0, max=1)
        verbs = row(self.pause, self.stop, self.cancel)
        self.extend([row(self.preview, self.restore), verbs, self.bar])

    def begin(self) -> None:
        """A run is under way; how far is not known yet."""
        self.bar.native.setRange(0, 0)
        self.bar.native.setTextVisible(True)
        for button in (self.pause, self.stop, self.cancel):
            button.enabled = True

    def advance(self, done: int, total: int) -> None:
        """It is that far."""
        self.bar.native.setRange(0, total)
        self.bar.value = done

    def idle(self) -> None:
        """No run is under way."""
        for button in (self.pause, self.stop, self.cancel):
            button.enabled = False
        self.pause.text = "Pause"
        self.bar.native.setRange(0, 1)
        self.bar.native.setTextVisible(False)
        self.bar.value = 0

    def set_busy(self, busy: bool) -> None:
        """Say whether a press starts a run or lets one wait."""
        then = " It begins when the runs before it are over." if busy else ""
        for button, text, tooltip in (
            (self.restore, "Restore", "The result becomes a new layer."),
            (
                self.preview,
                "Preview",
                "A quick look at the plane that is shown, with the preset 'preview'.",
            ),
        ):
            button.text = f"Queue {text.lower()}" if busy else text
            button.tooltip = tooltip + then
