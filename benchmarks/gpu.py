"""What is worth measuring on a graphics card: speed, then the quality of whole runs.

`python -m benchmarks.gpu DATA` goes on where it was cut off; `benchmarks/gpu.sh` ends it in time.
It needs no napari and none of the package's readers.
"""

from __future__ import annotations

from pathlib import Path

import click
import torch

from benchmarks import speed, stopping
from benchmarks.cases import SUITES

CROP = 256


@click.command(help=__doc__)
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(data: Path) -> None:
    if not torch.cuda.is_available():
        raise click.ClickException("torch finds no CUDA device here")
    speed.run(list(speed.SIZES), [], "cuda")
    for every in (5, 3, 1):  # a few of each kind first
        stopping.run(
            [name for name in SUITES if name in ("deblur", "inpaint", "sr")],
            data,
            preset="best",
            held_out=None,
            every=every,
            crop=CROP,
            only="",
        )


if __name__ == "__main__":
    main()
