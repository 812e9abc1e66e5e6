"""Check the trust map against the truth: is the error what the trust says?

    python -m benchmarks.quality.trust_calibration        # held-back families; writes docs
    python -m benchmarks.quality.trust_calibration --fit  # training families; prints the gain
    python -m benchmarks.quality.trust_calibration --smoothed 1  # the same for smooth images

Writes trust.json into docs/measured, docs/images/trust_calibration.svg and the table of
docs/trust.md; for smooth images, trust-smooth.json and a table of their own. The gain belongs to
the model: after training one, put what --fit prints into its model.toml, then check. Takes half an
hour on two cores.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.ndimage
import scipy.optimize
import scipy.stats

from benchmarks import DOCS, MEASURED
from benchmarks.quality import kinds
from benchmarks.quality.families import CHOSEN_ON as HELD_BACK
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.training.acquisition import Scheme, add_noise, record
from napari_wedgefill.training.frames import average_pairs, grid
from napari_wedgefill.training.phantoms import FAMILIES as TRAINED
from napari_wedgefill.training.phantoms import Family, draw
from napari_wedgefill.trust.metrics import wedge_mask
from napari_wedgefill.trust.trust_map import (
    OTHER_VIEWS,
    REACH,
    USUAL_SCALE,
    ErrorScale,
    Movement,
    read_error_scale,
)

SLICES = 4
#: Missing range and tilt step in degrees, electrons per pixel; the objects take turns. The last two
#: are noisier than the networks know, as element maps are.
CONDITIONS = (
    (60.0, 2.0, np.inf),
    (60.0, 2.0, 400.0),
    (60.0, 2.0, 100.0),
    (45.0, 2.0, 400.0),
    (60.0, 2.0, 10.0),
    (40.0, 7.0, 5.0),
)
#: Media that fill the field of view: how dense they are nobody can know, and no view tells.
FILL_FIELD = ("matrix", "suspension")
#: Share of the voxels, those that move least, that are not fitted; groups of the others; and an
#: error, over the density scale, that does not matter.
STILL, N_GROUPS, NO_MATTER = 0.3, 24, 3e-3
#: Edges of the expected errors that are put together.
EDGES = (0.0, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0)
FEWEST = 50
#: Between these the page holds what this script prints.
MARKS = ("<!-- benchmarks/quality/trust_calibration.py -->", "<!-- end -->")
SMOOTH_MARKS = (
    "<!-- benchmarks/quality/trust_calibration.py --smoothed -->",
    "<!-- end smooth -->",
)


@dataclass(frozen=True, eq=False)
class Case:
    """One object: what the map is made of, and the error, over the density scale, flat.

    Attributes
    ----------
    name : str
        Family and condition.
    weighted : ndarray
        The root of S (1 + 2 q) / D^2; times the gain, the expected error.
    error, around : ndarray
        Absolute error of each voxel; mean square error around it, weighted as the movement is.
    """

    name: str
    weighted: np.ndarray
    error: np.ndarray
    around: np.ndarray


def simulate(
    family: Family,
    seed: int,
    width: int,
    missing: float,
    step: float,
    electrons: float,
    smoothed_px: float,
) -> tuple[TiltSeries, np.ndarray]:
    """Return the series and the truth (z, y, x) of one object, both smoothed alike."""
    rng = np.random.default_rng(1000 + seed)
    limit = 90.0 - missing / 2
    angles = np.linspace(-limit, limit, round(2 * limit / step) + 1)
    fine = draw(rng, grid(2 * width, SLICES, y0=0.05), {"one": family})
    rows = record(fine, width, Scheme(angles, 0.0, np.zeros(angles.size)))
    readout = 0.01 if np.isfinite(electrons) else 0.0
    rows = add_noise(rng, rows, electrons, readout, 0.0)
    images, truth = rows.transpose(0, 2, 1), average_pairs(fine).transpose(0, 2, 1)
    if smoothed_px:
        images = scipy.ndimage.gaussian_filter(images, (0.0, smoothed_px, smoothed_px))
        truth = scipy.ndimage.gaussian_filter(truth, smoothed_px)
    return TiltSeries.from_arrays(images, angles), truth


def draw_atoms(rng: np.random.Generator, at: kinds.Coordinates) -> kinds.Floats:
    """Draw a particle of an ordered alloy, 4.5 px between atoms; training draws none."""
    return kinds.atoms(rng, at, 4.5, lambda places: np.linalg.norm(places, axis=1) < 0.5)


def fill_views(name: str, series: TiltSeries, truth: np.ndarray, options: FillOptions) -> Case:
    """Fill all views of a series and compare with the truth."""
    found = fill(series, options)
    scale = found.report["normalisation"]["scale"]
    filled = found.volumes["gan"].data
    movement = Movement(filled, wedge_mask(series.width, series.angles_deg))
    for view in OTHER_VIEWS:
        movement.add(view.undo(fill(view.apply(series), options).volumes["gan"].data))
    error = np.abs(filled - truth) / scale
    around = scipy.ndimage.gaussian_filter(np.square(error), (REACH, 0, REACH))
    parts = (movement.weigh() / scale, error, around)
    return Case(name, *(part.ravel().astype(np.float64) for part in parts))


def fill_all(families: dict[str, Family], args: argparse.Namespace) -> list[Case]:
    """Every object, with the conditions in turn."""
    options = FillOptions(methods=("gan",), model=args.model, device=args.device)
    found = []
    for i, (seed, name) in enumerate(itertools.product(range(args.objects), families)):
        missing, step, electrons = CONDITIONS[(i + seed) % len(CONDITIONS)]
        conditions = missing, step, electrons, args.smoothed
        series, truth = simulate(families[name], seed, args.width, *conditions)
        dose = f"{electrons:g} e/px" if np.isfinite(electrons) else "noise-free"
        found.append(fill_views(f"{name}, {missing:g} degrees, {dose}", series, truth, options))
        print(f"{found[-1].name}: rank correlation {correlate_ranks(found[-1]):.2f}", flush=True)
    return found


def correlate_ranks(seen: Case) -> float:
    """Spearman's correlation of 1 - trust with the absolute error of the voxels."""
    return float(scipy.stats.spearmanr(seen.weighted[::3], seen.error[::3])[0])


