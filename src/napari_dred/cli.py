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
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from napari_dred.check_cli import check
from napari_dred.core.errors import InputError, RestorationError
from napari_dred.core.parameters import Parameters
from napari_dred.options import AUTO, FILE, TwoLists, chosen, json_option, parameter_options
from napari_dred.psf_cli import psf
from napari_dred.stack_cli import STACK_OPTIONS, batch, is_for_stacks, restore_file, stack_options
from napari_dred.terminal import drive, say
from napari_dred.text import duration

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
    except (KeyboardInterrupt, click.Abort) as e:
        left = str(e.__cause__ or e)  # click makes its own of what it catches
        return _complain(f"interrupted, {left or 'nothing was written'}", INTERRUPTED)
    return code if isinstance(code, int) else DONE


def _complain(text: str, code: int) -> int:
    """Put one line on stderr, whatever a file's name or a library's message holds."""
    line = "".join(c if c.isprintable() else " " for c in text)
    click.echo(f"napari-dred: {' '.join(line.split())}", err=True)
    return code


@click.group(
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="napari-dred")
def commands() -> None:
    """Restore one damaged image with no training data: deep image prior and a deep denoiser."""


# restore


@commands.command(cls=TwoLists)
@click.argument("input", type=FILE)
@click.option(
    "-o",
    "--output",
    type=FILE,
    required=True,
    help="File to write: .tif or .png; a stack: .ome.tif, .tif or .ome.zarr.",
)
@click.option(
    "--mask",
    type=FILE,
    help="TIFF or PNG of INPUT's size. A pixel that is not zero in any colour channel is missing; "
    "alpha is ignored.",
)
@click.option(
    "--psf",
    type=FILE,
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
    type=FILE,
    help="JSON file with any of the parameters, or an image that was written with them; options "
    "that are given win over it.",
)
@click.option("--force", is_flag=True, help="Replace OUTPUT if it is there.")
@json_option
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
    if estimated := options["blur_sigma"] == AUTO:
        options["blur_sigma"] = 0.0  # until the image is read; in place of what settings say
    stack = {name: options.pop(name) for name in STACK_OPTIONS}
    told = chosen(settings, options, psf)
    parameters, label = told.parameters, None if mask is None else told.label
    if label is not None:
        say(f"Of the mask, the label {label} alone is missing, as {settings} says.")
    if psf is not None and parameters.blur_sigma:
        raise InputError(
            f"blur_sigma is {parameters.blur_sigma:g} in {settings}, which --psf excludes"
        )
    weights = None if parameters.weights is None else Path(parameters.weights)
    _check_target(output, force, inputs=(input, mask, psf, settings, weights))

    if is_for_stacks(input, output, stack):
        if estimated:
            raise click.UsageError(
                f"--blur-sigma {AUTO} is for single planes; estimate it on one plane of the stack, "
                "and give the number"
            )
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
    notes = list(picture.notes)
    if estimated:
        if parameters.scale > 1:
            raise click.UsageError(f"--blur-sigma {AUTO} and --scale exclude each other")
        from napari_dred.core.blur import estimate_blur

        blur = round(estimate_blur(samples, missing, sigma=parameters.sigma), 2)
        parameters = parameters.replace(blur_sigma=blur)
        notes.append(f"Blur estimated: sigma = {blur:g} pixels; an estimate, check it.")
    for note in notes:
        say(note)
    result, interrupted = drive(samples, missing, kernel, parameters, part)
    if part is not None and result.parameters.scale > 1:
        picture = picture.part(*part.clipped(*samples.shape[:2]).slices)
    restored = picture.restored(result.image, result.parameters.scale)
    record = result.provenance()
    record["notes"] = [*notes, *record["notes"]]
    files = {"image": input, "mask": mask, "psf": psf}
    # Their names, without the folders: who is given the picture need not know those.
    record["source"] = {key: path.name for key, path in files.items() if path is not None}
    if label is not None:
        record["source"]["label"] = label
    if part is not None:
        record["source"]["region"] = part.to_dict()
    place = write_picture(output, restored, replace=force, record=record)
    if place != output:
        say(f"{output} came to be during the run and is left as it is; see {place}.")

    record["output"] = str(place)
    summary = (
        f"{place}: {record['iterations']} iterations in {duration(result.seconds)} "
        f"on {record['device']}"
    )
    if interrupted:
        say(f"Interrupted; the best image so far is in {place}.")
    click.echo(json.dumps(record) if as_json else summary)
    return INTERRUPTED if interrupted else DONE


def _check_target(output: Path, force: bool, inputs: Sequence[Path | None]) -> None:
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
    from napari_dred.io import check_no_input

    check_no_input(output, inputs)
    if there is not None and not force:
        raise InputError(f"{output}: the file is there already; give --force to replace it")


commands.add_command(batch)
commands.add_command(check)
commands.add_command(psf)


# compare


@commands.command()
@click.argument("result", type=FILE)
@click.argument("reference", type=FILE)
@click.option(
    "--data-range",
    type=float,
    help="Span of the sample values. Left out: that of REFERENCE's sample type, "
    "1 for floating point in [0, 1].",
)
@json_option
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


# info


@commands.command()
@click.argument("file", type=FILE, required=False)
@json_option
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
    result, interrupted = drive(
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
            say(f"No window: {reason}. The picture is in {DEMO_FILE}.")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
