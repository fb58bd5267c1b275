"""The command line's part for stacks and for many files: their options, progress, and `batch`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_dred.core.errors import InputError
from napari_dred.options import FILE, TwoLists, chosen, parameter_options
from napari_dred.text import duration

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_dred.core.parameters import Parameters
    from napari_dred.volumes.cluster import Pool
    from napari_dred.volumes.planning import StackOptions
    from napari_dred.volumes.stacks import Progress

_OPTIONS = (
    click.option(
        "--axes",
        metavar="LETTERS",
        help="What each axis of INPUT is, if the file does not say: T time, C channel, Z depth, "
        "Y, X, S colour samples, such as TCZYX.",
    ),
    click.option(
        "--mask-axes", metavar="LETTERS", help="The same for the mask, if its file does not say."
    ),
    click.option(
        "--planes",
        metavar="AXIS=START:STOP,...",
        help="Restore and write these planes of a stack alone, such as Z=3:10,C=1 (from 0, the "
        "last not included).",
    ),
    click.option(
        "--tile",
        type=int,
        help="Longest side of a tile, in pixels, into which larger planes are cut; chosen from "
        "the free memory if left out.",
    ),
    click.option(
        "--around-mask",
        is_flag=True,
        help="Compute only rectangles around missing pixels and leave all others as they are: "
        "for small holes in a large image.",
    ),
    click.option(
        "--ome-zarr",
        "version",
        type=click.Choice(["0.4", "0.5"]),
        help="Version of OME-Zarr to write; that of INPUT, or 0.5, if left out.",
    ),
    click.option("--workers", type=click.IntRange(min=1), help="Processes to work with."),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="A dask scheduler to work with, such as tcp://host:8786; its workers must see the "
        "same files.",
    ),
    click.option(
        "--resume", is_flag=True, help="Go on with what an interrupted run of the same has left."
    ),
)
#: The names of the options above, as functions get them.
STACK_OPTIONS = (
    *("axes", "mask_axes", "planes", "tile", "around_mask", "version"),
    *("workers", "scheduler", "resume"),
)


def stack_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for stacks and large planes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def is_for_stacks(source: Path, output: Path, stack: dict[str, Any]) -> bool:
    """Whether a file is restored plane by plane, or tile by tile, and not as a picture."""
    if any(stack.values()) or output.suffix.lower() == ".zarr":
        return True
    from napari_dred.io.stack import is_large, is_stack

    return is_stack(source) or (output.suffix.lower() != ".png" and is_large(source))


def restore_file(
    source: Path,
    output: Path,
    mask: Path | None,
    label: int | None,
    psf: Path | None,
    parameters: Parameters,
    stack: dict[str, Any],
    force: bool,
    as_json: bool,
) -> int:
    """Restore a stack or a large plane, with a progress bar."""
    from tqdm import tqdm

    from napari_dred.io import read_psf
    from napari_dred.volumes.cluster import pool
    from napari_dred.volumes.planning import unfinished
    from napari_dred.volumes.stacks import Progress, restore_stack

    options = options_of(stack, mask, label, None if psf is None else read_psf(psf))
    record: dict[str, Any] = {}
    left = f"the tiles that were done are kept beside {output}; --resume goes on with them"
    with (
        _interrupted(left, unfinished(output)),
        pool(stack["workers"], stack["scheduler"]) as workers,
    ):
        steps = restore_stack(
            source, output, parameters, options, pool=workers, resume=stack["resume"], replace=force
        )
        first = next(steps)  # what is wrong with the input is said before there is a bar
        with tqdm(**_bar()) as bar:
            for item in chain([first], steps):
                if isinstance(item, Progress):
                    _show(bar, item)
                else:
                    record = item
    planes = " x ".join(f"{b - a} {axis}" for axis, (a, b) in record["planes"].items() if b - a > 1)
    summary = f"{output}: {planes or '1 plane'} in {duration(record['seconds'])}"
    click.echo(json.dumps(record) if as_json else summary)
    return 0


def options_of(
    stack: dict[str, Any], mask: Path | None, label: int | None, psf: NDArray[Any] | None
) -> StackOptions:
    """Give the options of the command line as the solver of stacks takes them."""
    from napari_dred.io.axes import Selection
    from napari_dred.volumes.planning import StackOptions

    planes = stack["planes"]
    return StackOptions(
        axes=stack["axes"],
        mask=mask,
        mask_axes=stack["mask_axes"],
        label=label,
        psf=psf,
        selection=Selection() if planes is None else Selection.from_text(planes),
        tile=stack["tile"],
        around_mask=stack["around_mask"],
        version=stack["version"],
    )


def _bar() -> dict[str, Any]:
    on_terminal = sys.stderr.isatty()
    return {
        "file": sys.stderr,
        "unit": "tile",
        "mininterval": 0.2 if on_terminal else 5,
        "dynamic_ncols": on_terminal,
    }


def _show(bar: Any, item: Progress) -> None:
    bar.total = item.total
    bar.update(item.done - bar.n)
    if item.note:
        bar.write(item.note, file=sys.stderr)


@contextmanager
def _interrupted(left: str, sign: Path) -> Iterator[None]:
    """Say what Ctrl-C leaves, if its sign is there."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(left if sign.exists() else "") from None


