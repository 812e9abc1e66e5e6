"""How fast TVM approaches its minimum, with its dual steps and with purely diagonal ones.

    python -m benchmarks.speed.convergence

One object of each family that settings were chosen on, at a fixed weight, starting from SART. The
figure is the distance from the minimum, divided by the distance from SART to it. No time is
measured.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.conditions import Condition
from benchmarks.quality.methods import normalise_rows
from benchmarks.quality.simulate import CHOSEN_ON, simulate_all
from benchmarks.speed.page import record
from napari_wedgefill.joint_model.angular_grid import grid_for
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import TvmOptions, iter_sart, iter_tvm, last
from napari_wedgefill.reconstruct.tvm import FASTER, rms, weight_for

Floats = NDArray[np.float32]
WIDTH, MISSING_DEG, STEP_DEG = 256, 60.0, 2.0
DOSES = (np.inf, 400.0)
#: Steps after which the distance is measured, and steps after which TVM has converged.
STEPS, AT_REST = (75, 150, 300, 600, 900), 6000
#: How far the dual steps go: as in a fill, and with diagonal preconditioning.
RATES = {"as it is": FASTER, "diagonal": 1.0}


def measure(electrons: float) -> list[dict[str, Any]]:
    """What is left of the way after some steps, of each kind of steps: means over the slices."""
    condition = Condition(WIDTH, MISSING_DEG, STEP_DEG, electrons, 1)
    beam = ParallelBeam(condition.angles_deg, WIDTH)
    objects = simulate_all(condition, grid_for(condition.angles_deg, 120).angles_deg, CHOSEN_ON)
    rows = np.concatenate([normalise_rows(beam, o.rows).rows for o in objects], axis=2)
    sart = last(iter_sart(beam, rows, 10))
    weight = weight_for(beam.n_tilts, rms(rows - beam(last(iter_tvm(beam, rows, x0=sart)))))
    options = TvmOptions(n_steps=AT_REST, weight=weight)
    end = last(iter_tvm(beam, rows, options=options, x0=sart))
    found = []
    for name, faster in RATES.items():
        for n_steps in STEPS:
            options = TvmOptions(n_steps=n_steps, weight=weight, faster=faster)
            steps = iter_tvm(beam, rows, options=options, x0=sart)
            left = float(np.mean(_norms(last(steps) - end) / _norms(sart - end)))
            found.append({"rates": name, "steps": n_steps, "left": left})
    return found


def _norms(volume: Floats) -> Floats:
    return np.linalg.norm(volume, axis=(0, 1))


def main() -> None:
    """Measure and print, and keep the figures in docs/measured/speed.md."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--dry", action="store_true", help="print, but leave docs as they are")
    given = parser.parse_args()
    cases = [
        {"dose": f"{electrons:g}" if np.isfinite(electrons) else "noise-free"} | row
        for electrons in DOSES
        for row in measure(electrons)
    ]
    for case in cases:
        print(case)
    if not given.dry:
        what = (
            f"{' and '.join(CHOSEN_ON)}, {WIDTH} px, {MISSING_DEG:g} degrees missing, steps of "
            f"{STEP_DEG:g} degrees"
        )
        record("convergence", {"what": what, "cases": cases})


if __name__ == "__main__":
    main()