def fit(found: list[Case]) -> ErrorScale:
    """Fit gain and limit: in groups of voxels that move as much, the errors' root mean squares.

    Their ratio to what is expected counts, so that each group does as much as any other; errors far
    below `NO_MATTER` do not.
    """
    rng = np.random.default_rng(0)
    picks = [rng.integers(0, seen.error.size, 8000) for seen in found]
    weighted, around = (
        np.concatenate([getattr(s, part)[i] for s, i in zip(found, picks, strict=True)])
        for part in ("weighted", "around")
    )
    order = np.argsort(weighted)[int(STILL * weighted.size) :]
    groups = np.array_split(order, N_GROUPS)
    wanted = np.array([np.sqrt(np.mean(around[group])) for group in groups])

    def misfit(logarithms: np.ndarray) -> float:
        scale = ErrorScale(*np.exp(logarithms))
        expected = np.square(scale.expect(weighted))
        got = np.array([np.sqrt(np.mean(expected[group])) for group in groups])
        return float(np.sum(np.square(np.log((got + NO_MATTER) / (wanted + NO_MATTER)))))

    best = scipy.optimize.minimize(misfit, np.log([5.0, 0.5]), method="Nelder-Mead")
    return ErrorScale(*(float(value) for value in np.exp(best.x)))


def group_by_trust(found: list[Case], scale: ErrorScale) -> list[dict[str, float]]:
    """Group voxels by their trust: the error that was expected, and the error that is."""
    weighted, error, around = (
        np.concatenate([getattr(s, part) for s in found])
        for part in ("weighted", "error", "around")
    )
    expected = scale.expect(weighted)
    rows = []
    for low, high in itertools.pairwise(EDGES):
        at = (expected >= low) & (expected < high)
        if np.count_nonzero(at) < FEWEST:
            continue
        rows.append(
            {
                "trust_from": round(1 - high, 4),
                "trust_to": round(1 - low, 4),
                "share_of_voxels": round(float(at.mean()), 5),
                "expected_error": round(float(np.sqrt(np.mean(expected[at] ** 2))), 5),
                "rms_error": round(float(np.sqrt(around[at].mean())), 5),
                "mean_error": round(float(error[at].mean()), 5),
                "error_90_percent_below": round(float(np.quantile(error[at], 0.9)), 5),
            }
        )
    return rows


