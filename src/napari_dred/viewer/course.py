"""The foldable part of the panel that tells the course of a run: plot, images, reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from magicgui.widgets import PushButton
from napari.components import ViewerModel
from napari.layers import Image, Layer
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QGridLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_dred.core.errors import InputError
from napari_dred.core.records import Result, Step
from napari_dred.text import sentence
from napari_dred.viewer.convergence_plot import ConvergencePlot
from napari_dred.viewer.fields import LayerChoice, alive, line
from napari_dred.viewer.preview import Preview
from napari_dred.viewer.psnr import PsnrMeter, Reference, decibels
from napari_dred.viewer.run import LayerData, Run
from napari_dred.viewer.snapshots import Snapshot, Snapshots
from napari_dred.volumes.planes import PlaneStep


class Course(QWidget):
    """The plot, a slider over the images that were shown, and the comparison with a reference.

    It has the images of the last run until the next one begins or the panel is closed.

    Parameters
    ----------
    viewer : napari viewer
    layers : callable
        Gives those layers of a type that may be chosen.
    """

    def __init__(
        self, viewer: ViewerModel, layers: Callable[[type[Layer]], Sequence[Layer]]
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self._layers = layers
        self._run: Run | None = None
        self._preview: Preview | None = None
        self._running = False
        self._has_result = False
        self._plane = 0  # of a stack, whose curve is shown
        self._looks_at: int | None = None  # an iteration; None while the newest is followed
        self._reference: Reference | None = None
        self._psnr: dict[int, float] = {}
        self.snapshots = Snapshots()
        self._meter = PsnrMeter()
        self._meter.measured.connect(self._on_measured)

        self.fold = QToolButton()
        self.fold.setText("Course of the run")
        self.fold.setCheckable(True)
        self.fold.setChecked(True)
        self.fold.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.fold.setAutoRaise(True)
        self.plot = ConvergencePlot()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip(
            "Look at an earlier image of the run; at its right end is the newest one, "
            "and when the run is over the result."
        )
        self.where = QLabel()
        self.where.setWordWrap(True)
        self.where.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.keep_button = PushButton(
            text="Keep this one", tooltip="Add the image that the slider shows as a new layer."
        )
        self.reference = LayerChoice(
            self._references,
            none_text="nothing",
            tooltip="A clean image of the same size: the plot then shows the PSNR against it.",
        )
        self.reference.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._reference_label = QLabel("Compare with")
        self.refusal = line()

        self._content = QWidget()
        grid = QGridLayout(self._content)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.plot, 0, 0, 1, 3)
        grid.addWidget(self.slider, 1, 0, 1, 3)
        grid.addWidget(self.where, 2, 0, 1, 2)
        grid.addWidget(self.keep_button.native, 2, 2)
        grid.addWidget(self._reference_label, 3, 0)
        grid.addWidget(self.reference.native, 3, 1, 1, 2)
        grid.addWidget(self.refusal.native, 4, 0, 1, 3)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.fold)
        layout.addWidget(self._content)

        self.fold.toggled.connect(self._on_fold)
        self.slider.valueChanged.connect(self._on_slider)
        self.keep_button.clicked.connect(self._on_keep)
        self.reference.changed.connect(self._on_reference)
        viewer.events.theme.connect(self._on_theme)
        self._on_theme()
        self._on_fold(True)
        self.hide()

    @property
    def preview_layer(self) -> Layer | None:
        """The layer that shows the run's image, which is nobody's input."""
        return None if self._preview is None else self._preview.layer

    # What the panel tells.

    def begin(self, run: Run) -> None:
        """Another run begins; the last one's images go."""
        self.clear()
        self._run, self._preview, self._running = run, Preview(self._viewer, run), True
        self._plane = 0
        # Of a stack no earlier images are held.
        for widget in (self.slider, self.where, self.keep_button.native):
            widget.setVisible(run.source.stack is None)
        self.reset_choices()
        self._on_reference()
        self.show()

    def add(self, step: Step) -> None:
        """Show a step, and its image if it has one."""
        if isinstance(step, PlaneStep):
            self._add_of_plane(step)
            return
        self.plot.add(step)
        if step.image is None or self._preview is None:
            return
        self.snapshots.add(step.iteration, step.image)
        self._measure([self.snapshots[-1]])
        if self._looks_at is None:
            self._preview.show(step.image, self._name())
        self._place_slider()

    def show_result(self, result: LayerData) -> bool:
        """Make the layer that shows the run's image its result's, if it can be."""
        return self._preview is not None and self._preview.become(result)

    def end(self, result: Result | None = None) -> None:
        """The run is over; its result has all steps and marks the iteration that is kept."""
        self._running, self._has_result = False, result is not None
        self._look_at_newest()
        if result is not None and self._run is not None and self._run.source.stack is None:
            self.plot.set_steps(result.steps)
            self.plot.mark_kept(result.steps[-1].iteration if result.kept is None else result.kept)

    def clear(self) -> None:
        """Let go of everything that the last run left."""
        self._running = self._has_result = False
        self._meter.forget()
        self._look_at_newest()
        self._run = self._preview = self._reference = None
        self._psnr.clear()
        self.snapshots.clear()
        self.plot.begin()
        self._place_slider()
        self.hide()

    def reset_choices(self) -> None:
        """Take the layers that there are now."""
        self.reference.reset_choices()
        some = bool(self._references())
        self._reference_label.setVisible(some)
        self.reference.native.setVisible(some)

    # What the user does.

    def _on_slider(self, index: int) -> None:
        if self._preview is None or not self.snapshots:
            return
        newest = index == self.slider.maximum()
        self._looks_at = None if newest else self.snapshots[index].iteration
        snapshot = self._chosen()
        if snapshot is None:
            self._preview.remove()  # the result has a layer of its own
        else:
            self._preview.bring(snapshot.image, self._name())
        self._tell()

    def _on_keep(self) -> None:
        snapshot = self._chosen()
        if self._run is not None and self._preview is not None and snapshot is not None:
            self._preview.add_below(Layer.create(*self._run.as_result(snapshot)))

    def _on_reference(self) -> None:
        """Another reference: every image that is kept is measured anew."""
        self._meter.forget()
        self._psnr.clear()
        self._reference, refusal = None, ""
        layer = self.reference.value
        if layer is not None and self._run is not None:
            try:
                self._reference = Reference.of(self._run.reference(layer))
            except InputError as e:
                refusal = sentence(str(e))
            except Exception as e:  # noqa: BLE001 (a file that is gone, say: no reason to fail a run)
                refusal = sentence(f"the reference could not be read: {e}")
        self.refusal.value = refusal
        self.refusal.native.setVisible(bool(refusal))
        self.plot.set_psnr(self._psnr)
        self._measure(self.snapshots)
        self._place_slider()

    def _on_measured(self, reference: Reference, iteration: int, psnr: float) -> None:
        if reference is self._reference:
            self._psnr[iteration] = psnr
            self.plot.set_psnr(self._psnr)
            self._place_slider()

    def _on_fold(self, unfolded: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if unfolded else Qt.ArrowType.RightArrow
        self.fold.setArrowType(arrow)
        self._content.setVisible(unfolded)

    def _on_theme(self) -> None:
        if alive(self):
            self.plot.set_theme(self._viewer.theme)

    # How it is done.

    def _add_of_plane(self, step: PlaneStep) -> None:
        """Plot the plane that is at work; the image of one that is done shows all of them."""
        if step.image is not None and self._preview is not None:
            self._preview.show(step.image, self._name())
        elif not step.looking:
            if step.plane != self._plane:
                self._plane = step.plane
                self.plot.begin()
            self.plot.add(replace(step, iteration=step.of_plane[0]))

    def _measure(self, snapshots: Iterable[Snapshot]) -> None:
        if self._reference is not None:
            for snapshot in snapshots:
                self._meter.ask(self._reference, snapshot.iteration, snapshot.image)

    def _look_at_newest(self) -> None:
        self._looks_at = None
        if self._preview is not None:
            self._preview.remove()
        self._place_slider()

    def _chosen(self) -> Snapshot | None:
        """The image at which the slider stands; None at the result, or if there is none."""
        index = self.slider.value()
        return self.snapshots[index] if index < len(self.snapshots) else None

    def _place_slider(self) -> None:
        """Bring the slider in line with the images that there are."""
        count = len(self.snapshots)
        last = max(0, count - 1 + self._has_result)
        self.slider.setEnabled(last > 0)
        with QSignalBlocker(self.slider):
            self.slider.setMaximum(last)
            if self._looks_at is None:
                self.slider.setValue(last)
            elif count:
                self.slider.setValue(self.snapshots.nearest(self._looks_at))
        snapshot = self._chosen()
        if snapshot is not None and self._looks_at not in (None, snapshot.iteration):
            self._on_slider(self.slider.value())  # what was looked at is no longer kept
        else:
            self._tell()

    def _tell(self) -> None:
        """Say which image is shown."""
        self.plot.mark_shown(self._looks_at)
        snapshot = self._chosen()
        self.keep_button.enabled = snapshot is not None
        if snapshot is None:
            self.where.setText("The result" if self._has_result else "")
            return
        told = " (newest)" if self._looks_at is None else ""
        psnr = self._psnr.get(snapshot.iteration)
        measured = "" if psnr is None else f" · {decibels(psnr)}"
        self.where.setText(f"Iteration {snapshot.iteration}{told}{measured}")

    def _name(self) -> str:
        assert self._run is not None
        state = "in progress" if self._running else "snapshot"
        return f"{self._run.plane.name} ({state})"

    def _references(self) -> list[Layer]:
        run = self._run
        if run is None or run.source.stack is not None:
            return []
        return [x for x in self._layers(Image) if x is not run.source.layer()]
