"""Whether the quick check of a fill is right: on simulated kinds, and on measured series.

    python -m benchmarks.quality.check --data FOLDER

FOLDER holds ``xray_tooth_tomopy/tooth.h5`` and the other measured series, if they are at hand.
What is true of a simulated series is the PSNR of both volumes; of a measured one, their errors at
tilts further out, which neither the fill nor the check was given.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import MEASURED, begin_figures
from benchmarks.quality import tooth
from benchmarks.quality.kinds import KINDS, WIDTH, Recorded, observe, particles, tilt
from napari_wedgefill.io import read_tilt_series
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.pipeline.session import Session
from napari_wedgefill.prepare import align
from napari_wedgefill.samples import needle_path
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.training.frames import grid
from napari_wedgefill.trust import psnr
from napari_wedgefill.trust.agreement import compare_with_images
from napari_wedgefill.trust.quick_check import iter_quick_check
from napari_wedgefill.trust.verdicts import RIVAL, QuickCheck

GAN = "gan"
METHODS = ("sart", RIVAL, GAN)
#: A volume that is worse by less, in dB, is no wrong advice.
NO_MATTER_DB = 0.5
#: Slices of the fills whose cost is set beside that of their check.
COSTS = 2, 6, 16, 32, 64, 128
#: The needle: so many pixels are averaged, largest tilts that are used, slices of the middle.
BIN, LIMITS_DEG, N_SLICES = 2, (60.0, 50.0), 8
#: The tooth: what is left out of 180 degrees, in the middle.
MISSING_DEG, EVERY = 60.0, 2
#: Measured series of single images, as folder and pattern.
SHORT = {"SerialEM series": ("nist_serialem_mdoc", "*.mrc")}


@dataclass(frozen=True, eq=False)
class Case:
    """One series, and how much better GAN than TVM truly is, in dB, from their volumes."""

    name: str
    series: TiltSeries
    compare: Callable[[dict[str, NDArray[np.float32]]], dict[str, float]]
    unit: str


def iter_simulated(seeds: int, known: Collection[str]) -> Iterator[Case]:
    """Yield every simulated kind that is not known yet."""
    for name, make in KINDS.items():
        for seed in range(seeds):
            if f"{name}, {seed + 1}" in known:
                continue
            made = make(np.random.default_rng(seed))
            yield Case(f"{name}, {seed + 1}", made.series, _against_truth(made), "PSNR in dB")


def _against_truth(made: Recorded) -> Callable[..., dict[str, float]]:
    return lambda volumes: {m: psnr(volume, made.truth) for m, volume in volumes.items()}


def iter_measured(data: Path | None) -> Iterator[Case]:
    """Yield the measured series: the bundled needle, and what lies in a folder."""
    if data is not None:
        yield from _iter_in_folder(data)
    needle = align(read_tilt_series(needle_path()).binned(BIN)).series
    start = (needle.height - N_SLICES) // 2
    part = needle.rows(start, start + N_SLICES)
    for limit in LIMITS_DEG:
        used = np.abs(part.angles_deg) <= limit
        name = f"measured needle, ±{limit:g} degrees"
        yield Case(name, part.tilts(used), _at_other_tilts(part, ~used), "dB at other tilts")


def _iter_in_folder(data: Path) -> Iterator[Case]:
    rows, theta = tooth.read(data / "xray_tooth_tomopy" / "tooth.h5")
    angles = np.where(theta > 90.0, theta - 180.0, theta)
    images = np.where((theta > 90.0)[:, None, None], rows[:, ::-1], rows).transpose(0, 2, 1)
    whole = TiltSeries.from_arrays(images, angles)
    used = np.abs(whole.angles_deg) <= 90.0 - MISSING_DEG / 2
    kept = np.flatnonzero(used)[::EVERY]
    name = f"measured tooth, {MISSING_DEG:g} degrees missing"
    yield Case(name, whole.tilts(kept), _at_other_tilts(whole, ~used), "dB at other tilts")
    for name, (folder, pattern) in SHORT.items():
        files = sorted((data / folder).glob(pattern))
        yield Case(name, read_tilt_series(files).binned(BIN), lambda _: {}, "")


def _at_other_tilts(
    whole: TiltSeries, others: NDArray[np.bool_]
) -> Callable[..., dict[str, float]]:
    """Compare at tilts that no one was given: 20 log10 of the images over the error."""

    def compare(volumes: dict[str, NDArray[np.float32]]) -> dict[str, float]:
        found = {}
        for method, volume in volumes.items():
            seen = compare_with_images(whole, volume)
            found[method] = float(-20 * np.log10(seen.error(others, seen.scale(~others))))
        return found

    return compare


def measure(case: Case, model: str, session: Session) -> dict[str, Any]:
    """Fill and check one series."""
    options = FillOptions(methods=METHODS, model=model)
    found, true = check(case.series, options, session), {}
    if found.errors:
        filled = fill(case.series, options, session=session)
        found = replace(found, noise_share=filled.report["noise_share"][GAN])
        volumes = {m: volume.data for m, volume in filled.volumes.items()}
        true = {m: round(score, 2) for m, score in case.compare(volumes).items()}
    row: dict[str, Any] = {"kind": case.name, "unit": case.unit, **found.to_dict()}
    return row | ({"true": true} if true else {})


def check(series: TiltSeries, options: FillOptions, session: Session) -> QuickCheck:
    """Run the quick check to its end."""
    *_, found = iter_quick_check(series, options, session)
    assert isinstance(found, QuickCheck)
    return found


def measure_costs(model: str, session: Session) -> list[dict[str, float]]:
    """Seconds of all cores together for fills of more and more slices, and for their checks."""
    options, rows = FillOptions(methods=METHODS, model=model), []
    for n_slices in (COSTS[0], *COSTS):  # the first of all warms up
        fine = particles(np.random.default_rng(0), grid(2 * WIDTH, n_slices), 14, 0.5, (0.08, 0.2))
        series = observe(np.random.default_rng(0), fine, tilt(60, 2), 400).series
        session.calibrate(series)
        times = [time.process_time()]
        fill(series, options, session=session)
        times.append(time.process_time())
        check(series, options, session)
        times.append(time.process_time())
        seconds = np.diff(times)
        rows.append({"slices": n_slices, "fill": float(seconds[0]), "check": float(seconds[1])})
    return rows[1:]


def restore(row: dict[str, Any]) -> QuickCheck:
    """Return the check that a row was made from."""
    return QuickCheck(**{field.name: row[field.name] for field in fields(QuickCheck)})


def is_right(found: QuickCheck, true: dict[str, float]) -> bool:
    """Tell whether the check advises the better method, and does not claim what is not so.

    A series that has too few tilts to be checked must not be called checked.
    """
    if not true:
        return found.verdict == "unknown"
    ahead = true[GAN] - true[RIVAL]
    if found.verdict == "better":
        return ahead > 0
    if found.verdict == "worse":
        return ahead < 0
    advised = ahead if found.recommended == GAN else -ahead
    return advised > -NO_MATTER_DB or (found.recommended == GAN and ahead > 0)


def render(found: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    rows = found["rows"]
    checks = [restore(row) for row in rows]
    pairs = zip(checks, rows, strict=True)
    n_right = sum(is_right(check, row.get("true", {})) for check, row in pairs)
    lines = [
        "# The quick check: is it right?",
        "",
        f"Printed by `benchmarks/quality/check.py` with the model `{found['model']}` (refinement "
        f"{found['refinement_sha256'][:8]}): {n_right} of {len(rows)} right. Errors are those that "
        "the check finds at withheld tilts; where the specimen leaves the field of view, those of "
        "the fine detail. What is true is the PSNR of both volumes (simulated) or 20 log10 of the "
        "images over the error at tilts that neither fill nor check was given (measured). The "
        "check is right if the volume that it recommends is not more than "
        f"{NO_MATTER_DB:g} dB worse than the other, and if what it calls better or worse is so. "
        "Its limits were chosen on objects of the kinds needle, particles, EDS map, alloy, liquid "
        "and film, recorded with 128 px; those here have "
        f"{WIDTH} px. How much movement is allowed where noise is held back was set later, on "
        "other maps of few counts, after the map here had been seen.",
        "",
        "| kind | error of TVM | of GAN | true, TVM | GAN | what the check says | right |",
        "|---|---|---|---|---|---|---|",
    ]
    for row, check in zip(rows, checks, strict=True):
        errors = [f"{100 * e:.1f} %" for e in row["errors"].values()] or ["", ""]
        true = row.get("true") or {RIVAL: None, GAN: None}
        scores = ["" if true[m] is None else f"{true[m]:.1f}" for m in (RIVAL, GAN)]
        told = "yes" if is_right(check, row.get("true", {})) else "NO"
        cells = [row["kind"], *errors, *scores, check.sentence, told]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "## What it costs",
        "",
        "Processor seconds, of all cores together, of fills with SART, TVM and GAN "
        f"({WIDTH} px, 61 tilts), and of their checks. A fill of a few slices costs little less "
        "than one of 16, which the projector takes together, and so does a check.",
        "",
        "| slices | fill | check | check over fill |",
        "|---|---|---|---|",
    ]
    for cost in found["costs"]:
        share = 100 * cost["check"] / cost["fill"]
        seconds = f"{cost['fill']:.1f} s | {cost['check']:.1f} s"
        lines.append(f"| {cost['slices']} | {seconds} | {share:.0f} % |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write the page with its figures beside it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--seeds", type=int, default=1, help="objects of each kind")
    parser.add_argument("--anew", action="store_true", help="measure what is kept once more")
    parser.add_argument("--data", type=Path, help="folder of measured series")
    parser.add_argument("--out", type=Path, default=MEASURED / "check.md")
    given = parser.parse_args()
    model, session = load(given.model), Session()
    kept = given.out.with_suffix(".json")
    found = begin_figures(model)
    if kept.exists() and not given.anew:
        found = json.loads(kept.read_text("utf-8"))
    known = [row["kind"] for row in found["rows"]]
    for case in itertools.chain(iter_simulated(given.seeds, known), iter_measured(given.data)):
        if case.name in known:
            continue
        found["rows"].append(measure(case, given.model, session))
        print(found["rows"][-1], flush=True)
        kept.write_text(json.dumps(found, indent=1) + "\n")
    found["costs"] = measure_costs(given.model, session)
    kept.write_text(json.dumps(found, indent=1) + "\n")
    given.out.write_text(render(found), encoding="utf-8")


if __name__ == "__main__":
    main()
