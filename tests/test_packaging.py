"""The package as users get it: from a wheel, from an sdist's wheel, and editable."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "napari_dred"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

# Only what is found through the environment's own distribution counts:
# the one that runs the tests, where the dependencies are, has napari-dred too.
FIND = """
import json, sys
from pathlib import Path
from npe2 import PluginManifest
import napari_dred
found = [r for r in PluginManifest.discover()
         if Path(r.distribution.locate_file("")).is_relative_to(sys.prefix)]
print(json.dumps({
    "package": napari_dred.__file__,
    "version": napari_dred.__version__,
    "errors": [str(r.error) for r in found if r.error],
    "names": [r.manifest.name for r in found if r.manifest],
    "widgets": [len(r.manifest.contributions.widgets or []) for r in found if r.manifest],
}))
"""


def run(*command: str | Path, cwd: Path) -> str:
    env = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> dict[str, Path]:
    """An sdist, the wheel made from it, and the wheel made from the tree."""
    folder = tmp_path_factory.mktemp("built")
    build = (sys.executable, "-m", "build", "--no-isolation", ROOT, "--outdir")
    run(*build, folder / "sdist", cwd=folder)
    run(*build, folder / "wheel", "--wheel", cwd=folder)
    return {
        "sdist": next((folder / "sdist").glob("*.tar.gz")),
        "sdist's wheel": next((folder / "sdist").glob("*.whl")),
        "wheel": next((folder / "wheel").glob("*.whl")),
    }


@pytest.mark.parametrize("kind", ["wheel", "sdist's wheel", "editable"])
def test_found_from_outside_the_clone(kind, built, tmp_path):
    home = tmp_path / "env"
    venv.create(home, symlinks=os.name != "nt")
    bin_ = home / ("Scripts" if os.name == "nt" else "bin")
    paths = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
    here = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(paths["purelib"]) / "dependencies.pth").write_text("\n".join(here))
    what = ["--editable", ROOT] if kind == "editable" else [built[kind]]
    pip = (sys.executable, "-m", "pip", "--python", bin_ / "python", "install", "--no-deps")
    run(*pip, "--no-index", "--no-build-isolation", "--ignore-installed", *what, cwd=tmp_path)

    found = json.loads(run(bin_ / "python", "-c", FIND, cwd=tmp_path))
    assert found["errors"] == []
    assert found["names"] == ["napari-dred"]
    assert found["widgets"][0] >= 1
    assert found["version"] == PROJECT["version"]
    place = ROOT if kind == "editable" else home
    assert Path(found["package"]).is_relative_to(place)
    assert "restore" in run(bin_ / "napari-dred", "--help", cwd=tmp_path)


@pytest.mark.parametrize("kind", ["wheel", "sdist's wheel"])
def test_wheel_holds_the_whole_package_and_nothing_else(kind, built):
    with zipfile.ZipFile(built[kind]) as archive:
        inside = {Path(n) for n in archive.namelist() if ".dist-info/" not in n}
    files = (p for p in PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    assert inside == {p.relative_to(PACKAGE.parent) for p in files}
    assert {Path("napari_dred/napari.yaml"), Path("napari_dred/py.typed")} <= inside


def test_sdist_has_what_is_needed_to_test_it_and_no_links(built):
    with tarfile.open(built["sdist"]) as archive:
        members = {m.name.partition("/")[2]: m for m in archive.getmembers()}
    assert {"LICENSE", "README.md", "constraints.txt", "tox.ini"} <= members.keys()
    assert f"tests/{Path(__file__).name}" in members
    assert [name for name, m in members.items() if not m.isfile()] == []


def test_top_level_manifest_leads_to_the_real_one():
    link = ROOT / "napari.yaml"
    if not link.exists():  # an unpacked sdist, which has no links
        assert (ROOT / "PKG-INFO").exists()
    elif link.is_symlink():
        assert link.resolve() == (PACKAGE / "napari.yaml").resolve()
    else:  # a checkout where there are no links
        assert link.read_text("utf-8").strip() == "src/napari_dred/napari.yaml"


def test_manifest_is_named_as_the_distribution():
    manifest = yaml.safe_load((PACKAGE / "napari.yaml").read_text("utf-8"))
    assert manifest["name"] == PROJECT["name"]


def test_every_direct_dependency_has_a_tested_version():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = dict(line.lower().split("==") for line in lines if not line.startswith("#"))
    extras = [d for extra in PROJECT["optional-dependencies"].values() for d in extra]
    names = {re.split(r"[^\w.-]", d)[0] for d in [*PROJECT["dependencies"], *extras]}
    assert {n.replace("-", "_") for n in names - {"napari-dred", "pip"}} <= {
        n.replace("-", "_") for n in pinned
    }
    assert pinned["torch"] == "2.13.0"


def test_readme_has_both_commands():
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    commands = [line for line in lines if line.startswith("python3 -m venv .venv && ")]
    assert [c.split("/")[-1] for c in commands] == ["napari-dred demo", "tox"]
    assert all("pip install -c constraints.txt " in c for c in commands)


def test_the_same_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
