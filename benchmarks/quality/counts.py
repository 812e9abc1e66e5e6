"""Element maps of a few counts per pixel: what each method makes of them.

    python -m benchmarks.quality.counts

Particles and a needle are counted as an X-ray detector does it, and filled. GAN is computed twice:
as it is, and with all noise passed on to the networks (`joint_model.trained_noise`). The limits
there were chosen on objects of the training families, not on these. Written to
docs/measured/counts.md, with the figures beside it.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks import MEASURED, begin_figures, write_page
from benchmarks.quality import kinds
from napari_wedgefill.joint_model import trained_noise
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.pipeline.session import Session
from napari_wedgefill.training.frames import grid
from napari_wedgefill.trust import psnr

METHODS = ("sart", "tvm", "gan")
COUNTS = (1.0, 3.0, 10.0, 30.0)
N_TILTS = (12, 15, 29, 61)
LIMIT_DEG = 70.0


def draw(kind: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw an object twice as finely."""
    at = grid(2 * kinds.WIDTH, kinds.SLICES)
    if kind == "needle":
        return kinds.needle(rng, at)
    return kinds.particles(rng, at, 6, 0.45, (0.15, 0.3))


def measure(
    kind: str, counts: float, n_tilts: int, seed: int, model: str, session: Session
) -> dict[str, Any]:
    """Fill one map, and compare every volume with the truth."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(-LIMIT_DEG, LIMIT_DEG, n_tilts)
    made = kinds.count(rng, draw(kind, rng), angles, counts)
    options = FillOptions(methods=METHODS, model=model)
    filled = fill(made.series, options, session=session)
    row: dict[str, Any] = {"kind": kind, "counts": counts, "n_tilts": n_tilts}
    row["share"] = filled.report["noise_share"]["gan"]
    for name, volume in filled.volumes.items():
        row[name] = round(psnr(volume.data, made.truth), 2)
    with mock.patch.object(trained_noise, "LEAST_RATIO", 0.0):
        unheld = fill(made.series, options, session=session).volumes["gan"]
    row["unheld"] = round(psnr(unheld.data, made.truth), 2)
    return row


def render(found: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    rows = found["rows"]
    ahead = np.array([row["gan"] - row["tvm"] for row in rows])
    before = np.array([row["unheld"] - row["tvm"] for row in rows])
    lines = [
        "# Element maps of a few counts",
        "",
        f"Printed by `benchmarks/quality/counts.py` with the model `{found['model']}` (refinement "
        f"{found['refinement_sha256'][:8]}). Particles and a needle, {kinds.WIDTH} px, tilts "
        f"evenly over ±{LIMIT_DEG:g} degrees, Poisson counts with a mean of so many in a pixel "
        "of the object, and a background of 0.05. PSNR against the truth in dB. TVM finds its own "
        "weight, as in a fill. *Shown* is the share of what TVM leaves unexplained that the "
        "networks see ([how it works](../how-it-works.md#noise-that-the-networks-do-not-know)); "
        "the last column is GAN if they see all of it.",
        "",
        f"GAN is {ahead.mean():.1f} dB ahead of TVM in the mean, and in the worst case "
        f"{ahead.min():+.1f} dB; if the networks saw all noise it would be {before.mean():+.1f} "
        f"and {before.min():+.1f} dB.",
        "",
        "| object | counts | tilts | SART | TVM | GAN | shown | GAN, all noise shown |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['kind']} | {row['counts']:g} | {row['n_tilts']} | {row['sart']:.1f} | "
            f"{row['tvm']:.1f} | {row['gan']:.1f} | {100 * row['share']:.0f} % | "
            f"{row['unheld']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the page with its figures beside it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--out", type=Path, default=MEASURED / "counts.md")
    given = parser.parse_args()
    model, session = load(given.model), Session()
    found = begin_figures(model)
    cases = itertools.product(("particles", "needle"), COUNTS, N_TILTS)
    for seed, (kind, counts, n_tilts) in enumerate(cases):
        found["rows"].append(measure(kind, counts, n_tilts, seed, given.model, session))
        print(found["rows"][-1], flush=True)
    write_page(given.out, render(found), found)


if __name__ == "__main__":
    main()
