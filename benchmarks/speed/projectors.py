"""Speed and accuracy of the CPU projectors and solvers beside ASTRA's, in one run.

    python -m benchmarks.speed.projectors

Both run on the same cores with the same geometry. ASTRA's CPU code computes one slice at a time on
one core, so it is timed on one slice; ours is timed on a whole strip and quoted per slice. The
ratios matter, not the seconds.
"""

from __future__ import annotations

import argparse
import time

import astra
import numpy as np

from benchmarks.quality.families import CHOSEN_ON as FAMILIES
from benchmarks.speed.page import record
from napari_wedgefill.bench import (
    SWEEPS,
    Astra,
    compare_with_astra,
    list_operations,
    measure_memory_rate,
    measure_vector_limit,
)
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.projector.processor import SART_LANES
from napari_wedgefill.projector.processor_tvm import TVM_LANES
from napari_wedgefill.projector.strips import LANES
from napari_wedgefill.reconstruct import iter_sart
from napari_wedgefill.reconstruct.sart import spread_steps
from napari_wedgefill.training.acquisition import Scheme
from napari_wedgefill.training.acquisition import record as record_tilts
from napari_wedgefill.training.frames import average_pairs, grid
from napari_wedgefill.training.phantoms import draw
from napari_wedgefill.trust import psnr

#: Passes of our SART that are tried to match ASTRA's accuracy, and the step for it: what four
#: tilts at once need to go as far as two.
MOST_PASSES, RELAXATION = 12, 1.9
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def measure_accuracy(
    truth: np.ndarray, rows: np.ndarray, angles: np.ndarray
) -> dict[str, dict[str, float]]:
    """PSNR of the middle slice against the simulated object, ours and ASTRA's."""
    width, middle = rows.shape[1], rows.shape[2] // 2
    beam, peer = ParallelBeam(angles, width), Astra(angles, width)
    image, own_rows = (np.ascontiguousarray(a[:, :, middle]) for a in (truth, rows))
    ours = list_operations(beam, truth, rows)
    found = {}
    for name in ("WBP", "SIRT", "SART"):
        found[name] = {
            "ours_db": psnr(ours[name][0]()[:, :, [middle]], image[:, :, None]),
            "astra_db": psnr(peer.run(name, image, own_rows)[:, :, None], image[:, :, None]),
        }
    target = found["SART"]["astra_db"]
    for sweep in iter_sart(beam, rows, MOST_PASSES, relaxation=RELAXATION):
        if psnr(sweep.x[:, :, [middle]], image[:, :, None]) >= target:
            found["SART"]["passes_to_match"] = sweep.done
            break
    return found


def compute_bounds(width: int, n_tilts: int, limit: float) -> list[dict[str, float | str]]:
    """Compute what one pass of each solver needs per slice: arithmetic, and arrays moved.

    Arrays count once for each time they are read or written: a step of SIRT or SART reads the
    volume to project it and reads and writes it to correct it; one of TVM does so with two parts
    of a dual field and a slope besides. They move at the rate of what a tile of them measures.
    """
    n_steps = len(spread_steps(n_tilts))
    updates, array = 2 * n_tilts * width**2, 4 * width**2
    found: list[dict[str, float | str]] = []
    for name, steps, moved, held, lanes in (
        ("SIRT", 1, 3, 1, LANES),
        ("SART", n_steps, 3, 1, SART_LANES),
        ("TVM", n_steps, 9, 4, TVM_LANES),
    ):
        tile, rate = held * lanes * array, measure_memory_rate(held * lanes * array)
        found.append(
            {
                "solver": name,
                "arithmetic_ms": 1e3 * updates / limit / 1e9,
                "moved_mb": steps * moved * array / 1e6,
                "tile_mb": tile / 1e6,
                "giga_bytes": rate,
                "memory_ms": 1e3 * steps * moved * array / rate / 1e9,
            }
        )
    return found


def main() -> None:
    """Compare, and put the table into docs/measured/speed.md."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--step", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu where other work shares the cores"
    )
    parser.add_argument("--dry", action="store_true", help="print, but leave docs as they are")
    arguments = parser.parse_args()
    angles = np.arange(-60, 60.1, arguments.step)
    fine = draw(np.random.default_rng(0), grid(2 * arguments.width, LANES), {"": FAMILIES["head"]})
    truth = average_pairs(fine)
    rows = record_tilts(fine, arguments.width, Scheme(angles, 0.0, np.zeros(angles.size)))
    clock = CLOCKS[arguments.clock]
    results = compare_with_astra(truth, rows, angles, arguments.repeats, clock)
    quality = measure_accuracy(truth, rows, angles)
    for result in results:
        result |= quality.get(str(result["operation"]), {})
        print(result, flush=True)
    limit = measure_vector_limit()
    figures = {
        "width": arguments.width,
        "n_tilts": angles.size,
        "sweeps": SWEEPS,
        "relaxation_to_match": RELAXATION,
        "clock": arguments.clock,
        "astra": astra.__version__,
        "limit_giga_updates_a_core": limit,
        "bounds": compute_bounds(arguments.width, angles.size, limit),
        "rows": results,
    }
    if not arguments.dry:
        record("projectors", figures)


if __name__ == "__main__":
    main()
