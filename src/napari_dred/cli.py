"""The command line: restore, compare, check, info, demo.

Arguments in, files and one JSON object or a few lines out; what is computed is
computed elsewhere. Neither napari nor Qt is imported (but for the demo's
window), and torch only once there is something to compute.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_dred.check import Settings
from napari_dred.core.control import Control
from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.methods import DENOISERS
from napari_dred.core.parameters import Parameters
from napari_dred.options import TwoLists, chosen, parameter_options
from napari_dred.psf_cli import psf
from napari_dred.stack_cli import STACK_OPTIONS, batch, is_for_stacks, restore_file, stack_options
from napari_dred.text import duration, memory

if TYPE_CHECKING:
    from types import FrameType

    from numpy.typing import NDArray

    from napari_dred.core.records import Plan, Result
    from napari_dred.volumes import Region

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130

DEMO_FILE = "napari-dred-demo.png"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code.

    0: done; 1: the run failed; 2: bad arguments or input; 130: interrupted.
    Whatever went wrong is one line on stderr.
    """
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it logs what it also raises
    try:
        code = commands.main(arguments, prog_name="napari-dred", standalone_mode=False)
    except (click.ClickException, InputError) as e:
        text = e.format_message() if isinstance(e, click.ClickException) else str(e)
        return _complain(text, WRONG)
    except MemoryError as e:
        return _complain(f"out of memory: {e}" if str(e) else "out of memory", FAILED)
    except (RestorationError, OSError) as e:
        return _complain(str(e), FAILED)
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted, nothing was written", INTERRUPTED)
    return code if isinstance(code, int) else DONE


def _complain(text: str, code: int) -> int:
    """Put one line on stderr, whatever a file's name or a library's message holds."""
    line = "".join(c if c.isprintable() else " " for c in text)
    click.echo(f"napari-dred: {' '.join(line.split())}", err=True)
    return code


def _say(text: str) -> None:
    click.echo(text, err=True)


_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output."
)
_file = click.Path(path_type=Path, readable=False)  # the readers say what is wrong


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


@click.group(
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="napari-dred")
def commands() -> None:
    """Restore one damaged image with no training data: deep image prior and a deep denoiser."""


# restore


