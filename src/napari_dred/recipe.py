"""A run in words that others can run: Python, a command line, settings; and settings read back."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.core.records import PSFRecord
from napari_dred.io import kind_of, read_record
from napari_dred.io.guard import reading
from napari_dred.io.stack import open_stack
from napari_dred.volumes import Region

#: No settings are longer; what is, is not read.
LONGEST = 2**20


@dataclass(frozen=True)
class Source:
    """A file that a run reads, or would if its layer were saved.

    Attributes
    ----------
    path : str
    plane : tuple of (int or None), optional
        Of a stack, the plane's place on each of its axes, None on the plane's own two.
    alpha : bool
        Whether the stack's last axis, which is not in `plane`, holds red, green, blue and alpha.
    unsaved : str
        The name of the layer that has to be saved as `path` first; '' where the file is there.
    label : int, optional
        Of a mask, the only label that is missing; all but 0 if left out.
    """

    path: str
    plane: tuple[int | None, ...] | None = None
    alpha: bool = False
    unsaved: str = ""
    label: int | None = None

    @property
    def index(self) -> str:
        """What stands in Python's brackets to take the plane out of the stack, '' for no stack."""
        if self.plane is None:
            return ""
        places = [":" if i is None else str(i) for i in self.plane]
        if self.alpha:
            return ", ".join([*places, ":3"])
        while places[-1] == ":":
            places.pop()
        return ", ".join(places)


@dataclass(frozen=True)
class Settings:
    """What the settings of a run tell: all of it but the arrays.

    Attributes
    ----------
    parameters : Parameters
    psf : PSFRecord or None
        The measured PSF that has to be given again.
    label : int or None
        The only label of the mask that is missing.
    """

    parameters: Parameters
    psf: PSFRecord | None = None
    label: int | None = None


def changed(parameters: Parameters) -> dict[str, Any]:
    """Give the fields that differ from their defaults, JSON-able."""
    defaults = Parameters().to_dict()
    return {name: v for name, v in parameters.to_dict().items() if v != defaults[name]}


def as_settings(settings: Settings) -> str:
    """Give the settings as JSON text, without what is as by default.

    Parameters alone where they tell all, else as the record of a run has them.
    """
    values: dict[str, Any] = changed(settings.parameters)
    if settings.psf is not None or settings.label is not None:
        values = {"parameters": values}
    if settings.psf is not None:
        values["psf"] = settings.psf.to_dict()
    if settings.label is not None:
        values["source"] = {"label": settings.label}
    return json.dumps(values, indent=2) + "\n"


def as_python(
    parameters: Parameters,
    image: Source,
    mask: Source | None = None,
    psf: Source | None = None,
    region: Region | None = None,
    output: str | None = None,
) -> str:
    """Write a Python script that does the run.

    Parameters
    ----------
    parameters : Parameters
    image, mask, psf : Source
    region : Region, optional
        The part of the image that is restored.
    output : str, optional
        The file that the script writes; beside the image and named after it if left out.
    """
    stack = image.plane is not None
    readers = [] if stack else ["read_picture"]
    lines = [_reading("image" if stack else "picture", "read_picture", image)]
    samples = "image" if stack else "picture.samples"
    arguments = [samples]
    if mask is not None:
        if mask.label is None:
            readers += [] if mask.plane else ["read_mask"]
            lines.append(_reading("mask", "read_mask", mask, f"{samples}.shape"))
        else:
            readers += [] if mask.plane else ["read_picture"]
            ends = f"{'' if mask.plane else '.samples'} == {mask.label}"
            lines.append(_reading("mask", "read_picture", mask) + ends)
        arguments.append("mask=mask")
    if psf is not None:
        readers += [] if psf.plane else ["read_psf"]
        lines.append(_reading("psf", "read_psf", psf))
        arguments.append("psf=psf")
    fields = "".join(f"    {name}={v!r},\n" for name, v in changed(parameters).items())
    lines.append(f"parameters = Parameters({fields and chr(10) + fields})")
    arguments.append("parameters=parameters")
    if region is None:
        lines.append(f"result = restore({', '.join(arguments)})")
    else:
        edges = ", ".join(f"{name}={v}" for name, v in region.to_dict().items())
        lines.append(f"region = Region({edges})")
        lines.append(f"*_, result = solve_region({', '.join([*arguments, 'region=region'])})")
    if stack:
        lines.append("restored = Picture(result.image)")
    else:
        # An enlarged region is the region alone.
        alone = region is not None and parameters.scale > 1
        part = "picture.part(*region.slices)" if alone else "picture"
        lines.append(f"restored = {part}.restored(result.image, parameters.scale)")
    target = output or output_name(image.path)
    lines.append(f"write_picture({target!r}, restored, replace=False, record=result.provenance())")

    names = sorted({*({"Picture"} if stack else ()), *readers, "write_picture"})
    imports = [
        "from napari_dred import Parameters" + (", restore" if region is None else ""),
        f"from napari_dred.io import {', '.join(names)}",
    ]
    if region is not None:
        imports.append("from napari_dred.volumes import Region, solve_region")
    if any(source is not None and source.plane for source in (image, mask, psf)):
        imports = ["import tifffile", "", *imports]
    return "\n".join([*imports, "", *_to_save(image, mask, psf), *lines, ""])


