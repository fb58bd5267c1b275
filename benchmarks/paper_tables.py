"""Tables II to IV and figure 5 of the paper of DRED as Markdown, its figures beside ours."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean

from scipy.stats import spearmanr

from benchmarks import results
from benchmarks.paper import ABLATION, METHODS, OURS, TARGETS, THEIRS
from benchmarks.tables import markdown

PUBLISHED = Path(__file__).parent / "published.csv"
NAMES = {**THEIRS, ABLATION: "DIP+FFDNet (PnP)"}
TASKS = {"inpaint": "Inpainting", "sr": "Super-resolution", "deblur": "Deblurring"}
#: Table IV has a size of its own, which tells its rows from those of the other tables.
TIMED = str(TARGETS["table 4"].crop)
NOT_RUN = "not run"

Row = dict[str, str]
Scale = tuple[str, str]  # crop and cap


def pages() -> dict[str, str]:
    """Every table, under the name by which a page includes it."""
    rows = measured()
    whole = [r for r in rows if not (r["lam"] or r["mu"])]
    shown = [r for r in whole if r["crop"] != TIMED]
    main = [r for r in shown if not r["case"].startswith("ablation/")]
    return {
        "paper_table_2": _each_scale(main, _table_2),
        "paper_orders": _each_scale(main, _orders),
        "paper_table_3": _each_scale([r for r in shown if r not in main], _table_3),
        "paper_table_4": _table_4([r for r in whole if r["crop"] == TIMED]),
        "paper_figure_5": _each_scale([r for r in rows if r not in whole], _figure_5),
    }


def measured() -> list[Row]:
    """The rows of `paper.csv`, each with its setting."""
    return [r | {"setting": r["case"].rpartition("/")[0]} for r in results.read("paper")]


def published(table: str) -> dict[tuple[str, str], str]:
    """The paper's figures by setting and method."""
    with PUBLISHED.open(newline="") as f:
        rows = [r for r in csv.DictReader(f) if r["table"] == table]
    return {(r["setting"], r["method"]): r["value"] for r in rows}


def _each_scale(rows: list[Row], write: Callable[[list[Row]], str]) -> str:
    """What `write` makes of the rows of each size and limit of time; of none, if there are none."""
    groups = defaultdict[Scale, list[Row]](list)
    for row in rows:
        groups[row["crop"], row["cap"]].append(row)
    parts = [f"{_said(*scale)}\n\n{write(group)}" for scale, group in groups.items()]
    return "\n\n".join(parts) or write([])


def _said(crop: str, cap: str) -> str:
    size = f"The central {crop} × {crop} pixels of each image" if crop else "Whole images"
    return f"{size}; {f'a run was ended after {cap} s' if cap else 'no run was cut short'}."


def _mean(rows: list[Row], setting: str, method: str, value: str = "oracle") -> float | None:
    found = [float(r[value]) for r in rows if (r["setting"], r["method"]) == (setting, method)]
    return fmean(found) if found else None


def _decibels(value: float | None) -> str:
    return NOT_RUN if value is None else f"{value:.2f}"


def _beside(rows: list[Row], paper: dict[tuple[str, str], str], methods: list[str]) -> list[Row]:
    """One row a method: the paper's figure and the best image here, by setting."""
    settings = dict.fromkeys(setting for setting, _ in paper)
    return [
        {"method": _name(m)}
        | {
            s.rpartition("/")[2]: f"{paper.get((s, m), '–')} / {_decibels(_mean(rows, s, m))}"
            for s in settings
        }
        for m in methods
    ]


def _name(method: str) -> str:
    return f"`{method}`" if method in OURS else f"{NAMES[method]} (`{method}`)"


def _machines(rows: list[Row]) -> str:
    return "".join(f"\n\nMeasured on: {m}." for m in sorted({r["machine"] for r in rows}))


def _table_2(rows: list[Row]) -> str:
    paper, parts = published("2"), list[str]()
    for suite, title in TASKS.items():
        of_task = {key: v for key, v in paper.items() if key[0].startswith(f"{suite}/")}
        parts.append(f"**{title}**\n\n{markdown(_beside(rows, of_task, [*THEIRS, *OURS]))}")
    return "\n\n".join(parts) + _machines(rows)


def _table_3(rows: list[Row]) -> str:
    methods = list(TARGETS["table 3"].methods)
    return markdown(_beside(rows, published("3"), methods)) + _machines(rows)