@commands.command(cls=TwoLists)
@click.argument("input", type=_file)
@click.option(
    "-o",
    "--output",
    type=_file,
    required=True,
    help="File to write: .tif or .png; a stack: .ome.tif, .tif or .ome.zarr.",
)
@click.option(
    "--mask",
    type=_file,
    help="TIFF or PNG of INPUT's size. A pixel that is not zero in any colour channel is missing; "
    "alpha is ignored.",
)
@click.option(
    "--psf",
    type=_file,
    help="A measured blur kernel in place of --blur-sigma: gray TIFF or PNG, or a 2-D .npy array.",
)
@click.option(
    "--region",
    metavar="TOP:BOTTOM,LEFT:RIGHT",
    help="Restore these rows and columns (from 0, the last not included) and leave the rest; with "
    "--scale, write them alone.",
)
@parameter_options
@stack_options
@click.option(
    "--settings",
    type=_file,
    help="JSON file with any of the parameters, or an image that was written with them; options "
    "that are given win over it.",
)
@click.option("--force", is_flag=True, help="Replace OUTPUT if it is there.")
@_json_option
def restore(
    input: Path,
    output: Path,
    mask: Path | None,
    psf: Path | None,
    region: str | None,
    settings: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Restore the image in the file INPUT (TIFF, PNG, JPEG or OME-Zarr).

    Of a stack (axes T, C and Z before Y and X) every plane is restored, with
    one noise level for each channel, and the metadata are kept.

    What is wrong with it is what the options say, several at once allowed:
    missing pixels (--mask), too low a resolution (--scale), blur (--blur-sigma
    or --psf); noise always. Ctrl-C ends the run and saves the best image so
    far; a second one ends it at once.
    """
    if psf is not None and options["blur_sigma"] is not None:
        raise click.UsageError("--blur-sigma and --psf exclude each other; give one of them")
    stack = {name: options.pop(name) for name in STACK_OPTIONS}
    told = chosen(settings, options, psf)
    parameters, label = told.parameters, None if mask is None else told.label
    if label is not None:
        _say(f"Of the mask, the label {label} alone is missing, as {settings} says.")
    if psf is not None and parameters.blur_sigma:
        raise InputError(
            f"blur_sigma is {parameters.blur_sigma:g} in {settings}, which --psf excludes"
        )
    _check_target(output, force, others=[p for p in (mask, psf, settings) if p is not None])

    if is_for_stacks(input, output, stack):
        if region is not None:
            raise click.UsageError("--region is for single planes; leave it out for a stack")
        return restore_file(input, output, mask, label, psf, parameters, stack, force, as_json)
    from napari_dred.io import check_output, read_mask, read_picture, read_psf, write_picture
    from napari_dred.volumes import Region

    part = None if region is None else Region.from_text(region)

    check_output(output, "uint8" if parameters.output_dtype == "same" else parameters.output_dtype)
    picture = read_picture(input)
    samples = picture.samples
    dtype = samples.dtype if parameters.output_dtype == "same" else parameters.output_dtype
    check_output(output, dtype, picture)
    missing = None if mask is None else read_mask(mask, samples.shape, label)
    kernel = None if psf is None else read_psf(psf)
    for note in picture.notes:
        _say(note)
    result, interrupted = _run(samples, missing, kernel, parameters, part)
    if part is not None and result.parameters.scale > 1:
        picture = picture.part(*part.clipped(*samples.shape[:2]).slices)
    restored = picture.restored(result.image, result.parameters.scale)
    record = result.provenance()
    record["notes"] = [*picture.notes, *record["notes"]]
    files = {"image": input, "mask": mask, "psf": psf}
    # Their names, without the folders: who is given the picture need not know those.
    record["source"] = {key: path.name for key, path in files.items() if path is not None}
    if label is not None:
        record["source"]["label"] = label
    if part is not None:
        record["source"]["region"] = part.to_dict()
    place = write_picture(output, restored, replace=force, record=record)
    if place != output:
        _say(f"{output} came to be during the run and is left as it is; see {place}.")

    record["output"] = str(place)
    summary = (
        f"{place}: {record['iterations']} iterations in {duration(result.seconds)} "
        f"on {record['device']}"
    )
    if interrupted:
        _say(f"Interrupted; the best image so far is in {place}.")
    click.echo(json.dumps(record) if as_json else summary)
    return INTERRUPTED if interrupted else DONE


def _check_target(output: Path, force: bool, others: Sequence[Path]) -> None:
    """Refuse, before anything is computed, a place that cannot be written to."""
    try:
        there = stat.S_IFMT(output.stat().st_mode)
    except FileNotFoundError:
        there = None
    except OSError as e:  # a name that is too long, links that lead in a circle, ...
        raise InputError(f"{output}: {e.strerror}") from None
    folder = Path(os.path.realpath(output)).parent
    if there == stat.S_IFDIR and output.suffix.lower() != ".zarr":
        raise InputError(f"{output}: this is a folder; give the name of a file")
    if not folder.is_dir():
        raise InputError(f"{output}: there is no folder {folder}")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{output}: the folder {folder} cannot be written to")
    if there is None:
        return
    for other in others:
        with suppress(OSError):  # the readers say what is wrong with it
            if output.samefile(other):
                raise InputError(f"{output}: this is also an input of the run; give another output")
    if not force:
        raise InputError(f"{output}: the file is there already; give --force to replace it")


def _run(
    image: NDArray[Any],
    mask: NDArray[Any] | None,
    psf: NDArray[Any] | None,
    parameters: Parameters,
    region: Region | None = None,
) -> tuple[Result, bool]:
    """Drive the solver with a progress bar; give its result, and whether Ctrl-C ended it."""
    from tqdm import tqdm

    from napari_dred.core.records import Plan, Result, Step
    from napari_dred.volumes import solve_region

    control = Control()
    with _ctrl_c_stops(control):
        records = solve_region(image, mask, region, psf=psf, parameters=parameters, control=control)
        plan = next(records)
        assert isinstance(plan, Plan)
        _announce(plan)
        on_terminal = sys.stderr.isatty()
        with tqdm(
            file=sys.stderr,
            unit="it",
            mininterval=0.2 if on_terminal else 5,
            dynamic_ncols=on_terminal,
        ) as bar:
            try:
                for record in records:
                    if isinstance(record, Result):
                        return record, record.stop_reason == "stopped"
                    if isinstance(record, Step):
                        bar.total = record.total
                        bar.update(record.iteration - bar.n)
                        if record.note:
                            bar.write(record.note, file=sys.stderr)
            except RestorationError:
                if not control.stopped:
                    raise
    raise KeyboardInterrupt  # stopped before there was an image


def _announce(plan: Plan) -> None:
    for note in plan.notes:
        _say(note)
    size = f"{plan.shape[1]}x{plan.shape[0]}"
    _say(
        f"{plan.task}, {size} pixels, {plan.parameters.iterations} iterations on {plan.device}: "
        f"about {duration(plan.seconds)} and {memory(plan.memory)}"
    )


@contextmanager
def _ctrl_c_stops(control: Control) -> Iterator[None]:
    """Ctrl-C stops the run, so that it gives its best image; a second one ends it at once."""

    def handle(signum: int, frame: FrameType | None) -> None:
        if control.stopped:
            raise KeyboardInterrupt
        control.stop()
        # Not through a buffered stream: the signal may have come in the middle of a write to it.
        os.write(2, b"\nStopping; Ctrl-C again to end at once.\n")

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


commands.add_command(batch)
commands.add_command(psf)


# compare


@commands.command()
@click.argument("result", type=_file)
@click.argument("reference", type=_file)
@click.option(
    "--data-range",
    type=float,
    help="Span of the sample values. Left out: that of REFERENCE's sample type, "
    "1 for floating point in [0, 1].",
)
@_json_option
def compare(result: Path, reference: Path, data_range: float | None, as_json: bool) -> None:
    """Compare two images of the same size: PSNR, PSNR-Y, SSIM.

    PSNR-Y is taken on the luma (ITU-R BT.601, 16-235) of the images rounded to
    8 bits, gray samples as they are. Alpha is not compared.
    """
    from napari_dred import metrics
    from napari_dred.io import read_picture

    a, b = read_picture(result).samples, read_picture(reference).samples
    figures = {
        "psnr": metrics.psnr(a, b, data_range),
        "psnr_y": metrics.psnr_y(a, b, data_range),
        "ssim": metrics.ssim(a, b, data_range),
    }
    if as_json:
        # JSON has no infinity: the PSNR of equal images is null.
        row = {name: v if math.isfinite(v) else None for name, v in figures.items()}
        row["data_range"] = metrics.default_data_range(b) if data_range is None else data_range
        click.echo(json.dumps(row))
    else:
        click.echo(f"PSNR   {figures['psnr']:.2f} dB")
        click.echo(f"PSNR-Y {figures['psnr_y']:.2f} dB")
        click.echo(f"SSIM   {figures['ssim']:.4f}")


# check


@commands.command()
@click.argument("images", type=_file, nargs=-1)
@click.option(
    "--denoiser",
    "denoisers",
    multiple=True,
    type=click.Choice(DENOISERS),
    help="One to measure; may be given several times. Left out: all that there are.",
)
@click.option("--weights", type=_file, help="File with weights of that one denoiser.")
@click.option(
    "--maps",
    type=_file,
    help="Folder to write the maps of f((1 + eps) X) - (1 + eps) f(X) to, as PNG: gray is none.",
)
@_settings_options
@_json_option
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
    from napari_dred.io import Picture, read_picture, write_picture

    chosen = checks.Settings(**settings)
    given = {path.name: read_picture(path).samples for path in images}
    measured = []
    for row in checks.rows(
        given or {"camera": camera()},
        denoisers or DENOISERS,
        weights=None if weights is None else str(weights),
        settings=chosen,
    ):
        measured.append(row)
        if maps is not None and isinstance(row, checks.Row):
            place = maps / f"{Path(row.image).stem}-{row.denoiser}.png"
            picture = Picture(checks.difference_picture(row.difference))
            write_picture(place, picture, replace=True)
            _say(f"{place}: black and white are {abs(row.difference).max():.2g}")
    reported = checks.report(measured, chosen)
    click.echo(json.dumps(reported) if as_json else checks.as_text(reported))


# info


@commands.command()
@click.argument("file", type=_file, required=False)
@_json_option
def info(file: Path | None, as_json: bool) -> None:
    """Show versions, devices, and the shipped weights with their hashes.

    With FILE, an image that was restored here, show how that was done.
    """
    if file is not None:
        from napari_dred.io import read_record

        record = read_record(file)
        click.echo(json.dumps(record, indent=None if as_json else 2))
        return
    from napari_dred.info import as_text, gather

    gathered = gather()
    click.echo(json.dumps(gathered) if as_json else as_text(gathered))


# demo


@commands.command()
@click.option("--no-viewer", is_flag=True, help="Write the picture only, open no window.")
def demo(no_viewer: bool) -> int:
    """Restore a bundled damaged picture, and write before | after to napari-dred-demo.png here."""
    from napari_dred.before_after import before_after
    from napari_dred.io import replace_file
    from napari_dred.metrics import psnr
    from napari_dred.samples import damaged_scan

    sample = damaged_scan()
    result, interrupted = _run(
        sample.image, sample.mask, None, Parameters.from_dict(sample.parameters)
    )
    target = Path.cwd() / DEMO_FILE
    replace_file(target, before_after(sample.image, result.image))
    before, after = (psnr(image, sample.clean) for image in (sample.image, result.image))
    click.echo(f"PSNR before {before:.2f} dB, after {after:.2f} dB; see {DEMO_FILE}")
    if interrupted:
        return INTERRUPTED
    if not no_viewer:
        from napari_dred.viewer.demo import show, why_no_window

        reason = why_no_window()
        if reason is None:
            show(result)
        else:
            _say(f"No window: {reason}. The picture is in {DEMO_FILE}.")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