def tabulate(rows: list[dict[str, float]]) -> str:
    """Return the bins as Markdown."""
    lines = [
        "| trust | share of the voxels | expected error | RMS error around | mean error | "
        "90 % are below |",
        "|---|---|---|---|---|---|",
    ]
    figures = ("expected_error", "rms_error", "mean_error", "error_90_percent_below")
    for row in rows:
        cells = (
            f"{row['trust_from']:.3f} to {row['trust_to']:.3f}",
            f"{row['share_of_voxels']:.1%}",
            *(f"{row[figure]:.3f}" for figure in figures),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def render(whole: dict[str, Any]) -> str:
    """Return what stands between the marks of docs/trust.md: the table and rank correlations."""
    ranks = whole["rank_correlation"].values()
    return (
        f"{tabulate(whole['bins'])}\n\nErrors are relative to the density scale. The model is "
        f"`{whole['model']}`, with a gain of {whole['gain']:.2f} and a limit of "
        f"{whole['limit']:.2f}. The rank\ncorrelation of 1 - trust with the absolute error is "
        f"{whole['rank_correlation_of_all']:.2f} over all voxels, and "
        f"{min(ranks):.2f} to\n{max(ranks):.2f} in single objects."
    )


def write_into_page(text: str, marks: tuple[str, str]) -> None:
    """Put the figures between two marks of docs/trust.md."""
    page = DOCS / "trust.md"
    before, rest = page.read_text(encoding="utf-8").split(marks[0])
    after = rest.split(marks[1])[1]
    page.write_text(f"{before}{marks[0]}\n\n{text}\n\n{marks[1]}{after}", encoding="utf-8")


def draw_curve(rows: list[dict[str, float]]) -> str:
    """Return the calibration curve as SVG: expected and found error, both on log axes."""
    size, left, top, decades = 420, 70, 20, (-3, 0)

    def place(expected: float, found: float) -> tuple[float, float]:
        low, high = decades
        x, y = ((math.log10(max(v, 1e-9)) - low) / (high - low) for v in (expected, found))
        return left + x * size, top + (1 - y) * size

    parts = [
        f'<rect x="{left}" y="{top}" width="{size}" height="{size}" fill="white" stroke="#9ca3af"/>'
    ]
    for power in range(decades[0], decades[1] + 1):
        x, y = place(10.0**power, 10.0**power)
        parts += [
            f'<line x1="{x}" y1="{top}" x2="{x}" y2="{top + size}" stroke="#e5e7eb"/>',
            f'<line x1="{left}" y1="{y}" x2="{left + size}" y2="{y}" stroke="#e5e7eb"/>',
            f'<text x="{x}" y="{top + size + 20}" text-anchor="middle">{10.0**power:g}</text>',
            f'<text x="{left - 8}" y="{y + 5}" text-anchor="end">{10.0**power:g}</text>',
        ]
    (x1, y1), (x2, y2) = place(1e-3, 1e-3), place(1, 1)
    parts.append(
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#9ca3af" stroke-dasharray="6 5"/>'
    )
    for key, colour in (("rms_error", "#1d4ed8"), ("mean_error", "#b45309")):
        points = [place(row["expected_error"], row[key]) for row in rows]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points if y <= top + size)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for (x, y), row in zip(points, rows, strict=True):
            radius = 3 + 9 * math.sqrt(row["share_of_voxels"])
            if y <= top + size:
                parts.append(
                    f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{colour}"/>'
                )
    words = (
        (left + size / 2, top + size + 44, "middle", "#1f2937", "1 - trust: the error to expect"),
        (left + 12, top + 24, "start", "#1d4ed8", "RMS error around the voxel"),
        (left + 12, top + 46, "start", "#b45309", "mean absolute error of the voxels"),
        (left + 12, top + 68, "start", "#6b7280", "dashed: as expected; larger dots: more voxels"),
    )
    parts += [
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
        for x, y, anchor, colour, text in words
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + size + 20} '
        f'{top + size + 56}" style="font-family: system-ui, sans-serif; font-size: 14px">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fit", action="store_true", help="print gains from training families")
    parser.add_argument("--model", default="small")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--objects", type=int, default=4, help="of each family")
    parser.add_argument("--smoothed", type=float, default=0.0, help="images, by so many pixels")
    args = parser.parse_args()
    if args.fit:
        cases = fill_all(TRAINED, args)
        fitted = fit([case for case in cases if not case.name.startswith(FILL_FIELD)])
        print(f"for model.toml:\n[trust]\ngain = {fitted.gain:.2f}\nlimit = {fitted.limit:.2f}")
        return
    scale = read_error_scale(load(args.model).folder) or USUAL_SCALE
    found = fill_all(HELD_BACK | {"atoms": draw_atoms}, args)
    rows = group_by_trust(found, scale)
    whole: dict[str, Any] = {
        "model": args.model,
        "width": args.width,
        "smoothed_px": args.smoothed,
        "gain": scale.gain,
        "limit": scale.limit,
        "rank_correlation": {s.name: round(correlate_ranks(s), 3) for s in found},
        "rank_correlation_of_all": round(
            float(
                scipy.stats.spearmanr(
                    np.concatenate([s.weighted[::3] for s in found]),
                    np.concatenate([s.error[::3] for s in found]),
                )[0]
            ),
            3,
        ),
        "bins": rows,
    }
    write_into_page(render(whole), SMOOTH_MARKS if args.smoothed else MARKS)
    name = "trust-smooth.json" if args.smoothed else "trust.json"
    (MEASURED / name).write_text(json.dumps(whole, indent=1) + "\n")
    if not args.smoothed:
        (DOCS / "images" / "trust_calibration.svg").write_text(draw_curve(rows))
    print(render(whole))
    print(f"rank correlation over all voxels: {whole['rank_correlation_of_all']}")


if __name__ == "__main__":
    main()
