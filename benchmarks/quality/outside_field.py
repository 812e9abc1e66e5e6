"""How each method does where the specimen is wider than the field of view.

    python -m benchmarks.quality.outside_field

Films and media that are wider than the field are recorded and filled as a user's series is. They
belong to families that training draws, but none of these objects was trained on.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import MEASURED, write_page
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.training.acquisition import Scheme, add_noise, record
from napari_wedgefill.training.frames import average_pairs, grid
from napari_wedgefill.training.phantoms import EXTENDED, FAMILIES
from napari_wedgefill.trust import psnr

Floats = NDArray[np.float32]
WIDTH, SLICES, LIMIT_DEG, STEP_DEG = 128, 8, 60.0, 2.0
METHODS = {"wbp": "WBP", "sart": "SART", "tvm": "TVM", "gan": "GAN"}
#: How far the specimen is drawn, in fields of view, and the dose. Of the wider ones, rays at the
#: highest tilt meet nothing but specimen; the others end where those rays still pass.
CASES = ((2.5, np.inf), (2.5, 400.0), (2.5, 100.0), (1.5, 400.0))
FIRST_SEED = 70000


def record_object(
    family: str, seed: int, extent: float, electrons: float
) -> tuple[TiltSeries, Floats]:
    """Series of an object that is wider than the field, and what of it is inside (z, y, x)."""
    rng = np.random.default_rng(seed)
    n_fine = round(extent * 2 * WIDTH)
    fine = FAMILIES[family](rng, grid(n_fine, SLICES, extent=extent))
    fine = np.broadcast_to(fine, (n_fine, n_fine, SLICES)).astype(np.float32)
    angles = np.arange(-LIMIT_DEG, LIMIT_DEG + 0.1, STEP_DEG)
    rows = record(fine, WIDTH, Scheme(angles, 0.0, np.zeros(angles.size)))
    rows = add_noise(rng, rows, electrons, 0.01 if np.isfinite(electrons) else 0.0, 0.0)
    margin = (n_fine - 2 * WIDTH) // 2
    field = slice(margin, margin + 2 * WIDTH)
    series = TiltSeries.from_arrays(rows.transpose(0, 2, 1), angles)
    return series, average_pairs(fine[field, field]).transpose(0, 2, 1)


def measure(model: str, n_objects: int) -> dict[str, dict[str, float]]:
    """Mean PSNR in dB of every method, by family and dose."""
    options = FillOptions(methods=tuple(METHODS), model=model)
    found: dict[str, dict[str, float]] = {}
    for family in EXTENDED:
        for extent, electrons in CASES:
            dose = f"{electrons:g}" if np.isfinite(electrons) else "noise-free"
            case = f"{family}, {extent:g}, {dose}"
            scores: dict[str, list[float]] = {name: [] for name in METHODS.values()}
            for k in range(n_objects):
                series, truth = record_object(family, FIRST_SEED + k, extent, electrons)
                volumes = fill(series, options).volumes
                for method, name in METHODS.items():
                    scores[name].append(psnr(volumes[method].data, truth))
            found[case] = {name: float(np.mean(s)) for name, s in scores.items()}
            print(case, found[case], flush=True)
    return found


def render(found: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    names = list(METHODS.values())
    lines = [
        "# Specimens wider than the field of view",
        "",
        f"Printed by `benchmarks/quality/outside_field.py` with the model `{found['model']}` "
        f"(refinement {found['refinement_sha256'][:8]}): {WIDTH} px, ±{LIMIT_DEG:g} degrees in "
        f"steps of {STEP_DEG:g}, {SLICES} slices, mean over {found['objects']} objects. The films "
        "and media are 1.5 or 2.5 times as wide as the field of view. They belong to families that "
        "training uses, but none of these objects was trained on. PSNR in dB of the part inside "
        "the field, after one least-squares scale and offset.",
        "",
        "| specimen, width in fields, dose (e/px) | " + " | ".join(names) + " |",
        "|---|" + "---|" * len(names),
    ]
    lines += [
        f"| {case} | " + " | ".join(f"{scores[name]:.2f}" for name in names) + " |"
        for case, scores in found["psnr_db"].items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the page with its figures beside it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--objects", type=int, default=6, help="of each family")
    parser.add_argument("--out", type=Path, default=MEASURED / "outside-field.md")
    given = parser.parse_args()
    model = load(given.model)
    found = {
        "model": model.name,
        "refinement_sha256": model.sha256["refinement"],
        "objects": given.objects,
        "psnr_db": measure(given.model, given.objects),
    }
    write_page(given.out, render(found), found)


if __name__ == "__main__":
    main()
