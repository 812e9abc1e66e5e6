"""How much each method makes out of nothing but noise.

    python -m benchmarks.quality.hallucination

An empty field is recorded at several doses: a uniform background with nothing in it. It is filled
as a user's series is, and what stands out is compared with the density of an object recorded at the
same dose over the same background.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage

from benchmarks import MEASURED, write_page
from benchmarks.quality.families import CHOSEN_ON as FAMILIES
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.training.acquisition import Scheme, add_noise, record
from napari_wedgefill.training.frames import average_pairs, grid
from napari_wedgefill.training.phantoms import draw

SLICES = 8
METHODS = ("wbp", "sart", "tvm", "gan")
#: Background over the mean signal of the object, and read-out noise likewise.
BACKGROUND, READOUT = 0.5, 0.01
#: Voxels from an object within which its own blurred edge is no invention.
EDGE = 3


def record_pair(
    family: str, seed: int, width: int, angles: np.ndarray, electrons: float
) -> tuple[TiltSeries, TiltSeries, np.ndarray]:
    """Series of an object and of an empty field at one dose, and the object (z, y, x)."""
    rng = np.random.default_rng(seed)
    fine = draw(rng, grid(2 * width, SLICES, y0=0.05), {family: FAMILIES[family]})
    rows = record(fine, width, Scheme(angles, 0.0, np.zeros(angles.size)))
    signal = float(rows[rows > 0].mean())
    background = np.full_like(rows, BACKGROUND * signal)
    series = []
    for ideal in (rows + background, background):
        # `add_noise` counts its dose on the mean of what it is given.
        dose, readout = electrons * ideal.mean() / signal, READOUT * signal / ideal.mean()
        noisy = add_noise(rng, ideal, dose, readout, 0.0)
        series.append(TiltSeries.from_arrays(noisy.transpose(0, 2, 1), angles))
    return series[0], series[1], average_pairs(fine).transpose(0, 2, 1)


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Figures of every method, object and dose."""
    angles = np.arange(-60.0, 60.1, arguments.step)
    options = FillOptions(methods=METHODS, model=arguments.model)
    rows = []
    for electrons in arguments.doses:
        for family in FAMILIES:
            for seed in range(arguments.objects):
                series, empty, truth = record_pair(family, seed, arguments.width, angles, electrons)
                level = float(np.median(truth[truth > 0.05]))
                away = scipy.ndimage.distance_transform_edt(truth < 0.01) > EDGE
                with_object, without = fill(series, options).volumes, fill(empty, options).volumes
                for method in METHODS:
                    nothing = without[method].data / level
                    vacuum = with_object[method].data[away] / level
                    rows.append(
                        {
                            "electrons": electrons,
                            "family": family,
                            "seed": seed,
                            "method": method,
                            "empty_above_half": float(np.mean(nothing > 0.5)),
                            "empty_99.9": float(np.percentile(nothing, 99.9)),
                            "vacuum_above_half": float(np.mean(vacuum > 0.5)),
                        }
                    )
        print(f"{electrons:g} e/px done", flush=True)
    return rows


FIGURES = {
    "empty_above_half": ("empty field: voxels above half the object's density", "{:.3%}"),
    "empty_99.9": ("empty field: density exceeded by one voxel in a thousand", "{:.3f}"),
    "vacuum_above_half": ("beside an object: voxels above half its density", "{:.3%}"),
}


def render(found: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    model, rows = found["model"], found["rows"]
    lines = [
        "# What noise becomes" + ("" if model == "small" else f" with `{model}`"),
        "",
        f"Printed by `benchmarks/quality/hallucination.py` with the model `{model}` (tomogram "
        f"network {found['tomogram_sha256'][:12]}): {found['width']} px, 60° missing, tilt steps "
        f"of {found['step_deg']:g}°, {SLICES} slices, mean over {found['recordings']} recordings. "
        f"The empty field has a uniform background of {BACKGROUND:g} times the mean signal of an "
        "object, with its noise, and nothing else. Densities are relative to the median density of "
        "that object, recorded at the same dose. *Beside an object* means more than "
        f"{EDGE} voxels away from it.",
        "",
        "| dose (e/px) | figure | " + " | ".join(m.upper() for m in METHODS) + " |",
        "|---|---|" + "---|" * len(METHODS),
    ]
    for electrons in dict.fromkeys(row["electrons"] for row in rows):
        at_dose = [row for row in rows if row["electrons"] == electrons]
        for figure, (words, form) in FIGURES.items():
            means = [np.mean([r[figure] for r in at_dose if r["method"] == m]) for m in METHODS]
            cells = " | ".join(form.format(value) for value in means)
            lines.append(f"| {electrons:g} | {words} | {cells} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the table as Markdown with the raw figures beside it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--step", type=float, default=3.0)
    parser.add_argument("--objects", type=int, default=2, help="of each held-back family")
    parser.add_argument("--doses", type=float, nargs="+", default=[1000.0, 300.0, 100.0, 30.0])
    parser.add_argument("--out", type=Path, default=MEASURED / "hallucination.md")
    arguments = parser.parse_args()
    model = load(arguments.model)
    found = {
        "model": model.name,
        "tomogram_sha256": model.sha256["tomogram"],
        "width": arguments.width,
        "step_deg": arguments.step,
        "recordings": arguments.objects * len(FAMILIES),
        "rows": measure(arguments),
    }
    write_page(arguments.out, render(found), found)
    print(arguments.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
