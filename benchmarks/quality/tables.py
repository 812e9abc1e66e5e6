"""Means over objects, and Markdown tables of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.quality.conditions import Condition
from benchmarks.quality.methods import GAN, METHODS, TUNED
from benchmarks.quality.simulate import CHOSEN_ON, FAMILIES, KNOWN, SPHERES, UNTOUCHED

Row = dict[str, Any]
Results = dict[Condition, list[Row]]
#: Groups of families over which means are taken.
GROUPS = {
    "all": tuple(FAMILIES),
    "untouched": UNTOUCHED,
    "known": KNOWN,
    "chosen on": CHOSEN_ON,
}
CONDITION_HEAD = ("px", "missing", "step", "dose (e/px)", "objects")


@dataclass(frozen=True)
class Figure:
    """A figure of merit: its key in the results, its heading, and how it is read."""

    key: str
    heading: str
    digits: int
    best: float = math.inf  # the value wanted


FIGURES = (
    Figure("psnr", "PSNR (dB)", 2),
    Figure("ssim", "SSIM", 3),
    Figure("wedge", "Fourier correlation with the truth inside the missing wedge", 3),
    Figure("dice", "Dice overlap with the truth after Otsu's threshold", 3),
)
ELONGATION = Figure("elongation", "Elongation of spheres along the beam (1 is round)", 3, 1.0)


def mean(rows: Iterable[Row], figure: str, method: str, families: Sequence[str]) -> float:
    """Mean of a figure over objects; nan if there is none."""
    values = [row[figure] for row in rows if row["method"] == method and row["family"] in families]
    found = [v for v in values if v is not None and np.isfinite(v)]
    return float(np.mean(found)) if found else float("nan")


def gain_over_tuned(rows: list[Row], families: Sequence[str]) -> float:
    """PSNR of the network over that of TVM tuned on the truth, in dB."""
    return mean(rows, "psnr", GAN, families) - mean(rows, "psnr", TUNED, families)


def format_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return ["| " + " | ".join(row) + " |" for row in rows] + [""]


def format_cells(values: Sequence[float], digits: int, best: float = math.inf) -> list[str]:
    """Format numbers, the best one (nearest to `best`) in bold."""
    shown = [f"{v:.{digits}f}" if np.isfinite(v) else "lost" for v in values]
    ranks = [-v if math.isinf(best) else abs(v - best) for v in values]
    winner = int(np.nanargmin(ranks)) if np.any(np.isfinite(values)) else -1
    return [f"**{text}**" if k == winner else text for k, text in enumerate(shown)]


def format_condition(condition: Condition, n_families: int = len(FAMILIES)) -> list[str]:
    """The first columns of a row."""
    return [
        f"{condition.width}{' †' if condition.earlier else ''}",
        f"{condition.missing_deg:g}°",
        f"{condition.step_deg:g}°",
        condition.dose,
        str(condition.n_objects * n_families),
    ]


def tabulate_gains(results: Results) -> list[str]:
    """GAN over tuned TVM, by group and by family."""
    first, *others = GROUPS
    head = [*CONDITION_HEAD, f"**{first}**", *others, *FAMILIES]
    lines = []
    for condition, rows in results.items():
        groups = [*GROUPS.values(), *((f,) for f in FAMILIES)]
        gains = [f"{gain_over_tuned(rows, group):+.2f}" for group in groups]
        lines.append([*format_condition(condition), f"**{gains[0]}**", *gains[1:]])
    return format_table(head, lines)


def tabulate_figure(results: Results, figure: Figure) -> list[str]:
    """One figure of every method, the mean of each condition."""
    lines = []
    for condition, rows in results.items():
        values = [mean(rows, figure.key, m, GROUPS["all"]) for m in METHODS]
        lines.append([*format_condition(condition), *format_cells(values, figure.digits)])
    return [f"### {figure.heading}", "", *format_table([*CONDITION_HEAD, *METHODS], lines)]


def tabulate_elongation(results: Results, n_spheres: int) -> list[str]:
    """Elongation of the spheres; what the truth's own voxels give comes first."""
    lines = []
    for condition, rows in results.items():
        values = [mean(rows, "elongation", m, (SPHERES,)) for m in METHODS]
        truth = mean(rows, "elongation", "truth", (SPHERES,))
        first = [*format_condition(condition)[:4], str(n_spheres), f"{truth:.3f}"]
        lines.append([*first, *format_cells(values, ELONGATION.digits, ELONGATION.best)])
    head = [*CONDITION_HEAD[:4], "spheres", "truth", *METHODS]
    return [f"### {ELONGATION.heading}", "", *format_table(head, lines)]


def tabulate_families(results: Results) -> list[str]:
    """PSNR by family."""
    lines = []
    for condition, rows in results.items():
        for family in FAMILIES:
            values = [mean(rows, "psnr", m, (family,)) for m in METHODS]
            name = f"{family} (untouched)" if family in UNTOUCHED else family
            first = [*format_condition(condition, 1)[:4], name, str(condition.n_objects)]
            lines.append([*first, *format_cells(values, 2)])
    return format_table([*CONDITION_HEAD[:4], "family", "objects", *METHODS], lines)


def tabulate_sinogram(results: Results) -> list[str]:
    """Gains of the sinogram network alone."""
    lines = []
    for condition, rows in results.items():
        gains = [
            f"{mean(rows, figure, 'sinogram', group):+.2f}"
            for figure in ("over_linear", "over_warm_start")
            for group in (GROUPS["all"], UNTOUCHED)
        ]
        lines.append([*format_condition(condition), *gains])
    head = [*CONDITION_HEAD, "over linear", "untouched only", "over the warm start"]
    return format_table([*head, "untouched only"], lines)
