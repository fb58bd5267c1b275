"""The Markdown page of all results, made from their CSV files."""

from __future__ import annotations

import csv

from benchmarks.results import FOLDER

TITLES = {
    "denoisers": "Denoisers: mean PSNR in dB, the same noise for all weights",
    "quality": "Frozen cases, 8-bit TIFF in and out through the command line",
    "memory": "Peak memory of a run in MiB, beside the estimate shown before it",
}


def _markdown(rows: list[dict[str, str]]) -> str:
    columns = [c for c in rows[0] if c != "machine"]
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(row[c] for c in columns) for row in rows]
    machines = sorted({row["machine"] for row in rows if row.get("machine")})
    table = "\n".join(f"| {line} |" for line in lines)
    return table + "".join(f"\n\nMeasured on: {m}." for m in machines)


def run() -> None:
    """Write `benchmarks/results/README.md`."""
    parts = ["# Results\n\nMade by `python -m benchmarks tables` from the CSV files beside it."]
    for name, title in TITLES.items():
        path = FOLDER / f"{name}.csv"
        if path.exists():
            with path.open(newline="") as f:
                rows = list(csv.DictReader(f))
            parts.append(f"## {title}\n\n{_markdown(rows)}")
        else:
            parts.append(f"## {title}\n\nnot run")
    (FOLDER / "README.md").write_text("\n\n".join(parts) + "\n")
