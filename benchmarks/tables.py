"""The Markdown page of all results, made from their CSV files."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean

from benchmarks.results import FOLDER

TITLES = {
    "denoisers": "Denoisers: mean PSNR in dB, the same noise for all weights",
    "quality": "Frozen cases, 8-bit TIFF in and out through the command line",
    "stopping": "The result beside the best image on the way to it, PSNR-Y in dB",
    "paper": "The paper's comparisons, PSNR-Y in dB: the best image on the way and the run's own",
    "search": "The solver with one number changed: mean PSNR-Y in dB on images of no test set",
    "levels": "The noise level that is estimated, and PSNR in dB with it, preset preview",
    "network": "The preview (hqs), and with the network of preset fast (dred): mean PSNR-Y in dB",
    "adapt": "The denoiser fitted to the image: mean PSNR-Y in dB, preset preview",
    "race": "Seconds until a preset is as good as the best image of the paper's, PSNR-Y in dB",
    "speed": "Seconds an iteration and peak memory in MiB, colour",
    "micrographs": "Real noise: one frame of a micrograph against the mean of 50 (FMD)",
    "assumptions": "What RED assumes of a denoiser (the paper's section IV)",
    "memory": "Peak memory of a run in MiB, beside the estimate shown before it",
    "blur": "Deblurring with a wrong sigma: PSNR in dB by its factor, preset preview",
    "blur_estimate": "Estimated sigma of a Gaussian blur beside the true one, in pixels",
    "plate": "A plate restored by workers of which one, and later all, were killed, and resumed",
    "neighbours": "A plane restored by itself and from its neighbour's result, PSNR in dB",
    "large": "Peak memory in MiB for a 16-bit plane, OME-Zarr in and out, preset preview",
    "tasks": "Tiny tasks, by this process (0) and by workers",
    "latency": "Gaps between the ticks of a timer of 10 ms in napari's window during a run, in ms",
}

# Tables of which the means are shown: what a group shares, beside the first parts of the name
# of its cases, and what is averaged.
MEANS = {
    "quality": (["preset", "crop"], ["psnr_y", "psnr", "ssim", "seconds"]),
    "stopping": (["preset", "held_out", "crop"], ["psnr_y", "oracle", "loss", "iterations"]),
    "micrographs": (["method", "crop"], ["psnr", "ssim"]),
    "levels": (
        ["crop"],
        ["true", "patches", "found", "photons", "psnr_patches", "psnr", "psnr_true"],
    ),
    "network": (["method", "crop"], ["psnr_y", "sigma"]),
    "adapt": (["adapt", "crop"], ["psnr_y", "sigma"]),
    "assumptions": (
        ["denoiser"],
        [
            *("ssim", "mse", "error_over_eps", "bend", "bend_at_a_tenth"),
            *("crop_nem", "crop_distance", "crop_homogeneity", "crop_defect"),
            *("nem", "distance", "homogeneity", "defect"),
        ],
    ),
}


def _group(case: str) -> str:
    """The setting of a case: inpaint/GN15+line of .../bird, fmd/WideField of fmd/WideField_..."""
    setting, _, name = case.rpartition("/")
    return f"{setting}/{name.partition('_')[0]}" if setting == "fmd" else setting


def _means(rows: list[dict[str, str]], by: list[str], values: list[str]) -> list[dict[str, str]]:
    groups = defaultdict(list)
    for row in rows:
        groups[_group(row["case"]), *(row[c] for c in by)].append(row)
    return [
        dict(zip(["cases", *by], key, strict=True))
        | {"number": str(len(group))}
        | {v: _mean(row[v] for row in group) for v in values}
        | _seconds(group, values)
        | {"machine": group[0]["machine"]}
        for key, group in groups.items()
    ]


def _seconds(rows: list[dict[str, str]], values: list[str]) -> dict[str, str]:
    """What stands for the mean of the seconds where they are of several machines."""
    machines = {row["machine"] for row in rows if row.get("seconds")}
    return {"seconds": "several machines"} if "seconds" in values and len(machines) > 1 else {}


def _mean(values: Iterable[str]) -> str:
    """The mean of those that were measured."""
    numbers = [float(v) for v in values if v]
    return f"{fmean(numbers):.4g}" if numbers else "not timed"


def markdown(rows: list[dict[str, str]]) -> str:
    columns = [c for c in rows[0] if c != "machine"]
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(row[c] for c in columns) for row in rows]
    machines = sorted({row["machine"] for row in rows if row.get("machine")})
    table = "\n".join(f"| {line} |" for line in lines)
    return table + "".join(f"\n\nMeasured on: {m}." for m in machines)


def table(name: str) -> str:
    """One of the tables of `TITLES` as Markdown, without its title."""
    path = FOLDER / f"{name}.csv"
    if not path.exists():
        return "not run"
    with path.open(newline="") as f:
        rows = list(csv.DictReader(f))
    return markdown(_means(rows, *MEANS[name]) if name in MEANS else rows)


def run() -> None:
    """Write `benchmarks/results/README.md`."""
    parts = ["# Results\n\nMade by `python -m benchmarks tables` from the CSV files beside it."]
    parts += [f"## {title}\n\n{table(name)}" for name, title in TITLES.items()]
    (FOLDER / "README.md").write_text("\n\n".join(parts) + "\n")