def _table_4(rows: list[Row]) -> str:
    paper = published("4")
    table = []
    for method in [*THEIRS, *OURS]:
        found = [r for r in rows if r["method"] == method]
        seconds = fmean(float(r["seconds_an_iteration"]) for r in found) if found else None
        table.append(
            {
                "method": _name(method),
                "paper, RTX 3090": paper.get(("", method), "–"),
                "here": NOT_RUN if seconds is None else f"{seconds:.3f}",
                "numbers fitted": f"{int(found[0]['parameters']):,}" if found else "",
            }
        )
    return markdown(table) + _machines(rows)


def _orders(rows: list[Row]) -> str:
    """By setting, the methods from the best down, and each one's place in the paper."""
    if not rows:
        return NOT_RUN
    return "\n\n".join(_order(rows, s) for s in dict.fromkeys(r["setting"] for r in rows))


def _order(rows: list[Row], setting: str) -> str:
    of_setting = [r for r in rows if r["setting"] == setting]
    best = {m: v for m in METHODS if (v := _mean(of_setting, setting, m)) is not None}
    paper = {m: float(v) for (s, m), v in published("2").items() if s == setting}
    places = {m: k for k, m in enumerate(sorted(paper, key=paper.__getitem__, reverse=True), 1)}
    table = []
    for place, method in enumerate(sorted(best, key=best.__getitem__, reverse=True), 1):
        found = [r for r in of_setting if r["method"] == method]
        own = _mean(of_setting, setting, method, "psnr_y")
        table.append(
            {
                "place": str(place),
                "method": _name(method),
                "place in the paper": str(places.get(method, "–")),
                "best image": _decibels(best[method]),
                "at iteration": _join(found, "oracle_iteration"),
                "own result": _decibels(own),
                "lost": "" if own is None else f"{best[method] - own:.2f}",
                "iterations": ", ".join(f"{r['iterations']} of {r['asked']}" for r in found),
                "ended by": _join(found, "stop"),
            }
        )
    both = [m for m in best if m in paper]
    text = f"**{setting}**, {len({r['case'] for r in of_setting})} image(s)\n\n{markdown(table)}"
    if len(both) == len(THEIRS):
        rank = spearmanr([best[m] for m in both], [paper[m] for m in both]).statistic
        text += f"\n\nRank correlation of the paper's methods with the paper's order: {rank:.2f}."
    return text


def _join(rows: list[Row], column: str) -> str:
    return ", ".join(dict.fromkeys(r[column] for r in rows))


def _figure_5(rows: list[Row]) -> str:
    table = [
        {
            "weight": "λ" if lam else "μ",
            "value": lam or mu,
            "best image": _decibels(fmean(float(r["oracle"]) for r in found)),
            "own result": _decibels(fmean(float(r["psnr_y"]) for r in found)),
            "iterations": _join(found, "iterations"),
        }
        for (lam, mu), found in _by_weight(rows)
    ]
    return markdown(table) + _machines(rows) if table else NOT_RUN


def _by_weight(rows: list[Row]) -> Iterator[tuple[tuple[str, str], list[Row]]]:
    groups = defaultdict[tuple[str, str], list[Row]](list)
    for row in rows:
        groups[row["lam"], row["mu"]].append(row)
    yield from groups.items()


def curves() -> dict[tuple[str, Scale], dict[str, dict[int, float]]]:
    """By setting of table II and scale, then method: the mean PSNR-Y by iteration."""
    path = results.FOLDER / "paper_curves.csv"
    settings = {setting for setting, _ in published("2")}
    found = defaultdict[tuple[str, Scale], dict[str, dict[int, list[float]]]](dict)
    with path.open(newline="") as f:
        for r in csv.DictReader(f):
            setting = r["case"].rpartition("/")[0]
            if r["lam"] or r["mu"] or r["crop"] == TIMED or setting not in settings:
                continue
            panel = found[setting, (r["crop"], r["cap"])]
            points = panel.setdefault(r["method"], {})
            points.setdefault(int(r["iteration"]), []).append(float(r["psnr_y"]))
    return {
        key: {
            # Where only some of the images have got to, a mean would jump.
            method: {k: fmean(v) for k, v in points.items() if len(v) == len(points[1])}
            for method, points in panel.items()
        }
        for key, panel in found.items()
    }
