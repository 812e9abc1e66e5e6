"""What a model of another tier gives more than the one that runs unasked, and what it costs.

    python benchmarks/tiers.py large --out docs/tiers.md

Nothing is measured here: `docs/quality.json` and the other tier's file beside it
(`python -m benchmarks.quality --model large --out docs/quality-large.md`) hold the qualities under
the conditions that both were measured under, `docs/speed.json` the seconds, and the models'
descriptions their sizes.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.methods import GAN, TUNED
from benchmarks.quality.tables import FIGURES, GROUPS, table
from napari_wedgefill.joint_model.registry import bundled_folder
from napari_wedgefill.pipeline.options import FillOptions

UNASKED = FillOptions.model
KEYS = ("width", "missing_deg", "step_deg", "electrons", "objects_a_family")

Conditions = dict[tuple[Any, ...], dict[str, Any]]


def measured(path: Path) -> Conditions:
    """Return what a file of the quality benchmark holds, by condition, without earlier code's."""
    conditions = json.loads(path.read_text(encoding="utf-8"))["conditions"]
    return {tuple(c[k] for k in KEYS): c["families"] for c in conditions if "earlier" not in c}


def mean(families: dict[str, Any], figure: str, group: Sequence[str], method: str = GAN) -> float:
    """Mean of a figure over the families of a group."""
    return float(np.mean([families[name][method][figure] for name in group]))


def gains(both: list[tuple[dict[str, Any], dict[str, Any]]]) -> list[str]:
    """Rows of every figure: the one tier, the other, and what the other has more, by group."""
    lines = []
    for figure in FIGURES:
        row = [figure.heading]
        for group in GROUPS.values():
            each = [[mean(f, figure.key, group) for f in tiers] for tiers in both]
            one, other = np.mean(each, axis=0)
            row.append(f"{one:.{figure.digits}f} / {other:.{figure.digits}f}")
        lines.append(row)
    return table(["figure", *GROUPS], lines)


def by_condition(other: str, known: dict[tuple[Any, ...], tuple[Any, Any]]) -> list[str]:
    """Rows of every condition: PSNR over TVM tuned on the truth, of both tiers."""
    lines = []
    for (width, missing, step, electrons, _), tiers in known.items():
        dose = "noise-free" if electrons is None else f"{electrons:g}"
        row = [str(width), f"{missing:g}°", f"{step:g}°", dose]
        for name in ("all", "untouched"):
            over = [
                mean(f, "psnr", GROUPS[name]) - mean(f, "psnr", GROUPS[name], TUNED) for f in tiers
            ]
            row += [f"{over[0]:+.2f}", f"{over[1]:+.2f}", f"{over[1] - over[0]:+.2f}"]
        lines.append(row)
    heads = [f"{t}, {name}" for name in ("all", "untouched") for t in (UNASKED, other, "more")]
    return table(["px", "missing", "step", "dose (e/px)", *heads], lines)


def sizes(names: Sequence[str], speed: dict[str, Any]) -> list[str]:
    """Rows of weights and seconds, a tier each."""
    fill = speed["fill"]
    seconds = {row["what"]: row["wall_s"] for row in fill["rows"]}
    takes = {UNASKED: seconds["gan"], **fill.get("gan_s_of", {})}
    lines = []
    for name in names:
        described = tomllib.loads((bundled_folder() / name / "model.toml").read_text("utf-8"))
        stages = described["training"]
        weights = [f"{stages[s]['weights'] / 1e6:.2f}" for s in stages]
        lines.append([f"`{name}`", " + ".join(weights), f"{takes[name]:.0f}"])
    what = f"{fill['slices']} slices of {fill['width']} x {fill['width']}"
    cores, processor = fill["machine"]["cores"], fill["machine"]["processor"]
    return [
        f"Weights are those of the sinogram network, the tomogram network and the refinement. "
        f"Seconds are those of `gan` (`benchmarks/fill.py`): {what} from {fill['n_tilts']} tilts, "
        f"{cores} cores of an {processor}, SART and TVM being there already.",
        "",
        *table(["tier", "million weights", "seconds"], lines),
    ]


def page(other: str, docs: Path) -> str:
    """Return the page as Markdown."""
    files = [docs / "quality.json", docs / f"quality-{other}.json"]
    unasked, asked = (measured(path) for path in files)
    known = {key: (unasked[key], asked[key]) for key in asked if key in unasked}
    lines = [
        f"# The `{other}` tier",
        "",
        f"Printed by `benchmarks/tiers.py`: `{UNASKED}`, which runs unasked, against `{other}` "
        f"(`--model {other}`, or the list **Model** of the widget), on the held-back families of "
        f"[Quality](quality.md), under the conditions that both were measured under: {len(known)}.",
        "",
        *sizes((UNASKED, other), json.loads((docs / "speed.json").read_text("utf-8"))),
        f"Means over those conditions, `{UNASKED}` / `{other}`:",
        "",
        *gains(list(known.values())),
        f"{GAN} less {TUNED}, PSNR in dB, and what `{other}` has more:",
        "",
        *by_condition(other, known),
    ]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Write the page of a tier."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("tier", help="name of a bundled model")
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where the figures are")
    parser.add_argument("--out", type=Path, default=Path("docs/tiers.md"))
    given = parser.parse_args()
    given.out.write_text(page(given.tier, given.docs), encoding="utf-8")
    print(given.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
