"""Runs in words: what is written is read back as the same settings, and does the same run."""

from __future__ import annotations

import ast
import dataclasses
import json
import runpy
import shlex
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from napari_dred import cli
from napari_dred.core.errors import InputError
from napari_dred.core.parameters import Parameters
from napari_dred.io import read_picture, read_record
from napari_dred.options import chosen
from napari_dred.recipe import (
    LONGEST,
    Settings,
    Source,
    as_command,
    as_python,
    as_settings,
    changed,
    read_settings,
    settings_of,
)
from napari_dred.volumes import Region, solve_region

FIELDS = {f.name: f for f in dataclasses.fields(Parameters)}
HINTS = get_type_hints(Parameters)
IMAGE = Source("in.png")
QUICK = Parameters(
    iterations=2, width=8, depth=2, polish=0, blend=0, sigma=5, threads=1, device="cpu"
)


def allowed_values(name: str) -> st.SearchStrategy[Any]:
    m, kinds = FIELDS[name].metadata, get_args(HINTS[name]) or (HINTS[name],)
    if "choices" in m:
        return st.sampled_from(m["choices"])
    if bool in kinds:
        return st.booleans()
    low, high = m.get("ge", m.get("gt")), m.get("le", m.get("lt"))
    if int in kinds:
        return st.integers(low, high if "le" in m else high - 1)
    if float in kinds:
        return st.floats(
            low,
            high,
            exclude_min="gt" in m,
            exclude_max="lt" in m,
            allow_infinity=False,
            allow_nan=False,
        )
    return st.sampled_from(["auto", "cpu", "cuda:1"]) if name == "device" else st.text()


any_parameters = st.fixed_dictionaries(
    {}, optional={name: allowed_values(name) for name in FIELDS}
).map(Parameters.from_dict)
any_path = st.text(min_size=1).filter(lambda t: t.strip("/.") and "/" not in t and "\0" not in t)


def parsed(command: str) -> dict[str, Any]:
    """What the command line makes of a command, which is not run."""
    program, name, *arguments = shlex.split(command, comments=True)
    assert (program, name) == ("napari-dred", "restore")
    return cli.commands.commands[name].make_context(name, arguments).params


def parameters_in(script: str) -> Parameters:
    """What the call of `Parameters` in a script gives."""
    (call,) = [
        node
        for node in ast.walk(ast.parse(script))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Parameters"
    ]
    made: Parameters = eval(ast.unparse(call), {"Parameters": Parameters})
    return made


@given(any_parameters)
def test_a_command_gives_the_same_parameters(parameters: Parameters) -> None:
    params = parsed(as_command(parameters, IMAGE))
    options = {name: params[name] for name in FIELDS}
    assert chosen(params["settings"], options).parameters == parameters


@given(any_parameters)
def test_python_gives_the_same_parameters(parameters: Parameters) -> None:
    assert parameters_in(as_python(parameters, IMAGE)) == parameters


@given(any_parameters)
def test_settings_give_the_same_parameters(
    tmp_path_factory: pytest.TempPathFactory, parameters: Parameters
) -> None:
    path = tmp_path_factory.mktemp("settings") / "s.json"
    path.write_text(as_settings(Settings(parameters)), encoding="utf-8")
    assert read_settings(path) == Settings(parameters)
    record = {"parameters": parameters.to_dict()}
    expected = Settings(parameters.replace(task="auto"))
    assert settings_of(json.loads(json.dumps(record)), "a layer") == expected


@given(any_path, any_path, any_path, st.tuples(*[st.integers(0, 10**9 - 1)] * 4))
def test_a_command_names_the_same_files_and_region(image, mask, output, numbers) -> None:
    region = Region(*numbers)
    command = as_command(Parameters(), Source(image), Source(mask), region=region, output=output)
    params = parsed(command)
    assert params["input"] == Path(image)
    assert params["mask"] == Path(mask)
    assert params["output"] == Path(output)
    assert Region.from_text(params["region"]) == region


@given(any_path, any_path, st.text(min_size=1))
def test_names_are_data_in_a_script_and_never_code(image: str, mask: str, layer: str) -> None:
    script = as_python(Parameters(), Source(image, unsaved=layer), Source(mask, unsaved=layer))
    lines = ast.parse(script).body
    assert len(lines) == 8  # two imports, and six steps
    texts = [node.value for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Constant)]
    assert {image, mask} <= set(texts)
    command = as_command(Parameters(), Source(image, unsaved=layer), Source(mask, unsaved=layer))
    assert parsed(command)["mask"] == Path(mask)


