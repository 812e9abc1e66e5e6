"""What each part of the joint model is worth: parts are left out, one after the other.

    python -m benchmarks.quality.ablation

The networks are those that ship; none was retrained to work without another. Objects and figures
are those of `make quality`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import MEASURED, write_page
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
    "sinogram network only (WBP)",
    "tomogram network only",
    "both networks",
    "+ consistency and refinement",
    "+ both a second time",
    "+ both a third time",
    "+ mean of two mirrored views",
    "+ consistency at the end",
)


def reconstruct_variants(model: JointModel, beam: ParallelBeam, found: Recorded) -> list[Floats]:
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
        # Always from the first pass on, because each pass continues from the one before it.
        steps = iter_refine(model, beam, rows, quick.tvm, by_both, scales, views)
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
        [psnr(x, one.object.truth) for x in reconstruct_variants(model, simulation.beam, one)]
        for one in simulation.record(list(FAMILIES))
    ]
    return [float(value) for value in np.mean(found, axis=0)]


def render(found: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    lines = [
        "# What each part is worth",
        "",
        f"Printed by `benchmarks/quality/ablation.py` with the model `{found['model']}` "
        f"(refinement {found['refinement_sha256'][:8]}): {WIDTH} px, {MISSING_DEG:g} degrees "
        f"missing, tilt steps of {STEP_DEG:g} degrees, {found['objects_per_family']} objects of "
        "each held-back family. Mean PSNR in dB. A column that begins with + adds one part to the "
        "column on its left. All columns use the networks as they ship. None of "
        "them was retrained to work without the others, so a model trained without a part might "
        "lose less than the table says.",
        "",
        "| dose (e/px) | " + " | ".join(COLUMNS) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]
    for dose, values in found["psnr_db"].items():
        lines.append(f"| {dose} | " + " | ".join(f"{values[c]:.2f}" for c in COLUMNS) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the page with its figures beside it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--objects", type=int, default=4, help="of each held-back family")
    parser.add_argument("--out", type=Path, default=MEASURED / "ablation.md")
    given = parser.parse_args()
    model = JointModel(load(given.model))
    psnr_db = {}
    for electrons in DOSES:
        dose = f"{electrons:g}" if np.isfinite(electrons) else "noise-free"
        values = measure(model, electrons, given.objects)
        psnr_db[dose] = dict(zip(COLUMNS, values, strict=True))
        print(dose, psnr_db[dose], flush=True)
    found = {
        "model": model.model.name,
        "refinement_sha256": model.model.sha256["refinement"],
        "objects_per_family": given.objects,
        "psnr_db": psnr_db,
    }
    write_page(given.out, render(found), found)


if __name__ == "__main__":
    main()
