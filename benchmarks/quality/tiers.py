"""What a model of another tier gains over the default one, and what it costs.

    python -m benchmarks.quality.tiers large

Nothing is measured here. The quality comes from `quality.json` and the other tier's file beside it
(`python -m benchmarks.quality --model large --out docs/measured/quality-large.md`), for the
conditions that are in both; the seconds come from `speed.json`, and the sizes from the models'
descriptions.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import MEASURED
from benchmarks.quality.methods import GAN, TUNED
from benchmarks.quality.tables import FIGURES, GROUPS, format_table
from napari_wedgefill.joint_model.registry import SMOOTH_REFINEMENT, find_bundled_folder
from napari_wedgefill.pipeline.options import FillOptions

DEFAULT = FillOptions.model
KEYS = ("width", "missing_deg", "step_deg", "electrons", "objects_a_family")

Conditions = dict[tuple[Any, ...], dict[str, Any]]


def read_conditions(path: Path) -> Conditions:
    """Read a file of the quality benchmark by condition, leaving out results of earlier code."""
    conditions = json.loads(path.read_text(encoding="utf-8"))["conditions"]
    return {tuple(c[k] for k in KEYS): c["families"] for c in conditions if "earlier" not in c}


def average(
    families: dict[str, Any], figure: str, group: Sequence[str], method: str = GAN
) -> float:
    """Mean of a figure over the families of a group."""
    return float(np.mean([families[name][method][figure] for name in group]))


def tabulate_figures(both: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[str]:
    """Rows of every figure: one tier / the other, by group."""
    lines = []
    for figure in FIGURES:
        row = [figure.heading]
        for group in GROUPS.values():
            each = [[average(f, figure.key, group) for f in tiers] for tiers in both]
            one, other = np.mean(each, axis=0)
            row.append(f"{one:.{figure.digits}f} / {other:.{figure.digits}f}")
        lines.append(row)
    return format_table(["figure", *GROUPS], lines)


def tabulate_conditions(other: str, known: dict[tuple[Any, ...], tuple[Any, Any]]) -> list[str]:
    """Rows of every condition: the gain of both tiers over TVM tuned on the truth, and between."""
    lines = []
    for (width, missing, step, electrons, _), tiers in known.items():
        dose = "noise-free" if electrons is None else f"{electrons:g}"
        row = [str(width), f"{missing:g}°", f"{step:g}°", dose]
        for name in ("all", "untouched"):
            over = [
                average(f, "psnr", GROUPS[name]) - average(f, "psnr", GROUPS[name], TUNED)
                for f in tiers
            ]
            row += [f"{over[0]:+.2f}", f"{over[1]:+.2f}", f"{over[1] - over[0]:+.2f}"]
        lines.append(row)
    heads = [
        f"{t}, {name}" for name in ("all", "untouched") for t in (DEFAULT, other, "difference")
    ]
    return format_table(["px", "missing", "step", "dose (e/px)", *heads], lines)


def tabulate_sizes(names: Sequence[str], speed: dict[str, Any]) -> list[str]:
    """Rows of weights and seconds, one per tier."""
    fill = speed["fill"]
    seconds = {row["what"]: row["wall_s"] for row in fill["rows"]}
    takes = {DEFAULT: seconds["gan"], **fill.get("gan_s_of", {})}
    lines = []
    for name in names:
        described = tomllib.loads((find_bundled_folder() / name / "model.toml").read_text("utf-8"))
        stages = described["training"]
        # Of a refinement for smooth images, one or the other runs.
        weights = [f"{stages[s]['weights'] / 1e6:.2f}" for s in stages if s != SMOOTH_REFINEMENT]
        lines.append([f"`{name}`", " + ".join(weights), f"{takes[name]:.0f}"])
    what = f"{fill['slices']} slices of {fill['width']} x {fill['width']}"
    cores, processor = fill["machine"]["cores"], fill["machine"]["processor"]
    return [
        "Weights of the sinogram network, the tomogram network and the refinement. Seconds that "
        f"`gan` takes (`benchmarks/speed/fill.py`) for {what} from {fill['n_tilts']} tilts on "
        f"{cores} cores of an {processor}, when SART and TVM are already done.",
        "",
        *format_table(["tier", "million weights", "seconds"], lines),
    ]


def render(other: str, folder: Path) -> str:
    """Return the page as Markdown."""
    files = [folder / "quality.json", folder / f"quality-{other}.json"]
    default, tier = (read_conditions(path) for path in files)
    known = {key: (default[key], tier[key]) for key in tier if key in default}
    lines = [
        f"# The `{other}` tier",
        "",
        f"Printed by `benchmarks/quality/tiers.py`: the default model, `{DEFAULT}`, beside "
        f"`{other}` (chosen with `--model {other}` or in the list **Model** of the widget). Both "
        "were evaluated on the held-back families of [Quality](quality.md) under the same "
        f"{len(known)} conditions.",
        "",
        *tabulate_sizes((DEFAULT, other), json.loads((folder / "speed.json").read_text("utf-8"))),
        f"Means over these conditions, `{DEFAULT}` / `{other}`:",
        "",
        *tabulate_figures(list(known.values())),
        f"PSNR of {GAN} minus PSNR of {TUNED}, in dB, for each model, and the difference between "
        "the two:",
        "",
        *tabulate_conditions(other, known),
    ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Write the page of a tier."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("tier", help="name of a bundled model")
    parser.add_argument("--figures", type=Path, default=MEASURED, help="folder of the figures")
    parser.add_argument("--out", type=Path, default=MEASURED / "tiers.md")
    given = parser.parse_args()
    given.out.write_text(render(given.tier, given.figures), encoding="utf-8")
    print(given.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
