"""What each method makes of atoms: how many are found, how many are false, how far they moved.

    python -m benchmarks.quality.atoms

A particle of an ordered fcc alloy is recorded and filled. In every volume, atoms are traced in the
same way, and compared with those that were drawn. Written to docs/measured/atoms.md, with the
figures beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from benchmarks import MEASURED, begin_figures, write_page
from benchmarks.quality import kinds
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.methods import label_of
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.pipeline.session import Session
from napari_wedgefill.training.frames import grid
from napari_wedgefill.trust import psnr

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

METHODS = ("wbp", "sart", "tvm", "gan")
#: Slices, radius of the particle, distance of neighbours and size of an atom, in pixels.
SLICES, RADIUS_PX, SPACING_PX, SIGMA_PX = 48, 20.0, 4.5, 1.15
LIMIT_DEG, STEP_DEG = 65.0, 2.0
#: Electrons per pixel of the specimen, on average.
ELECTRONS = (np.inf, 400.0, 100.0, 25.0, 8.0)
#: A maximum is an atom if it is at least so high, over the highest but one in twenty: the lighter
#: species has 0.55 of the heavier one.
LEAST_HEIGHT = 0.35


def draw(rng: np.random.Generator) -> tuple[Floats, Doubles]:
    """Draw the particle twice as finely, and return where its atoms are, in voxels (z, y, x)."""
    at = grid(2 * kinds.WIDTH, SLICES)
    places: list[Doubles] = []
    pixel = 2.0 / kinds.WIDTH

    def inside(found: Doubles) -> NDArray[np.bool_]:
        return np.linalg.norm(found, axis=1) < RADIUS_PX * pixel

    fine = kinds.atoms(rng, at, SPACING_PX, inside, drawn=places)
    z, x, y = (np.concatenate(places) / pixel).T
    middle = (kinds.WIDTH - 1) / 2
    return fine, np.stack([z + middle, y + (SLICES - 1) / 2, x + middle], axis=1)


def trace(volume: Floats) -> Doubles:
    """Trace atoms in a volume (z, y, x): places (n, 3) of maxima, in voxels."""
    smooth = scipy.ndimage.gaussian_filter(volume, SIGMA_PX / 2)
    peaks = (smooth == scipy.ndimage.maximum_filter(smooth, 3)) & (smooth > 0)
    heights = smooth[peaks]
    at = np.argwhere(peaks)[heights > LEAST_HEIGHT * np.percentile(heights, 95.0)]
    at = at[((at > 0) & (at < np.array(volume.shape) - 1)).all(axis=1)]
    return np.array([_refine(smooth, place) for place in at])


def _refine(smooth: Floats, place: NDArray[np.intp]) -> Doubles:
    """Place a maximum between voxels, by parabolas through its neighbours."""
    found = place.astype(np.float64)
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        low, here, high = (float(smooth[tuple(place + k * step)]) for k in (-1, 0, 1))
        bend = low - 2.0 * here + high
        if bend < 0:
            found[axis] += np.clip(0.5 * (low - high) / bend, -0.5, 0.5)
    return found


def compare(true: Doubles, traced: Doubles) -> dict[str, float]:
    """Compare traced atoms with true ones, each with the one nearest to it and no other.

    Returns
    -------
    dict
        "found": share of the true atoms within half the distance of neighbours; "false": traced
        atoms that are none of them, over the number of true ones; "rms_px": displacement of those
        that were found.
    """
    if len(traced) == 0:
        return {"found": 0.0, "false": 0.0, "rms_px": float("nan")}
    apart, nearest = cKDTree(traced).query(true)
    _, back = cKDTree(true).query(traced)
    is_found = (apart < SPACING_PX / 2) & (back[nearest] == np.arange(len(true)))
    n_found = int(is_found.sum())
    return {
        "found": n_found / len(true),
        "false": (len(traced) - n_found) / len(true),
        "rms_px": float(np.sqrt(np.mean(apart[is_found] ** 2))) if n_found else float("nan"),
    }


def measure(electrons: float, model: str, session: Session) -> list[dict[str, Any]]:
    """Fill the particle at one dose, and compare the atoms of every volume."""
    fine, places = draw(np.random.default_rng(0))
    angles = kinds.tilt(LIMIT_DEG, STEP_DEG)
    made = kinds.observe(np.random.default_rng(1), fine, angles, electrons)
    volumes = fill(made.series, FillOptions(methods=METHODS, model=model), session=session).volumes
    truth = {"truth": made.truth} | {name: volumes[name].data for name in METHODS}
    return [
        {
            "electrons": None if np.isinf(electrons) else electrons,
            "method": name,
            "atoms": len(places),
            "psnr": None if name == "truth" else round(psnr(volume, made.truth), 2),
            **{key: round(value, 4) for key, value in compare(places, trace(volume)).items()},
        }
        for name, volume in truth.items()
    ]


def render(found: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    rows = found["rows"]
    lines = [
        "# Atoms",
        "",
        f"Printed by `benchmarks/quality/atoms.py` with the model `{found['model']}` (refinement "
        f"{found['refinement_sha256'][:8]}). A particle of an ordered fcc alloy, "
        f"{rows[0]['atoms']} atoms of two species (1 and 0.55) {SPACING_PX:g} px apart, Gaussians "
        f"of {SIGMA_PX:g} px, 5 % jitter, one in fifty missing; {kinds.WIDTH} px, {SLICES} slices, "
        f"±{LIMIT_DEG:g} degrees in steps of {STEP_DEG:g}. Atoms are traced in every volume in the "
        f"same way: maxima of the volume smoothed by {SIGMA_PX / 2:g} px that are higher than "
        f"{LEAST_HEIGHT:g} of the 95th percentile of their heights. An atom is found if a traced "
        "one lies within half the distance of neighbours and each is nearest to the other. All "
        "others are false.",
        "",
        "| electrons per pixel | volume | found | false, over all true | rms displacement | PSNR |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        dose = "no noise" if row["electrons"] is None else f"{row['electrons']:g}"
        name = "the truth itself" if row["method"] == "truth" else label_of(row["method"])
        score = "" if row["psnr"] is None else f"{row['psnr']:.1f} dB"
        shares = f"{100 * row['found']:.1f} % | {100 * row['false']:.1f} %"
        lines.append(f"| {dose} | {name} | {shares} | {row['rms_px']:.2f} px | {score} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the page with its figures beside it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--out", type=Path, default=MEASURED / "atoms.md")
    given = parser.parse_args()
    model, session = load(given.model), Session()
    found = begin_figures(model)
    for electrons in ELECTRONS:
        found["rows"] += measure(electrons, given.model, session)
        print(render(found), flush=True)
    write_page(given.out, render(found), found)


if __name__ == "__main__":
    main()
