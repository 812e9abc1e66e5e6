"""Speed and accuracy of the CPU projectors and solvers beside ASTRA's, in one run.

    python benchmarks/projectors.py --out docs/speed.md

Both run on the same cores with the same geometry. ASTRA's CPU code takes slices one by one, so it
is timed on a few and quoted a slice; ours is timed on a whole strip. Ratios count, seconds do not.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import astra
import numpy as np
from held_back import FAMILIES

from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.projector.numba_kernels import LANES
from napari_wedgefill.projector.threads import available_cores
from napari_wedgefill.reconstruct import iter_sart, iter_sirt, last, wbp
from napari_wedgefill.training.acquisition import Scheme, record
from napari_wedgefill.training.phantoms import average_pairs, draw, grid
from napari_wedgefill.trust import psnr

SWEEPS = {"SIRT": 20, "SART": 3}


class Astra:
    """ASTRA's CPU algorithms on one slice."""

    def __init__(self, angles_deg: np.ndarray, width: int) -> None:
        volume = astra.create_vol_geom(width, width)
        # Row 0 of an ASTRA image is at the top of its y axis: turning the angles' sign makes its
        # rows our z.
        self.geometry = astra.create_proj_geom("parallel", 1.0, width, -np.deg2rad(angles_deg))
        self.projector = astra.create_projector("linear", self.geometry, volume)
        self.rows = astra.data2d.create("-sino", self.geometry)
        self.image = astra.data2d.create("-vol", volume)

    def project(self, image: np.ndarray) -> np.ndarray:
        """Project one slice (z, x)."""
        astra.data2d.store(self.image, image)
        return self._run("FP", 1, VolumeDataId=self.image)

    def back_project(self, rows: np.ndarray) -> np.ndarray:
        """Back project one sinogram (n_tilts, width)."""
        return self._reconstruct("BP", rows, 1)

    def fbp(self, rows: np.ndarray) -> np.ndarray:
        """Weighted back projection of one sinogram."""
        return self._reconstruct("FBP", rows, 1)

    def sirt(self, rows: np.ndarray) -> np.ndarray:
        """SIRT with ASTRA's constraint of positivity."""
        return self._reconstruct("SIRT", rows, SWEEPS["SIRT"], option={"MinConstraint": 0})

    def sart(self, rows: np.ndarray) -> np.ndarray:
        """SART: ASTRA counts single tilts as iterations."""
        return self._reconstruct(
            "SART", rows, SWEEPS["SART"] * len(rows), option={"MinConstraint": 0}
        )

    def _reconstruct(self, name: str, rows: np.ndarray, n: int, **more: object) -> np.ndarray:
        astra.data2d.store(self.rows, rows)
        astra.data2d.store(self.image, 0)
        self._run(name, n, ReconstructionDataId=self.image, **more)
        return astra.data2d.get(self.image)

    def _run(self, name: str, n: int, **more: object) -> np.ndarray:
        config = astra.astra_dict(name)
        config |= {"ProjectorId": self.projector, "ProjectionDataId": self.rows, **more}
        algorithm = astra.algorithm.create(config)
        astra.algorithm.run(algorithm, n)
        astra.algorithm.delete(algorithm)
        return astra.data2d.get(self.rows)


def seconds(function: Callable[[], object], repeats: int) -> float:
    """Return the shortest of several runs, after one to warm up."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def compare(width: int, step: float, repeats: int) -> list[dict[str, float | str]]:
    """Time and check each operation, ours a strip and ASTRA's a few slices."""
    angles = np.arange(-60, 60.1, step)
    fine = draw(np.random.default_rng(0), grid(2 * width, LANES), {"head": FAMILIES["head"]})
    truth = average_pairs(fine)
    rows = record(fine, width, Scheme(angles, 0.0, np.zeros(angles.size)))
    beam, peer = ParallelBeam(angles, width), Astra(angles, width)
    middle = LANES // 2
    slice_, own_rows = (
        np.ascontiguousarray(truth[:, :, middle]),
        np.ascontiguousarray(rows[:, :, middle]),
    )
    cases: list[tuple[str, Callable[[], np.ndarray], Callable[[], np.ndarray], int]] = [
        ("forward projection", lambda: beam(truth), lambda: peer.project(slice_), 1),
        ("back projection", lambda: beam.T(rows), lambda: peer.back_project(own_rows), 1),
        ("WBP", lambda: wbp(beam, rows), lambda: peer.fbp(own_rows), 1),
        (
            "SIRT",
            lambda: last(iter_sirt(beam, rows, SWEEPS["SIRT"])),
            lambda: peer.sirt(own_rows),
            2 * SWEEPS["SIRT"],
        ),
        (
            "SART",
            lambda: last(iter_sart(beam, rows, SWEEPS["SART"])),
            lambda: peer.sart(own_rows),
            2 * SWEEPS["SART"],
        ),
    ]
    results: list[dict[str, float | str]] = []
    for name, ours, theirs, passes in cases:
        a, b = seconds(ours, repeats) / LANES, seconds(theirs, repeats)
        updates = width * width * angles.size * passes
        result: dict[str, float | str] = {
            "operation": name,
            "ours_ms": 1e3 * a,
            "astra_ms": 1e3 * b,
            "ratio": b / a,
            "giga_updates": updates / a / 1e9,
        }
        if name in ("WBP", "SIRT", "SART"):
            result["ours_db"] = psnr(ours()[:, :, [middle]], truth[:, :, [middle]])
            result["astra_db"] = psnr(theirs()[:, :, None], truth[:, :, [middle]])
        results.append(result)
        print(result, flush=True)
    return results


def table(results: list[dict[str, float | str]], arguments: argparse.Namespace) -> str:
    """Return the figures as Markdown."""
    n_tilts = len(np.arange(-60, 60.1, arguments.step))
    lines = [
        "# Speed beside ASTRA",
        "",
        f"Printed by `benchmarks/projectors.py` on {available_cores()} cores: slices of "
        f"{arguments.width} x {arguments.width} from {n_tilts} tilts over +-60 degrees, ASTRA "
        f"{astra.__version__} (CPU, linear projector) in the same run. Milliseconds a slice; "
        f"SIRT with {SWEEPS['SIRT']} and SART with {SWEEPS['SART']} passes. PSNR is against the "
        "simulated object.",
        "",
        "| operation | ours (ms) | ASTRA (ms) | ratio | ours (giga-updates/s) | ours (dB) "
        "| ASTRA (dB) |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in results:
        quality = [f"{r[k]:.2f}" if k in r else "" for k in ("ours_db", "astra_db")]
        lines.append(
            f"| {r['operation']} | {r['ours_ms']:.3f} | {r['astra_ms']:.2f} | {r['ratio']:.1f} | "
            f"{r['giga_updates']:.2f} | {quality[0]} | {quality[1]} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Compare, and write the table as Markdown with the raw figures beside it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--step", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("docs/speed.md"))
    arguments = parser.parse_args()
    results = compare(arguments.width, arguments.step, arguments.repeats)
    arguments.out.write_text(table(results, arguments))
    arguments.out.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
    print(arguments.out.read_text())


if __name__ == "__main__":
    main()
