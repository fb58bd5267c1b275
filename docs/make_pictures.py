"""Make the pictures of the README and the documentation, from scikit-image's or made images alone.

`python docs/make_pictures.py`, behind `xvfb-run -a` where there is no display. `--only NAME` makes
one of them; `--iterations 20` makes them fast, to see whether all still works, and `--folder`
elsewhere than where the documentation looks for them. The windows are napari's own, driven with
mouse and keys.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # for the benchmarks

from pictures.scenes import PICTURES

FOLDER = Path(__file__).parent / "images"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PICTURES, action="append", help="make this picture alone")
    parser.add_argument("--iterations", type=int, help="in place of the preset's")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write them")
    arguments = parser.parse_args()
    for name in arguments.only or PICTURES:
        make, suffix = PICTURES[name]
        path = arguments.folder / f"{name}{suffix}"
        make(path, arguments.iterations)
        print(f"{path} ({path.stat().st_size / 1000:.0f} kB)", flush=True)


if __name__ == "__main__":
    main()
