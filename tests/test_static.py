"""Types and documentation: as tests, so that they are checked beside the others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_types() -> None:
    run("mypy")


def test_documentation(tmp_path: Path) -> None:
    run("sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(tmp_path / "html"))
