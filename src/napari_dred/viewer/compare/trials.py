"""One method tried on an image: what it is asked, where it stands, its figures; no widget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from napari.layers import Image

from napari_dred import metrics
from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.core.presets import fill_in, with_method
from napari_dred.core.records import Plan, Result, Step
from napari_dred.viewer.compare.figures import NONE, Row, decibel, period_text
from napari_dred.viewer.compare.latest import Latest
from napari_dred.viewer.compare.signed import residual_work
from napari_dred.viewer.psnr import Reference
from napari_dred.viewer.request import Listener, Request, Source
from napari_dred.viewer.run import Run

#: The columns that need a reference, and all of a trial that has been measured.
OF_REFERENCE = ("PSNR (dB)", "SSIM")
HEAD = (
    *("Method", "Time (s)", "Iterations", "Of its own"),
    *("Residual (σ)", "FRC (px)", *OF_REFERENCE),
)
HELP = (
    "",
    "How long it ran.",
    "How many iterations it ran, the denoiser's own steps before and after them included.",
    "How many it runs where no limit is set.",
    "How far the result, blurred and reduced as the image was, is from the samples that were "
    "known, in noise levels. About 1: what was removed is as much as the noise. Much less: noise "
    "is left in. Much more: details are gone.",
    "How fine the details of the result are, true or not (Fourier ring correlation).",
    "Closeness to the reference.",
    "Structural similarity to the reference.",
)


@dataclass(frozen=True)
class Measured:
    """The figures of a result, as texts."""

    residual: str
    frc: str
    psnr: str = NONE
    ssim: str = NONE


def own_iterations(parameters: Parameters, plan: Plan) -> tuple[int, int]:
    """How many iterations a method has by itself: outer ones, and all that are counted.

    Parameters
    ----------
    parameters : Parameters
        Of the method, with nothing filled in.
    plan : Plan
        Of any method on the same image.
    """
    device = plan.device.split(":")[0].split()[0]
    complete = fill_in(parameters, plan.task, plan.sigma, device=device)
    assert complete.iterations is not None
    return complete.iterations, complete.total_iterations


def misfit(source: Source, result: Result) -> float | None:
    """Root mean square of Y − H(X) over the known samples, in noise levels.

    None where that tells nothing: without noise, and where samples were taken as replaced, of
    which nobody knows which.
    """
    if result.plan.sigma <= 0 or result.plan.impulses:
        return None
    history = source.provenance(result.provenance())
    restored = replace(source.plane, image=result.image, history=history)
    removed = residual_work(source.plane, restored, source.mask, source.psf)().values
    return float(np.sqrt(np.nanmean(np.square(removed, dtype=np.float64)))) / result.plan.sigma


def measure(source: Source, result: Result, reference: Reference | None) -> Measured:
    """Measure a result, in the part that was restored.

    Parameters
    ----------
    source : Source
    result : Result
    reference : Reference, optional
        Of that part.
    """
    image = result.image
    if source.region is not None and result.parameters.scale == 1:
        image = image[source.region.slices]

    def text(figure: Callable[[], str]) -> str:
        try:
            return figure()
        except InputError:  # too small, or flat
            return NONE

    def residual() -> str:
        levels = misfit(source, result)
        return NONE if levels is None else f"{levels:.2f}"

    told = Measured(text(residual), text(lambda: period_text(metrics.frc(image).resolution)))
    if reference is None:
        return told
    truth, span = reference.image, reference.data_range
    return replace(
        told,
        psnr=text(lambda: decibel(metrics.psnr(image, truth, span))),
        ssim=text(lambda: f"{metrics.ssim(image, truth, span):.4f}"),
    )


class Trial(Listener):
    """One method's run, from the queue to its figures.

    Parameters
    ----------
    base : Request
        What all methods read.
    method : str
    plan : Plan
        Of any method on the same image.
    limit : int
        Iterations at most, but for the denoiser's own steps before and after them.
    changed : callable
        Called when there is something else to show.

    Attributes
    ----------
    request : Request
    layer : Image or None
        That of the result.
    over : bool
        Whether it has a result, or will have none.
    refusal : str
        Why the reference cannot be compared with.
    """

    def __init__(
        self, base: Request, method: str, plan: Plan, limit: int, changed: Callable[[], None]
    ) -> None:
        parameters = with_method(base.parameters, method)
        outer, self._own = own_iterations(parameters, plan)
        self.limited = outer > limit
        parameters = parameters.replace(iterations=min(outer, limit))
        self.request = replace(base, parameters=parameters, listener=self)
        self.method = method
        self.layer: Image | None = None
        self.over = False
        self.refusal = ""
        self._changed = changed
        self._state = "waits"
        self._run: Run | None = None
        self._result: Result | None = None
        self._measured: Measured | None = None
        self._latest = Latest()

    def on_step(self, step: Step) -> None:
        """Say where it is."""
        self._state = f"iteration {step.iteration} of {step.total}"
        self._changed()

    def on_result(self, run: Run, result: Result, layer: Image) -> None:
        """Keep the result and name its layer, unless the user has, after the method."""
        self._run, self._result, self.layer, self.over = run, result, layer, True
        if layer.name.startswith(f"{run.plane.name} restored"):
            layer.name = f"{run.plane.name} ({self.method})"
        self._state = "is measured"
        self._changed()

    def on_failure(self, reason: str) -> None:
        """Keep the reason."""
        self._state, self.over = reason, True
        self._changed()

    def measure(self, reference: Image | None) -> None:
        """Measure the result in a thread, if there is one."""
        if self._run is None or self._result is None:
            return
        truth, self.refusal = None, ""
        try:
            if reference is not None:
                truth = Reference.of(self._run.reference(reference))
        except InputError as e:
            self.refusal = str(e)
        work = partial(measure, self.request.source, self._result, truth)
        self._latest.run(work, self._on_measured, self._on_unmeasured)

    def forget(self) -> None:
        """Hear nothing of a measurement under way."""
        self._latest.forget()

    def row(self) -> Row:
        """Give what the table shows: the columns of `HEAD`, or where it stands."""
        if self._result is None or self._measured is None:
            return self.method, self._state
        m = self._measured
        count = self._result.steps[-1].iteration
        texts = (self.method, f"{self._result.seconds:.1f}", str(count), str(self._own))
        return (*texts, m.residual, m.frc, m.psnr, m.ssim)

    def _on_measured(self, measured: Measured) -> None:
        self._measured = measured
        self._changed()

    def _on_unmeasured(self, error: Exception) -> None:
        self._state = f"could not be measured: {error}"
        self._measured = None
        self._changed()
