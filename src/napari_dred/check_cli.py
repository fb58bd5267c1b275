"""`napari-dred check`: whether a denoiser is what RED takes it for."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import click

from napari_dred.check import Settings
from napari_dred.core.errors import InputError
from napari_dred.core.methods import DENOISERS
from napari_dred.options import FILE, json_option
from napari_dred.terminal import say


def _settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say how a denoiser is measured; `check.Settings` has the defaults."""
    for name, kind, words in reversed(
        [
            ("epsilon", click.FloatRange(0, 1, min_open=True), "Part by which X gets brighter."),
            ("rho", click.FloatRange(0, 1, min_open=True), "Step of differences, X in [0, 1]."),
            ("sigma_homogeneity", click.FloatRange(0, 255, min_open=True), "Noise there, 0-255."),
            ("sigma_symmetry", click.FloatRange(0, 255, min_open=True), "Noise there, 0-255."),
            ("crop", click.IntRange(4, 64), "Side of the part with a whole Jacobian."),
            ("probes", click.IntRange(0), "Random probes of the whole image; 0 for none."),
            ("seed", click.IntRange(0), "Seed of noise and probes."),
        ]
    ):
        command = click.option(
            f"--{name.replace('_', '-')}",
            type=kind,
            default=getattr(Settings, name),
            show_default=True,
            help=words,
        )(command)
    return command


@click.command()
@click.argument("images", type=FILE, nargs=-1)
@click.option(
    "--denoiser",
    "denoisers",
    multiple=True,
    type=click.Choice(DENOISERS),
    help="One to measure; may be given several times. Left out: all that there are.",
)
@click.option("--weights", type=FILE, help="File with weights of that one denoiser.")
@click.option(
    "--maps",
    type=FILE,
    help="Folder to write the maps of f((1 + eps) X) - (1 + eps) f(X) to, as PNG: gray is none.",
)
@_settings_options
@json_option
def check(
    images: tuple[Path, ...],
    denoisers: tuple[str, ...],
    weights: Path | None,
    maps: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure whether a denoiser is what RED takes it for, on clean IMAGES.

    That is: differentiable, homogeneous, with a symmetric Jacobian (section IV of the paper).
    Without IMAGES, on a photograph of scikit-image.
    """
    if weights is not None and len(denoisers) != 1:
        raise click.UsageError("--weights needs one --denoiser that they are for")
    if maps is not None and not maps.is_dir():
        raise InputError(f"{maps}: there is no such folder for the maps")

    from skimage.data import camera

    from napari_dred import check as checks
    from napari_dred.io import Picture, check_no_input, read_picture, write_picture

    def place(image: str, denoiser: str) -> Path:
        assert maps is not None
        return maps / f"{Path(image).stem}-{denoiser}.png"

    asked = denoisers or DENOISERS
    for path, name in product(images, asked if maps else ()):
        check_no_input(place(path.name, name), (*images, weights))
    chosen = checks.Settings(**settings)
    given = {path.name: read_picture(path).samples for path in images}
    measured = []
    for row in checks.rows(
        given or {"camera": camera()},
        asked,
        weights=None if weights is None else str(weights),
        settings=chosen,
    ):
        measured.append(row)
        if maps is not None and isinstance(row, checks.Row):
            target = place(row.image, row.denoiser)
            picture = Picture(checks.difference_picture(row.difference))
            write_picture(target, picture, replace=True)
            say(f"{target}: black and white are {abs(row.difference).max():.2g}")
    reported = checks.report(measured, chosen)
    click.echo(json.dumps(reported) if as_json else checks.as_text(reported))
