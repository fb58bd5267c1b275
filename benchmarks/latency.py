"""How long the window does not answer during a run: gaps of a timer of 10 ms. Needs a display."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np

from benchmarks.results import Table

TICK = 0.01
# Name, shape of the image, preset, seconds after which the run is stopped.
CASES = {
    "512 x 512 RGB": ((512, 512, 3), "default", 20),
    "2048 x 2048 gray": ((2048, 2048), "preview", 60),
}


def run() -> None:
    """Measure every case in a process of its own: a session's first run, which loads torch too."""
    table = Table("latency", ["image", "preset"], ["median_ms", "p99_ms", "longest_ms", "seconds"])
    for name, (_, preset, _) in CASES.items():
        if table.has(name, preset):
            continue
        code = f"from benchmarks.latency import measure; measure({name!r})"
        done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
        gaps = np.array(json.loads(done.stdout.splitlines()[-1]))
        table.add(
            image=name,
            preset=preset,
            median_ms=round(1000 * float(np.median(gaps))),
            p99_ms=round(1000 * float(np.percentile(gaps, 99))),
            longest_ms=round(1000 * float(gaps.max())),
            seconds=round(float(gaps.sum())),
        )


def measure(name: str) -> None:
    """Print the gaps between the ticks of one case, in seconds, as JSON."""
    import napari
    from qtpy.QtCore import Qt, QTimer

    from napari_dred.core.parameters import Parameters
    from napari_dred.viewer.restore_widget import RestoreWidget

    shape, preset, seconds = CASES[name]
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    waves = 128 + 60 * np.sin(rows / 17) * np.cos(columns / 23)
    clean = waves if len(shape) == 2 else np.dstack([waves] * 3)
    image = np.clip(clean + rng.normal(0, 20, shape), 0, 255).astype(np.uint8)

    viewer = napari.Viewer()
    viewer.add_image(image)
    panel = RestoreWidget(viewer)
    viewer.window.add_dock_widget(panel, name="Restore image")
    # The network takes part, as it does by itself where there are holes.
    panel.form.set_parameters(
        Parameters(preset=preset, method="hqs" if preset == "preview" else "dred")
    )
    ticks: list[float] = []
    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))

    def begin() -> None:
        timer.start(int(1000 * TICK))
        panel.restore_button.native.click()
        QTimer.singleShot(1000 * seconds, panel.stop_button.native.click)
        watch.start(100)

    def end_if_idle() -> None:
        if panel.worker is None:
            watch.stop()
            QTimer.singleShot(1000, end)  # the result is drawn

    def end() -> None:
        timer.stop()
        viewer.close()

    watch = QTimer()
    watch.timeout.connect(end_if_idle)
    QTimer.singleShot(3000, begin)  # the window has been drawn
    napari.run()
    print(json.dumps(np.diff(ticks).tolist()))
