"""The command that writes a blur kernel made from what is known of the optics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_dred.core.errors import InputError
from napari_dred.options import FILE

if TYPE_CHECKING:
    from numpy.typing import NDArray


@click.command()
@click.option("-o", "--output", type=FILE, required=True, help="TIFF file to write, for --psf.")
@click.option("--na", type=float, help="Numerical aperture: makes a wide-field microscope's PSF.")
@click.option(
    "--wavelength", type=float, help="Wavelength of the detected light in nm. [required with --na]"
)
@click.option(
    "--pixel-size", type=float, help="Pixel size of the restored image in µm; see --like."
)
@click.option("--like", type=FILE, help="An image whose file says its pixel size.")
@click.option(
    "--refractive-index", type=float, default=1.515, show_default=True, help="Of the immersion."
)
@click.option("--specimen-index", type=float, help="Of the specimen, if it is another one.")
@click.option(
    "--depth", type=float, default=0.0, help="Depth of the structure in the specimen in µm."
)
@click.option("--defocus", type=float, default=0.0, help="Distance from the focus in µm.")
@click.option("--gaussian", type=float, help="Makes a Gaussian with this sigma in µm.")
@click.option("--disc", type=float, help="Makes a disc out of focus with this radius in pixels.")
@click.option(
    "--motion",
    nargs=2,
    type=float,
    metavar="LENGTH ANGLE",
    help="Makes a straight motion of this length in pixels, and angle in degrees.",
)
@click.option("--force", is_flag=True, help="Replace OUTPUT if it is there.")
def psf(output: Path, force: bool, **told: Any) -> None:
    """Make a blur kernel from what is known of the optics, for 'restore --psf'.

    Give one of --na, --gaussian, --disc and --motion.
    """
    kinds = [k for k in ("na", "gaussian", "disc", "motion") if told[k] is not None]
    if len(kinds) != 1:
        raise click.UsageError("give one of --na, --gaussian, --disc and --motion")
    if output.exists() and not force:
        raise InputError(f"{output}: the file is there already; give --force to replace it")
    from napari_dred.io import Picture, check_no_input, check_output, write_picture

    check_no_input(output, [told["like"]])
    check_output(output, "float32")
    kernel = _kernel(kinds[0], told)
    write_picture(output, Picture(kernel.astype("float32")))
    click.echo(f"{output}: {kernel.shape[1]}x{kernel.shape[0]} pixels")


def _kernel(kind: str, told: dict[str, Any]) -> NDArray[Any]:
    from napari_dred import optics

    if kind == "disc":
        return optics.defocus_psf(told["disc"])
    if kind == "motion":
        return optics.motion_psf(*told["motion"])
    size = told["pixel_size"]
    if size is None and told["like"] is not None:
        size = _pixel_size(told["like"])
    if size is None:
        raise click.UsageError(f"--{kind} needs --pixel-size, or --like with an image that has one")
    if kind == "gaussian":
        return optics.gaussian_psf(told["gaussian"], size)
    if told["wavelength"] is None:
        raise click.UsageError("--na needs --wavelength")
    return optics.microscope_psf(
        told["na"],
        told["wavelength"],
        size,
        told["refractive_index"],
        specimen_index=told["specimen_index"],
        depth=told["depth"],
        defocus=told["defocus"],
    )


def _pixel_size(path: Path) -> float:
    """In micrometres, as an image's file says."""
    from napari_dred.io.metadata import micrometres
    from napari_dred.io.stack import open_stack

    with open_stack(path) as stack:
        size = micrometres(stack.metadata.sizes.get("X"))
    if size is None:
        raise InputError(f"{path}: the file does not say how large a pixel is; give --pixel-size")
    return size
