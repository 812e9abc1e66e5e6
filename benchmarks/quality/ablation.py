"""What each part of the joint model is worth: parts are left out, one after the other.

    python benchmarks/ablation.py --out docs/ablation.md

The networks are those that ship; none was trained anew for the want of another. Objects and figures
are those of `make quality`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.conditions import Condition
from benchmarks.quality.simulate import FAMILIES
from benchmarks.quality.simulated import Recorded, Simulation
from napari_wedgefill.joint_model import contract as inputs
from napari_wedgefill.joint_model.consistency import restore_consistency
from napari_wedgefill.joint_model.model import JointModel
from napari_wedgefill.joint_model.registry import VIEWS, load
from napari_wedgefill.joint_model.stages import iter_refine
from napari_wedgefill.progress import drain
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.trust import psnr

Floats = NDArray[np.float32]
WIDTH, MISSING_DEG, STEP_DEG = 128, 60.0, 2.0
DOSES = (np.inf, 400.0, 100.0)
COLUMNS = (
    "TVM",
    "sinogram network alone (WBP)",
    "tomogram network alone",
    "both networks",
    "and consistency and refinement",
    "and both once more",
    "and a third time",
    "the third time from two sides",
    "and consistency at the end",
)


def variants(model: JointModel, beam: ParallelBeam, found: Recorded) -> list[Floats]:
    """Volumes of one object, in the order of `COLUMNS`."""
    rows, scales, contract = found.measured.rows, found.measured.scales, model.model.contract
    quick = found.quick
    warm = inputs.sinogram_input(beam, rows, quick, scales, contract)
    filled = np.concatenate(list(model.run("sinogram", warm)))
    completed = inputs.reconstruct_completed(beam, rows, filled, scales, contract)
    unaided = inputs.reconstruct_completed(beam, rows, warm[:, :1], scales, contract)
    alone, channels = (
        inputs.tomogram_input(wbp, quick, model.model.contract) for wbp in (unaided, completed)
    )
    by_one, by_both = (
        _volume(np.concatenate(list(model.run("tomogram", c)))) for c in (alone, channels)
    )

    def refine(*views: tuple[tuple[int, ...], ...]) -> Floats:
        # From the first pass on each time: a pass goes on from what the one before it left.
        steps = iter_refine(model, beam, rows, quick.tvm, by_both, scales, 0.0, 1.0, views)
        return drain(steps)

    first, second, third = VIEWS
    refined = [refine(*views) for views in ((first,), (first, second))]
    refined += [refine(first, second, views) for views in (third[:1], third)]
    agreed = restore_consistency(beam, rows, refined[-1], scales, cautious=True)
    return [quick.tvm, completed, by_one, by_both, *refined, agreed]


def _volume(answer: Floats) -> Floats:
    return np.ascontiguousarray(answer[:, 0].transpose(1, 2, 0))


def measure(model: JointModel, electrons: float, n_objects: int) -> list[float]:
    """Mean PSNR of every variant over the objects of all held-back families."""
    condition = Condition(WIDTH, MISSING_DEG, STEP_DEG, electrons, n_objects)
    simulation = Simulation(condition, model)
    found = [
        [psnr(x, one.object.truth) for x in variants(model, simulation.beam, one)]
        for one in simulation.recorded(list(FAMILIES))
    ]
    return [float(value) for value in np.mean(found, axis=0)]


def table(model: JointModel, figures: dict[str, list[float]], n_objects: int) -> str:
    """Return the page as Markdown."""
    lines = [
        "# What each part is worth",
        "",
        f"Printed by `benchmarks/ablation.py`: model `{model.model.name}` "
        f"({model.model.sha256['refinement'][:8]}), {WIDTH} px, {MISSING_DEG:g} degrees missing, "
        f"steps of {STEP_DEG:g} degrees, {n_objects} objects of each held-back family. Mean PSNR "
        "in dB. The networks are those that ship: none was trained anew for the want of another, "
        "so a part that is left out here might be made up for in training.",
        "",
        "| dose (e/px) | " + " | ".join(COLUMNS) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]
    for dose, values in figures.items():
        lines.append(f"| {dose} | " + " | ".join(f"{v:.2f}" for v in values) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the page with its figures beside it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--objects", type=int, default=4, help="of each held-back family")
    parser.add_argument("--out", type=Path, default=Path("docs/ablation.md"))
    given = parser.parse_args()
    model = JointModel(load(given.model))
    figures = {}
    for electrons in DOSES:
        dose = f"{electrons:g}" if np.isfinite(electrons) else "noise-free"
        figures[dose] = measure(model, electrons, given.objects)
        print(dose, [round(value, 2) for value in figures[dose]], flush=True)
    given.out.write_text(table(model, figures, given.objects), encoding="utf-8")
    numbers = {dose: dict(zip(COLUMNS, v, strict=True)) for dose, v in figures.items()}
    given.out.with_suffix(".json").write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
