"""The paper's figure 4 on a picture of scikit-image, and curves of what was measured."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from benchmarks.cases import (
    Case,
    add_noise,
    circular_blur,
    downsample,
    gaussian_kernel,
    load_mask,
)
from benchmarks.paper import ABLATION, METHODS, OURS, THEIRS, measure
from benchmarks.paper_tables import curves
from benchmarks.results import FOLDER
from benchmarks.stopping import psnr_y_of
from pictures.files import save_png

SIDE, ENLARGED, COLUMNS = 96, 2, 7
CAP = 20.0  # seconds a run
NAMES = {**THEIRS, ABLATION: "DIP-PnP", **dict(zip(OURS, OURS, strict=True))}
LEGEND = 26  # pixels below a picture


def make_comparison(path: Path, iterations: int | None) -> None:
    """Each of three damages in rows of its own: the input, every method's result, the truth.

    Each result is kept in a folder until the picture is complete, so that a killed run goes on.
    """
    kept = path.parent / f".{path.stem}"
    kept.mkdir(parents=True, exist_ok=True)
    damages = [list(_tiles(case, iterations, kept)) for case in _cases()]
    step = SIDE * ENLARGED
    rows = -(-len(damages[0]) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * step, len(damages) * rows * (step + LEGEND)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for first, tiles in enumerate(damages):
        for k, (words, image) in enumerate(tiles, first * rows * COLUMNS):
            left, top = k % COLUMNS * step, k // COLUMNS * (step + LEGEND)
            large = Image.fromarray(image).resize((step, step), Image.Resampling.NEAREST)
            sheet.paste(large, (left, top))
            draw.text((left + step // 2, top + step + 3), words, "black", font, anchor="ma")
    save_png(path, sheet)
    shutil.rmtree(kept)


def _cases() -> Iterator[Case]:
    """The three rows of the figure: holes, low resolution and blur, each with noise."""
    rng = np.random.default_rng(4)
    pixels = data.astronaut()[60 : 60 + 2 * SIDE, 130 : 130 + 2 * SIDE]
    clean = downsample(np.moveaxis(pixels, -1, 0).astype(np.float32) / 255, 2).clip(0, 1)
    mask, kernel = load_mask("line", (SIDE, SIDE)), gaussian_kernel()
    holes = add_noise(clean * mask, "PN", 15, rng)
    yield Case("PN15+line", "", "inpaint", clean, holes, mask=mask, noise="PN", sigma=15)
    small = add_noise(downsample(clean, 2), "GN", 15, rng)
    yield Case("GN15+S2", "", "sr", clean, small, factor=2, sigma=15)
    blurred = add_noise(circular_blur(clean, kernel), "GN", 15, rng)
    yield Case("GN15+gauss", "", "deblur", clean, blurred, kernel=kernel, sigma=15)


def _tiles(
    case: Case, iterations: int | None, kept: Path
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    yield (
        f"input, {case.name}",
        _pixels(case.degraded).repeat(case.factor, 0).repeat(case.factor, 1),
    )
    changes = {} if iterations is None else {"iterations": iterations}
    for method, name in NAMES.items():
        file = kept / f"{case.name.strip('/').replace('/', '-')}-{method}.png"
        if not file.exists():
            Image.fromarray(measure(case, method, cap=CAP, **changes).image).save(file)
            print(file.stem, flush=True)
        image = np.asarray(Image.open(file))
        yield f"{name}, {psnr_y_of(image, case):.2f} dB", image
    yield "truth", _pixels(case.clean)


def _pixels(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.moveaxis(planes, 0, -1) * 255).astype(np.uint8)


def make_convergence(path: Path, _iterations: int | None) -> None:
    """PSNR-Y by iteration of every method, a panel for each kind of damage."""
    panels = curves()
    figure = Figure(figsize=(4 * len(panels), 4.4), layout="constrained", dpi=110)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, ((setting, _), by_method) in zip(axes, panels.items(), strict=True):
        for k, method in enumerate(m for m in METHODS if m in by_method):
            points = by_method[method]
            ours = method in OURS
            ax.plot(
                list(points),
                list(points.values()),
                color=f"C{METHODS.index(method)}",
                linestyle="--" if ours else "-",
                linewidth=2 if method == "dred" or ours else 1.2,
                label=method if ours else THEIRS[method],
                zorder=k,
            )
        ax.set(xscale="log", title=setting, xlabel="iteration")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("PSNR-Y in dB")
    labelled = [zip(*ax.get_legend_handles_labels(), strict=True) for ax in axes]
    handles = {label: handle for pairs in labelled for handle, label in pairs}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def make_growth(path: Path, _iterations: int | None) -> None:
    """Seconds of an iteration and peak memory against the number of pixels, by preset."""
    with (FOLDER / "speed.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    figure = Figure(figsize=(8, 4.2), layout="constrained", dpi=110)
    both = {"seconds_an_iteration": "seconds an iteration", "peak_mib": "peak memory in MiB"}
    for ax, (column, words) in zip(figure.subplots(1, 2), both.items(), strict=True):
        named = [((row["preset"], row["device"], row["precision"]), row) for row in rows]
        for name in dict.fromkeys(name for name, _ in named):
            shown = [row for its, row in named if its == name]
            pixels = [int(row["size"]) ** 2 / 1e6 for row in shown]
            ax.plot(pixels, [float(row[column]) for row in shown], "o-", label=", ".join(name))
        ax.set(xscale="log", yscale="log", xlabel="megapixels, colour", ylabel=words)
        ax.grid(alpha=0.3)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
