"""One way down: who may import whom, read from the source of every module."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from graphlib import TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
MODULES = {
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SRC.rglob("*.py"))
}
QT_AND_NAPARI = {"magicgui", "napari", "npe2", "pyqtgraph", "qtpy", "superqt", "vispy"}


def imports(module: str, *, typing_too: bool = True) -> set[str]:
    """Every module that this one names in an import statement, wherever it stands."""
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    if not typing_too:
        tree = _WithoutTyping().visit(tree)
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = ".".join([*(above if node.level else []), *filter(None, [node.module])])
            submodules = {f"{base}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= submodules or {base}
    return found


class _WithoutTyping(ast.NodeTransformer):
    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        return node.orelse if "TYPE_CHECKING" in ast.unparse(node.test) else node


def part(module: str) -> str:
    """'core', 'viewer', 'cli', 'io', ...; '' for the package itself."""
    return [*module.split("."), ""][1]


def test_imports_are_found():
    assert "napari_dred.core.errors" in imports("napari_dred.core.parameters")
    assert "napari_dred.core.control" in imports("napari_dred")
    assert "napari_dred.core.control" not in imports("napari_dred", typing_too=False)


@pytest.mark.parametrize("module", MODULES)
def test_one_way_down(module):
    ours = {part(m) for m in imports(module) if m.split(".")[0] == "napari_dred"}
    match part(module):
        case "core":
            assert ours <= {"core", ""}  # the package itself: its version
        case "":
            assert ours <= {"core"}
        case "cli":
            above = {m for m in imports(module) if part(m) == "viewer"}
            assert above <= {"napari_dred.viewer.demo"}  # the only window
        case "viewer":
            assert "cli" not in ours
        case _:
            assert ours.isdisjoint({"cli", "viewer"})


@pytest.mark.parametrize("module", [m for m in MODULES if part(m) != "viewer"])
def test_only_the_viewer_knows_qt_and_napari(module):
    assert {m.split(".")[0] for m in imports(module)}.isdisjoint(QT_AND_NAPARI)


def test_no_circles():
    graph = {m: imports(m, typing_too=False) & MODULES.keys() - {m} for m in MODULES}
    order = list(TopologicalSorter(graph).static_order())
    assert set(order) == set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_each_module_says_what_belongs_there(module):
    doc = ast.get_docstring(ast.parse(MODULES[module].read_text("utf-8")))
    assert doc
    assert doc.splitlines()[0].endswith(".")


def test_all_that_is_imported_is_declared_and_the_reverse():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {_normal(re.split(r"[^\w.-]", d)[0]) for d in project["dependencies"]}
    distributions = packages_distributions()
    names = {name.split(".")[0] for module in MODULES for name in imports(module)}
    names -= sys.stdlib_module_names | {"napari_dred"}
    sources = {name: {_normal(d) for d in distributions.get(name, [])} & declared for name in names}
    assert [name for name, found in sources.items() if not found] == []
    # npe2 reads the manifest; scikit-image's wavelets are those of an optional package, and
    # tifffile's compressions too.
    assert set().union(*sources.values()) | {"imagecodecs", "npe2", "pywavelets"} == declared


def test_nothing_has_an_upper_bound():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [d for extra in project["optional-dependencies"].values() for d in extra]
    assert [d for d in [*project["dependencies"], *extras] if re.search(r"<|~=|==", d)] == []
    assert "<" not in project["requires-python"]


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