def test_only_what_is_not_as_by_default_is_said() -> None:
    parameters = Parameters(sigma=12, keep_observed=True, uniform_width=False)
    assert changed(parameters) == {"sigma": 12.0, "uniform_width": False, "keep_observed": True}
    assert as_command(parameters, Source("my cells.tif"), Source("-m.png")) == (
        "napari-dred restore 'my cells.tif' -o 'my cells-restored.tif' --mask ./-m.png "
        "--sigma 12.0 --no-uniform-width --keep-observed\n"
    )
    assert as_python(parameters, Source("cells.ome.tif"), Source("m.png")) == (
        "from napari_dred import Parameters, restore\n"
        "from napari_dred.io import read_mask, read_picture, write_picture\n"
        "\n"
        "picture = read_picture('cells.ome.tif')\n"
        "mask = read_mask('m.png', picture.samples.shape)\n"
        "parameters = Parameters(\n"
        "    sigma=12.0,\n"
        "    uniform_width=False,\n"
        "    keep_observed=True,\n"
        ")\n"
        "result = restore(picture.samples, mask=mask, parameters=parameters)\n"
        "restored = picture.restored(result.image, parameters.scale)\n"
        "write_picture('cells-restored.tif', restored, replace=False, record=result.provenance())\n"
    )


def test_what_is_not_saved_yet_is_said_first() -> None:
    image = Source("image.tif", unsaved="cells\nrm -r")
    for text in (as_python(Parameters(), image), as_command(Parameters(), image)):
        assert r"# First save the layer 'cells\nrm -r' as 'image.tif'." in text.splitlines()


@pytest.mark.parametrize(
    ("plane", "alpha", "index"),
    [
        ((3, None, None), False, "3"),
        ((None, 3, None), False, ":, 3"),
        ((2, 0, None, None), False, "2, 0"),
        ((1, None, None), True, "1, :, :, :3"),
    ],
)
def test_the_plane_of_a_stack(plane, alpha, index) -> None:
    source = Source("stack.tif", plane, alpha)
    assert f"tifffile.imread('stack.tif')[{index}]\n" in as_python(Parameters(), source)
    comment, command = as_command(Parameters(), source).splitlines()
    assert comment == (
        f"# The command line takes single planes: first save [{index}] of the stack 'stack.tif' "
        "as 'stack-plane.tif'."
    )
    assert parsed(command)["input"] == Path("stack-plane.tif")


def test_the_plane_of_a_stack_whose_file_names_its_axes(tmp_path: Path) -> None:
    stack, mask = str(tmp_path / "stack.ome.tif"), str(tmp_path / "mask.ome.tif")
    for path in (stack, mask):
        samples = np.zeros((3, 2, 16, 24), np.uint16)
        tifffile.imwrite(path, samples, metadata={"axes": "ZCYX"})
    image, marked = Source(stack, (1, 0, None, None)), Source(mask, (1, 0, None, None))
    for both in ((image,), (image, marked), (image, Source("flat.png"))):
        (command,) = as_command(Parameters(), *both).splitlines()
        params = parsed(command)
        assert params["input"] == Path(stack)
        assert params["planes"] == "Z=1,C=0"
        assert params["mask"] == (Path(both[1].path) if len(both) > 1 else None)
    # Elsewhere in the mask, one label, another axis, a region: single planes.
    for other in (
        (image, Source(mask, (2, 0, None, None))),
        (Source(stack, (1, None, 0, None)),),
        (image, None, None, Region(0, 8, 0, 8)),
    ):
        assert "--planes" not in as_command(Parameters(), *other)
    assert "label 3" in as_command(Parameters(), image, Source(mask, (1, 0, None, None), label=3))


# Scripts and commands that are run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rgba = rng.integers(60, 180, (24, 32, 4), dtype=np.uint8)
    Image.fromarray(rgba).save("in.png", dpi=(100, 50))
    Image.fromarray(rgba[..., 0] > 170).save("mask.png")
    np.save("psf.npy", np.ones((3, 3)))
    stack = rng.integers(100, 4000, (5, 24, 3, 32), dtype=np.uint16)
    tifffile.imwrite("stack.tif", stack, photometric="minisblack")
    return tmp_path


