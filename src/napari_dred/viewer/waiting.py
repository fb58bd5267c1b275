"""The runs that wait for the one under way, and the row of the panel that tells of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from magicgui.widgets import Container, PushButton
from napari.components import ViewerModel
from napari.utils.notifications import show_warning
from qtpy.QtWidgets import QSizePolicy

from napari_dred.viewer.fields import alive, line
from napari_dred.viewer.request import Request


class Waiting:
    """First come, first served; in the main thread.

    Parameters
    ----------
    viewer : napari viewer
    changed : callable
        Called when there are more or fewer runs that wait.

    Attributes
    ----------
    row : Container
        Says how many wait and takes the last one off; hidden while there is none.
    """

    def __init__(self, viewer: ViewerModel, changed: Callable[[], None]) -> None:
        self._viewer, self._changed = viewer, changed
        self._requests: deque[Request] = deque()
        self.line = line()
        self.button = PushButton(
            text="Remove", tooltip="Take the run that was queued last off the queue."
        )
        self.button.native.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(self._on_remove)
        self.row: Container[Any] = Container(
            widgets=[self.line, self.button], layout="horizontal", labels=False
        )
        self.row.margins = (0, 0, 0, 0)
        self.row.visible = False

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, request: Request) -> None:
        """Let a run wait behind the others."""
        self._requests.append(request)
        self._tell()

    def has(self, request: Request) -> bool:
        """Whether one waits that would have the same result."""
        return any(request.equals(other) for other in self._requests)

    def remove(self, request: Request) -> None:
        """Take this very run off the queue, if it waits."""
        self._requests = deque(other for other in self._requests if other is not request)
        self._tell()

    def take(self) -> Request | None:
        """Give the next run; who deleted the image of one wants it no longer."""
        found = None
        while self._requests and found is None:
            request = self._requests.popleft()
            if request.source.layer() in self._viewer.layers:
                found = request
            else:
                name = request.source.plane.name
                show_warning(f"The run that waited for {name!r} is left out: the image is gone.")
                request.listener.on_failure("The image is gone.")
        self._tell()
        return found

    def clear(self) -> None:
        """Forget them all."""
        dropped, self._requests = self._requests, deque()
        for request in dropped:
            request.listener.on_failure("Taken off the queue.")
        if alive(self.row.native):
            self._tell()

    def _on_remove(self) -> None:
        if self._requests:  # the click may come as the last one begins
            request = self._requests.pop()
            self._tell()
            request.listener.on_failure("Taken off the queue.")

    def _tell(self) -> None:
        count = len(self._requests)
        if count:
            name = self._requests[-1].source.plane.name
            wait = "1 run waits:" if count == 1 else f"{count} runs wait, the last for"
            self.line.value = f"{wait} {name}."
        self.row.visible = count > 0
        self._changed()
