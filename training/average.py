"""Average networks that were trained on from one another: the mean of their weights.

    python training/average.py --out MEAN.safetensors A.safetensors 0.7 B.safetensors 0.3

The shares must sum to 1. What else the file says, such as the architecture, is that of the first.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file


def average(parts: list[tuple[Path, float]], out: Path) -> None:
    """Write the weighted mean of files of weights, all of one network."""
    if not math.isclose(sum(share for _, share in parts), 1):
        raise SystemExit(f"the shares sum to {sum(share for _, share in parts):g}, not to 1")
    states = [(load_file(path), share) for path, share in parts]
    first, _ = states[0]
    for (path, _), (state, _) in zip(parts, states, strict=True):
        if {k: v.shape for k, v in state.items()} != {k: v.shape for k, v in first.items()}:
            raise SystemExit(f"{path} is of another network than {parts[0][0]}")
    mean = {k: sum(share * state[k] for state, share in states) for k in first}
    with safe_open(parts[0][0], framework="pt") as f:
        save_file(mean, out, metadata=f.metadata())


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("parts", nargs="+", metavar="FILE SHARE")
    args = p.parse_args()
    if len(args.parts) % 2:
        p.error("each file needs a share")
    pairs = zip(args.parts[::2], args.parts[1::2], strict=True)
    average([(Path(path), float(share)) for path, share in pairs], args.out)


if __name__ == "__main__":
    main()