@pytest.mark.parametrize("region", [None, Region(4, 16, 6, 20)])
@pytest.mark.parametrize("scale", [1, 2])
def test_the_script_and_the_command_write_the_same(folder: Path, region, scale: int) -> None:
    parameters = QUICK.replace(scale=scale)
    run = (parameters, IMAGE, Source("mask.png"), Source("psf.npy"), region)
    runpy.run_path(str(written(folder, as_python(*run, output="python.tif"))))
    command = shlex.split(as_command(*run, output="command.tif"), comments=True)
    assert cli.main(command[1:]) == 0
    a, b = read_picture("python.tif"), read_picture("command.tif")
    np.testing.assert_array_equal(a.samples, b.samples)
    np.testing.assert_array_equal(a.alpha, b.alpha)
    assert a.resolution == b.resolution
    side = region.shape if region and scale > 1 else (24, 32)
    assert a.samples.shape == (side[0] * scale, side[1] * scale, 3)
    assert read_settings("python.tif") == read_settings("command.tif")
    assert read_record("command.tif")["source"]["psf"] == "psf.npy"


@pytest.mark.parametrize("region", [None, Region(4, 16, 6, 20)])
def test_the_script_for_a_plane_of_a_stack(folder: Path, region) -> None:
    source = Source("stack.tif", (2, None, 1, None))
    script = as_python(QUICK, source, region=region)
    runpy.run_path(str(written(folder, script)))
    plane = tifffile.imread("stack.tif")[2, :, 1]
    *_, result = solve_region(plane, region=region, parameters=QUICK)
    np.testing.assert_array_equal(tifffile.imread("stack-restored.tif"), result.image)


def test_a_mask_out_of_a_stack(folder: Path) -> None:
    image, mask = np.full((3, 24, 32), 9, np.uint8), np.zeros((3, 24, 32), np.int32)
    image[:, ::2], mask[1, 4:9, 5:7] = 90, 3
    tifffile.imwrite("s.tif", image, photometric="minisblack")
    tifffile.imwrite("m.tif", mask, photometric="minisblack")
    source, kept = Source("s.tif", (1, None, None)), QUICK.replace(keep_observed=True)
    script = as_python(kept, source, Source("m.tif", (1, None, None)), output="o.tif")
    assert "mask = tifffile.imread('m.tif')[1]\n" in script
    runpy.run_path(str(written(folder, script)))
    changed = tifffile.imread("o.tif") != image[1]
    assert changed.any()
    assert not changed[mask[1] == 0].any()


def written(folder: Path, script: str) -> Path:
    path = folder / "script.py"
    path.write_text(script, encoding="utf-8")
    return path


def test_a_script_replaces_no_file(folder: Path) -> None:
    Path("in-restored.tif").write_text("precious")
    runpy.run_path(str(written(folder, as_python(QUICK, IMAGE))))
    assert Path("in-restored.tif").read_text() == "precious"
    assert read_settings("in-restored-1.tif").parameters.iterations == 2


# Settings that come from outside


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"1" * 9999, "not valid JSON"),
        (b"\xff\xfe", "not a text file"),
        (b" " * (LONGEST + 1), "too long"),
        (b"[1]", "no settings in it"),
        (b'"parameters"', "no settings in it"),
        (b'{"parameters": 3}', "no settings in it"),
        (b'{"parameters": {"sigma": "5"}}', "sigma is '5'"),
        (b'{"sigma": NaN}', "sigma is nan"),
        (b'{"exec": 1}', "'exec' is not a parameter"),
        (b"\xef\xbb\xbf{}", None),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, content: bytes, message) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(content)
    if message is None:
        assert read_settings(path) == Settings(Parameters())
        return
    with pytest.raises(InputError, match=message) as caught:
        read_settings(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_settings(tmp_path / "none.json")
    with pytest.raises(InputError, match="directory"):
        read_settings(tmp_path)


@pytest.mark.parametrize("record", [None, 3, {}, {"parameters": None}, {"parameters": [1]}])
def test_what_is_no_record_has_no_settings(record: Any) -> None:
    with pytest.raises(InputError, match="the layer 'x': there are no settings"):
        settings_of(record, "the layer 'x'")


def test_the_command_for_a_plane_of_a_stack_writes_that_plane(folder: Path) -> None:
    stack = np.random.default_rng(0).integers(100, 4000, (3, 24, 32), dtype=np.uint16)
    tifffile.imwrite("z.ome.tif", stack, metadata={"axes": "ZYX"})
    source = Source("z.ome.tif", (2, None, None))
    command = shlex.split(as_command(QUICK, source, output="command.tif"), comments=True)
    assert cli.main(command[1:]) == 0
    runpy.run_path(str(written(folder, as_python(QUICK, source, output="python.tif"))))
    a, b = tifffile.imread("command.tif"), tifffile.imread("python.tif")
    np.testing.assert_array_equal(a.squeeze(), b)
