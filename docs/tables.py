"""The tables of the pages, as Markdown: made from the code and from the measured results."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, get_args, get_type_hints

import click

from benchmarks import assumptions_tables, paper_tables
from benchmarks import tables as results
from benchmarks.projection import projection
from napari_dred.cli import commands
from napari_dred.core.parameters import PRESETS, TASKS, Parameters
from napari_dred.core.presets import fill_in

FIELDS = dataclasses.fields(Parameters)
HINTS = get_type_hints(Parameters)
TASK_TITLES = {
    "denoise": "Noise alone",
    "inpaint": "Holes",
    "sr": "Low resolution",
    "deblur": "Blur",
}
#: The noise level (0-255) that the tables of presets hold for, and where other values apply.
USUAL_SIGMA = 50.0
OTHERWISE = {
    "With a noise level near 25": {"sigma": 25.0},
    "With pixels missing and a noise level below 10": {"sigma": 5.0, "holes": True},
    "On a CUDA device": {"device": "cuda"},
}


def pages() -> dict[str, str]:
    """Every table, under the name by which a page includes it."""
    return {
        "parameters": parameters(),
        "presets": "\n\n".join(presets(task) for task in TASKS),
        **{f"results_{name}": results.table(name) for name in results.TITLES},
        **paper_tables.pages(),
        **assumptions_tables.pages(),
        "projection": projection(),
        **{f"help_{name}": help_text(name) for name in commands.commands},
    }


def help_text(name: str) -> str:
    """What a command prints with `--help`."""
    command = commands.commands[name]
    context = click.Context(command, info_name=f"napari-dred {name}", max_content_width=80)
    return f"```text\n{command.get_help(context)}\n```"


def parameters() -> str:
    """Each field of `Parameters`: its default, what is allowed, and what it is."""
    # Whatever the preset, every field that it decides has a value.
    filled = fill_in(Parameters(), "inpaint", USUAL_SIGMA)
    options = {p.name: p.opts[0] for p in commands.commands["restore"].params}
    rows = []
    for f in FIELDS:
        default = f.default
        if default is None:
            preset_decides = getattr(filled, f.name) is not None
            default = "as the preset says" if preset_decides else "left out"
        else:
            default = _code(default)
        option = f"`{options[f.name]}`" if f.name in options else ""
        rows.append((f"`{f.name}`", option, default, _allowed(f), f.metadata["help"]))
    return _table(("parameter", "option", "default", "allowed", "what it is"), rows)


def presets(task: str) -> str:
    """What each preset stands for, for a task."""
    usual = {p: _decided(p, task) for p in PRESETS}
    names = list(usual[PRESETS[0]])
    rows = [(f"`{n}`", *(_code(usual[p][n]) for p in PRESETS)) for n in names]
    notes = []
    for when, changes in OTHERWISE.items():
        for preset in PRESETS:
            other = _decided(preset, task, **changes)
            changed = [f"`{n}` is {_code(v)}" for n, v in other.items() if v != usual[preset][n]]
            if changed:
                notes.append(f"* {when}, `{preset}`: {', '.join(changed)}.")
    head = ("parameter", *(f"`{p}`" for p in PRESETS))
    return "\n\n".join([f"### {TASK_TITLES[task]}", _table(head, rows), *notes])


def _decided(
    preset: str, task: str, sigma: float = USUAL_SIGMA, holes: bool = False, device: str = "cpu"
) -> dict:
    """The fields that a preset decides, with their values."""
    given = Parameters(preset=preset)
    filled = fill_in(given, task, sigma, holes=holes, device=device).to_dict()
    return {n: v for n, v in filled.items() if getattr(given, n) is None and v is not None}


def _allowed(f: dataclasses.Field[Any]) -> str:
    limits = f.metadata
    if "choices" in limits:
        return ", ".join(map(_code, limits["choices"]))
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = [f"{sign} {limits[key]:,.9g}" for key, sign in signs.items() if key in limits]
    kinds = get_args(HINTS[f.name]) or (HINTS[f.name],)
    words = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    return " ".join([next(words[k] for k in words if k in kinds), " and ".join(bounds)]).strip()


def _code(value: object) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head)]
    lines += [("---",) * len(lines[0]), *map(tuple, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
