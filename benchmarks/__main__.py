"""`python -m benchmarks NAME`: what can be measured; results go to `benchmarks/results`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from benchmarks import (
    adapt,
    assumptions,
    blur,
    blur_estimate,
    convert_tnrd,
    denoisers,
    latency,
    levels,
    memory,
    micrographs,
    neighbours,
    network,
    paper,
    quality,
    race,
    search,
    speed,
    stacks,
    stopping,
    tables,
)
from benchmarks.cases import SUITES
from napari_dred.core.methods import DENOISERS

_folder = click.Path(exists=True, file_okay=False, path_type=Path)
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(help=__doc__)
def main() -> None: ...


@main.command("denoisers", help=denoisers.__doc__)
@click.option("--data", type=_folder, required=True, help="Folder of set12, bsd68, cbsd68.")
@click.option("--weights", type=_file, multiple=True, help="Other weights, to compare.")
@click.option(
    "--set",
    "sets",
    type=click.Choice(list(denoisers.SETS)),
    multiple=True,
    default=list(denoisers.SETS),
)
def _denoisers(data: Path, weights: tuple[Path, ...], sets: tuple[str, ...]) -> None:
    denoisers.run(data, list(weights), list(sets))


@main.command("quality", help=quality.__doc__)
@click.option("--suite", type=click.Choice(list(SUITES)), multiple=True, default=list(SUITES))
@click.option("--data", type=_folder, required=True, help="Folder of set5, set14, ...")
@click.option("--preset", default="default")
@click.option("--every", default=1, help="Take every N-th image.")
@click.option("--crop", type=int, help="Take the central part of that size.")
@click.option("--only", default="", help="Cases whose name holds this.")
@click.option("--untimed", is_flag=True, help="No seconds: other work is done on the machine.")
def _quality(suite: tuple[str, ...], data: Path, **options: Any) -> None:
    quality.run(list(suite), data, **options)


@main.command("micrographs", help=micrographs.__doc__)
@click.option("--data", type=_folder, required=True, help="Folder of fmd.")
@click.option(
    "--method",
    "methods",
    type=click.Choice(list(micrographs.METHODS)),
    multiple=True,
    default=[m for m in micrographs.METHODS if m != "default"],
)
@click.option("--every", default=1, help="Take every N-th image.")
@click.option("--crop", type=int, help="Take the central part of that size.")
@click.option("--only", default="", help="Cases whose name holds this.")
def _micrographs(
    data: Path, methods: tuple[str, ...], every: int, crop: int | None, only: str
) -> None:
    micrographs.run(data, methods=list(methods), every=every, crop=crop, only=only)


@main.command("stopping", help=stopping.__doc__)
@click.option("--suite", type=click.Choice(list(SUITES)), multiple=True, default=list(SUITES))
@click.option("--data", type=_folder, required=True, help="Folder of set5, set14, ...")
@click.option("--preset", default="default")
@click.option("--held-out", type=float, help="Share of the samples; the preset's if left out.")
@click.option("--every", default=1, help="Take every N-th image.")
@click.option("--crop", type=int, help="Take the central part of that size.")
@click.option("--only", default="", help="Cases whose name holds this.")
def _stopping(suite: tuple[str, ...], data: Path, **options: Any) -> None:
    stopping.run(list(suite), data, **options)


@main.command("race", help=race.__doc__)
@click.option("--data", type=_folder, required=True, help="Folder of set5, set14, ...")
@click.option("--case", "cases", multiple=True, required=True, help="A whole name of a case.")
@click.option("--crop", default=128, help="Take the central part of that size.")
@click.option("--cap", default=600.0, help="End a run of preset paper after that many seconds.")
def _race(data: Path, cases: tuple[str, ...], **options: Any) -> None:
    race.run(data, cases=list(cases), **options)


@main.command("speed", help=speed.__doc__)
@click.option(
    "--preset", type=click.Choice(list(speed.SIZES)), multiple=True, default=list(speed.SIZES)
)
@click.option("--size", type=int, multiple=True, help="The preset's own sizes if left out.")
@click.option("--device", default="cpu")
def _speed(preset: tuple[str, ...], size: tuple[int, ...], device: str) -> None:
    speed.run(list(preset), list(size), device)


@main.command("search", help=search.__doc__)
@click.option("--data", type=_folder, required=True, help="Folder that holds the folder tune.")
@click.option(
    "--preset", "presets", type=click.Choice(list(search.VARIANTS)), multiple=True, required=True
)
@click.option(
    "--setting",
    "settings",
    type=click.Choice(search.SETTINGS),
    multiple=True,
    default=search.SETTINGS,
)
@click.option("--variant", "variants", multiple=True, help="Its name; all if left out.")
@click.option("--every", default=4, help="Take every N-th image.")
@click.option("--crop", default=128, help="Take the central part of that size.")
def _search(
    data: Path, presets: tuple[str, ...], settings: tuple[str, ...], **options: Any
) -> None:
    search.run(data, presets=list(presets), settings=list(settings), **options)


@main.command("adapt", help=adapt.__doc__)
@click.option("--data", type=_folder, required=True, help="Folder that holds the folder tune.")
@click.option("--every", default=4, help="Take every N-th image.")
@click.option("--crop", default=160, help="Take the central part of that size.")
@click.option("--only", default="", help="Cases whose name holds this.")
def _adapt(data: Path, **options: Any) -> None:
    adapt.run(data, **options)


@main.command("network", help=network.__doc__)
@click.option("--data", type=_folder, required=True, help="Folder that holds the folder tune.")
@click.option("--every", default=7, help="Take every N-th image.")
@click.option("--crop", default=144, help="Take the central part of that size.")
@click.option("--only", default="", help="Cases whose name holds this.")
def _network(data: Path, **options: Any) -> None:
    network.run(data, **options)


@main.command("levels", help=levels.__doc__)
@click.option("--data", type=_folder, required=True, help="Folder that holds the folder tune.")
@click.option("--every", default=4, help="Take every N-th image.")
@click.option("--crop", default=160, help="Take the central part of that size.")
@click.option("--only", default="", help="Cases whose name holds this.")
def _levels(data: Path, **options: Any) -> None:
    levels.run(data, **options)


@main.command("assumptions", help=assumptions.__doc__)
@click.option("--data", type=_folder, required=True, help="Folder of set12.")
@click.option("--weights", type=_file, multiple=True, help="Other weights, to compare.")
@click.option("--denoiser", type=click.Choice(DENOISERS), multiple=True, default=DENOISERS)
@click.option("--every", default=1, help="Take every N-th image.")
@click.option("--only", default="", help="Cases whose name holds this.")
def _assumptions(
    data: Path, weights: tuple[Path, ...], denoiser: tuple[str, ...], **options: Any
) -> None:
    assumptions.run(data, list(weights), list(denoiser), **options)


@main.command("convert-tnrd", help=convert_tnrd.__doc__)
@click.argument("source", type=_file)
@click.argument("goal", type=click.Path(dir_okay=False, path_type=Path))
def _convert_tnrd(source: Path, goal: Path) -> None:
    convert_tnrd.run(source, goal)


@main.command("memory", help=memory.__doc__)
def _memory() -> None:
    memory.run()


@main.command("latency", help=latency.__doc__)
def _latency() -> None:
    latency.run()


@main.command("blur", help=blur.__doc__)
@click.option("--estimate", is_flag=True, help="How well its width is estimated, instead.")
def _blur(estimate: bool) -> None:
    (blur_estimate if estimate else blur).run()


@main.command("neighbours", help=neighbours.__doc__)
def _neighbours() -> None:
    neighbours.run()


@main.command("stacks", help=stacks.__doc__)
def _stacks() -> None:
    stacks.run()


@main.command("paper", help=paper.__doc__)
@click.option("--table", type=click.Choice(["2", "3", "4"]), help="Of the paper.")
@click.option("--figure", type=click.Choice(["4", "5"]), help="Of the paper.")
@click.option("--data", type=_folder, required=True, help="Folder of set5, set14, ...")
@click.option(
    "--method",
    "methods",
    type=click.Choice([*paper.METHODS, paper.ABLATION]),
    multiple=True,
    help="These alone.",
)
@click.option("--every", default=1, help="Take every N-th image.")
@click.option("--crop", type=int, help="Take the central part of that size.")
@click.option("--cap", type=float, help="End a run after that many seconds.")
@click.option("--only", multiple=True, help="Cases whose name holds this.")
def _paper(
    table: str | None,
    figure: str | None,
    data: Path,
    methods: tuple[str, ...],
    only: tuple[str, ...],
    **options: Any,
) -> None:
    if (table is None) == (figure is None):
        raise click.UsageError("give either --table or --figure")
    target = f"figure {figure}" if table is None else f"table {table}"
    paper.run(target, data, methods=list(methods), only=list(only), **options)


@main.command("tables", help=tables.__doc__)
def _tables() -> None:
    tables.run()


if __name__ == "__main__":
    main()
