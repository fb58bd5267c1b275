"""Table I and figure 3 of the paper of DRED as Markdown, its figures beside those measured."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

from benchmarks.results import read
from benchmarks.tables import markdown
from napari_dred.check import PAPER_HOMOGENEITY, PAPER_NEM

PEPPERS = "set12/03"  # the image of figure 3

Row = dict[str, str]


def pages() -> dict[str, str]:
    """Both tables, under the names by which a page includes them."""
    rows = read("assumptions")
    return {"paper_table_1": _table_1(rows), "paper_figure_3": _figure_3(rows)}


def _paper(label: str, figures: dict[str, float]) -> str:
    """What the paper has for the denoiser that a label starts with."""
    return next((f"{v:.4g}" for name, v in figures.items() if label.startswith(name)), "–")


def _table_1(rows: list[Row]) -> str:
    """Mean error of symmetry by denoiser, beside how much the denoiser does."""
    if not rows:
        return "not run"
    groups = defaultdict[str, list[Row]](list)
    for row in sorted(rows, key=lambda r: r["denoiser"]):
        groups[row["denoiser"]].append(row)
    names = {
        "crop_nem": "NEM, 16 × 16 pixels",
        "crop_distance": "‖J − I‖ / ‖I‖ there",
        "nem": "NEM, whole image",
        "distance": "‖J − I‖ / ‖I‖",
        "homogeneity": "‖JX − f(X)‖ / ‖f(X)‖",
    }
    return markdown(
        [
            {
                "denoiser": f"`{label}`",
                "paper's NEM": _paper(label, PAPER_NEM),
                **{
                    name: f"{fmean(float(r[figure]) for r in group):.3f}"
                    for figure, name in names.items()
                },
                "images": str(len(group)),
            }
            for label, group in groups.items()
        ]
    )


def _figure_3(rows: list[Row]) -> str:
    """Homogeneity on the paper's image."""
    found = sorted((r for r in rows if r["case"] == PEPPERS), key=lambda r: r["denoiser"])
    if not found:
        return "not run"
    ssim, mse = ({d: f[k] for d, f in PAPER_HOMOGENEITY.items()} for k in ("ssim", "mse"))
    return markdown(
        [
            {
                "denoiser": f"`{r['denoiser']}`",
                "paper's SSIM": _paper(r["denoiser"], ssim),
                "SSIM": r["ssim"],
                "paper's MSE": _paper(r["denoiser"], mse),
                "MSE": r["mse"],
                "in parts of ε": r["error_over_eps"],
            }
            for r in found
        ]
    )