def as_command(
    parameters: Parameters,
    image: Source,
    mask: Source | None = None,
    psf: Source | None = None,
    region: Region | None = None,
    output: str | None = None,
) -> str:
    """Write a line for a POSIX shell that does the run, below comments on what it needs.

    Every field is an option of its own, so that the line needs no other file.

    Parameters
    ----------
    parameters : Parameters
    image, mask, psf : Source
        The command line takes every label of a mask, and planes of a stack whose file names its
        axes: for anything else, a comment says what to save.
    region : Region, optional
        The part of the image that is restored.
    output : str, optional
        The file that the command writes; beside the image and named after it if left out.
    """
    comments = []
    words = ["napari-dred", "restore"]
    planes = None if region is not None else _planes(image, mask)
    for option, source in ((None, image), ("--mask", mask), ("--psf", psf)):
        if source is None:
            continue
        in_stack = planes is not None and option != "--psf"
        whole = (source.plane is None or in_stack) and source.label is None
        comments += _to_save(source) if whole else [_part_to_save(source)]
        path = source.path if whole else _part_name(source)
        # What begins with a dash would be taken for an option.
        words += [*([option] if option else []), f"./{path}" if path.startswith("-") else path]
        if option is None:
            words += ["-o", output or output_name(path)]
    if planes is not None:
        words += ["--planes", planes]
    if region is not None:
        words += ["--region", str(region)]
    for name, value in changed(parameters).items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", str(value)]
    return "\n".join([*comments, shlex.join(words), ""])


def _planes(image: Source, mask: Source | None) -> str | None:
    """What `--planes` is told to take the plane of a stack, and that of its mask: 'T=2,Z=3'."""
    at = _place(image)
    if not at or (mask is not None and mask.plane is not None and _place(mask) != at):
        return None
    return ",".join(f"{axis}={i}" for axis, i in at.items())


def _place(source: Source) -> dict[str, int] | None:
    """Where the plane lies on each axis that the stack's file names; None if it names none."""
    if source.plane is None or source.unsaved:
        return None
    try:
        with open_stack(Path(source.path)) as stack:
            axes = [a for a in stack.axes if a != "S"]
    except (InputError, OSError):
        return None
    pairs = zip(axes, source.plane, strict=False)
    places = {axis: i for axis, i in pairs if i is not None}
    fits = len(axes) == len(source.plane) and not places.keys() & set("YX")
    return places if fits else None


def output_name(path: str) -> str:
    """Give the name of the file that a restored image goes to: 'cells-restored.tif'."""
    place = Path(path)
    return str(place.with_name(f"{place.stem.removesuffix('.ome')}-restored.tif"))


def read_settings(path: str | os.PathLike[str]) -> Settings:
    """Read the settings of a run from a file, which nobody needs to trust.

    Parameters
    ----------
    path : path-like
        JSON text with parameters or with the record of a run, or a picture that was written
        with its record.

    Raises
    ------
    InputError
        If it holds no settings, or some that are not allowed.
    """
    path = Path(path)
    with reading(path):
        kind = kind_of(path)
    if kind is not None:
        return settings_of(read_record(path), str(path))
    with reading(path), path.open("rb") as f:
        content = f.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise InputError(f"{path}: this is too long to be settings")
    try:
        values = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError(f"{path}: this is not a text file") from None
    except (ValueError, RecursionError) as e:
        raise InputError(f"{path}: this is not valid JSON ({e})") from None
    if isinstance(values, dict) and "parameters" in values:
        return settings_of(values, str(path))
    return Settings(_parameters(values, str(path)))


def settings_of(record: Any, origin: str) -> Settings:
    """Take the settings out of the record of a run, for another run.

    Parameters
    ----------
    record : anything
        As `Result.provenance` gives it; checked.
    origin : str
        Where it comes from, for messages.

    Raises
    ------
    InputError
        If there are none, or some that are not allowed.
    """
    values = record.get("parameters") if isinstance(record, Mapping) else None
    # What was to be done then follows anew from the image and mask of the next run.
    parameters = _parameters(values, origin).replace(task="auto")
    try:
        psf = PSFRecord.in_provenance(record)
    except InputError as e:
        raise InputError(f"{origin}: {e}") from None
    source = record.get("source")
    label = source.get("label") if isinstance(source, Mapping) else None
    if label is not None and (type(label) is not int or label == 0):
        raise InputError(f"{origin}: label is {label!r}; it must be a whole number other than 0")
    return Settings(parameters, psf, label)


def _parameters(values: Any, origin: str) -> Parameters:
    if not isinstance(values, Mapping):
        raise InputError(f"{origin}: there are no settings in it")
    try:
        return Parameters.from_dict(values)
    except InputError as e:
        raise InputError(f"{origin}: {e}") from None


def _reading(name: str, reader: str, source: Source, *more: str) -> str:
    if source.plane is None:
        return f"{name} = {reader}({', '.join([repr(source.path), *more])})"
    return f"{name} = tifffile.imread({source.path!r})[{source.index}]"


def _to_save(*sources: Source | None) -> list[str]:
    # As Python writes texts: a name with a line break must not end the comment.
    return [
        f"# First save the layer {s.unsaved!r} as {s.path!r}."
        for s in sources
        if s is not None and s.unsaved
    ]


def _part_to_save(source: Source) -> str:
    kind = "file" if source.plane is None else "stack"
    origin = f"the layer {source.unsaved!r}" if source.unsaved else f"the {kind} {source.path!r}"
    part = origin if source.plane is None else f"[{source.index}] of {origin}"
    takes = "single planes"
    if source.label is not None:
        takes, part = "all labels of a mask", f"label {source.label} of {part}"
    return f"# The command line takes {takes}: first save {part} as {_part_name(source)!r}."


def _part_name(source: Source) -> str:
    place = Path(source.path)
    part = "plane" if source.label is None else f"label{source.label}"
    return str(place.with_name(f"{place.stem.removesuffix('.ome')}-{part}.tif"))