@click.command(cls=TwoLists)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o", "--output", type=FILE, required=True, help="Folder for the results; made if not there."
)
@click.option(
    "--suffix",
    type=click.Choice([".ome.tif", ".tif", ".png", ".ome.zarr"]),
    help="Kind of the results; that of each input if left out.",
)
@click.option("--mask", type=FILE, help="A mask that holds for every image.")
@click.option("--psf", type=FILE, help="A measured blur kernel that holds for every image.")
@parameter_options
@stack_options
@click.option(
    "--settings",
    type=FILE,
    help="JSON file with any of the parameters, as the window saves it, or an image that was "
    "written with them; options that are given win over it.",
)
@click.option("--dry-run", is_flag=True, help="List what would be done, and do nothing.")
def batch(
    inputs: tuple[str, ...],
    output: Path,
    suffix: str | None,
    mask: Path | None,
    psf: Path | None,
    settings: Path | None,
    dry_run: bool,
    **options: Any,
) -> int:
    """Restore many images: files, folders, patterns such as 'day1/*.tif', OME-Zarr plates.

    An image that cannot be restored does not keep the others from it; such
    images are named at the end, and the exit code is then 1. In the folder of
    the results, manifest.jsonl says what was done with which image, and
    summary.html shows it. --resume goes on where a run was cut off.
    """
    from tqdm import tqdm

    from napari_dred.batch import Batch, Failed
    from napari_dred.batch_items import expand
    from napari_dred.io import read_psf
    from napari_dred.volumes.cluster import pool

    stack = {name: options.pop(name) for name in STACK_OPTIONS}
    told = chosen(settings, options, psf)
    label = None if mask is None else told.label
    weights = None if told.parameters.weights is None else Path(told.parameters.weights)
    others = [path for path in (mask, psf, settings, weights) if path is not None]
    items = expand(inputs, output, suffix, others)
    if not items:
        raise InputError(f"there is no image in {', '.join(inputs)}")
    if dry_run:
        for item in items:
            click.echo(f"{item.source} -> {item.target}")
        return 0
    kernel = None if psf is None else read_psf(psf)
    run = Batch(output, items, told.parameters, options_of(stack, mask, label, kernel))
    failed: list[Failed] = []
    left = f"what was done is kept in {output}; --resume goes on with it"
    with (
        _interrupted(left, run.manifest),
        pool(stack["workers"], stack["scheduler"]) as workers,
        tqdm(**_images_bar(items)) as bar,
    ):
        failed = _run(run, bar, workers, resume=stack["resume"])
    for one in failed:
        click.echo(f"napari-dred: {one.source}: {one.why}", err=True)
    done = len(items) - len(failed)
    click.echo(f"{done} of {len(items)} images restored; see {output / 'summary.html'}")
    return 1 if failed else 0


def _images_bar(items: list[Any]) -> dict[str, Any]:
    return _bar() | {"unit": "image", "total": len(items)}


def _run(run: Any, bar: Any, workers: Pool, *, resume: bool) -> list[Any]:
    from napari_dred.batch import Failed

    failed = []
    for outcome in run.run(workers, resume=resume):
        bar.update(1)
        if isinstance(outcome, Failed):
            failed.append(outcome)
    return failed
