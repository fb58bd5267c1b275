"""The options of the command line that are fields of `Parameters`, and how its help lists them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import click

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.core.presets import with_method

if TYPE_CHECKING:
    from napari_dred.recipe import Settings

FILE = click.Path(path_type=Path, readable=False)  # the readers say what is wrong
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output."
)

# What comes first in the help text, in this order; the other fields are listed below them.
FIRST = (
    "scale",
    "blur_sigma",
    "boundary",
    "task",
    "sigma",
    "noise",
    "method",
    "preset",
    "iterations",
    "weights",
    "device",
    "threads",
    "seed",
    "output_dtype",
    "keep_observed",
)
AUTO = "auto"
_FIELDS = {f.name: f for f in dataclasses.fields(Parameters)}


def _number_or_auto(text: str) -> float | str:
    return AUTO if text == AUTO else float(click.FLOAT(text))


def parameter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each field of `Parameters`."""
    hints = get_type_hints(Parameters)
    for name in reversed(dict.fromkeys([*FIRST, *_FIELDS])):
        f = _FIELDS[name]
        kind = next(k for k in (get_args(hints[name]) or (hints[name],)) if k is not type(None))
        choices = f.metadata.get("choices")
        help, metavar = f.metadata["help"], None
        if name == "blur_sigma":
            help += f" '{AUTO}' estimates it from the image, if that is a single plane."
            metavar = f"FLOAT|{AUTO}"
        shown = f.default is not None and kind is not bool
        flag = name.replace("_", "-")
        command = click.option(
            f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}",
            type=_number_or_auto if name == "blur_sigma" else kind,
            metavar="|".join(map(str, choices)) if choices else metavar,
            # None: not given. `Parameters` has the default, and checks the value.
            default=None,
            help=help + (f" [default: {f.default}]" if shown else ""),
        )(command)
    return command


def chosen(settings: Path | None, options: dict[str, Any], psf: Path | None = None) -> Settings:
    """Give what a settings file tells, with the options that were given in their place.

    Raises
    ------
    InputError
        If the settings cannot be read, or are of a run with a measured PSF that is not given.
    """
    from napari_dred.recipe import Settings, read_settings

    given = {name: value for name, value in options.items() if value is not None}
    if settings is None:
        return Settings(Parameters.from_dict(given))
    read = read_settings(settings)
    if read.psf is not None and psf is None and "blur_sigma" not in given:
        raise InputError(f"{settings}: this run had a {read.psf}; give it as --psf")
    base, method = read.parameters, given.get("method")
    if method is not None and base.method is not None and method != base.method:
        base = with_method(base, method)  # what is told is another method's
    return dataclasses.replace(read, parameters=base.replace(**given))


class TwoLists(click.Command):
    """A command whose help lists the options that are rarely needed below the others."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rare = _FIELDS.keys() - FIRST
        for title, is_rare in (("Options", False), ("Advanced options", True)):
            shown = [p for p in self.get_params(ctx) if (p.name in rare) == is_rare]
            with formatter.section(title):
                formatter.write_dl([r for p in shown if (r := p.get_help_record(ctx))])
