"""Alignment measured: recovered against true displacements, and withheld tilts of real series.

    python -m benchmarks.quality.alignment --etspy PYTHON [--tiltxcorr PYTHON] [--real FILE ...]
        [--object NAME ...] [--seed N ...] [--minutes 3] [--again]

Each peer runs with the interpreter that is given, in an environment of its own; of all that a peer
offers, the method that did best in a row stands for it. The page is printed from the JSON file
beside it, which also keeps what has been measured: a run that is cut short, or told to begin no
other series after some minutes, goes on at the next call; `--again` measures this package's own
alignment anew where it was measured by another version. Without a peer the page is only printed.
"""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.alignment_series import (
    OBJECTS,
    Truth,
    errors_of,
    simulate,
    without_bad_images,
)
from napari_wedgefill.io import read_tilt_series
from napari_wedgefill.prepare import align
from napari_wedgefill.prepare.coarse import MIN_TILTS_TO_ALIGN
from napari_wedgefill.prepare.pose import Pose
from napari_wedgefill.samples import needle_path
from napari_wedgefill.tilt_series import TiltSeries

PAGE = Path(__file__).parents[2] / "docs" / "measured" / "alignment.md"
SEEDS = (0, 1, 2)
NOISES: dict[str, float | None] = {"100 electrons": 100.0, "none": None}
OURS = "wedgefill"
Row = dict[str, Any]


def ours(series: TiltSeries, truth: Truth) -> Row:
    """Errors of this package's alignment."""
    begun = time.perf_counter()
    report = align(series).report
    offsets = np.zeros((series.n_tilts, 2))
    offsets[report.kept] = -report.shifts_px
    pose = Pose(offsets, report.axis_shift_px, report.axis_rotation_deg)
    lost = np.setdiff1d(truth.usable, report.kept)
    errors = errors_of(pose, truth, series.angles_deg)
    return {
        **vars(errors),
        "applied": report.applied,
        "usable images left out": len(lost),
        "seconds": time.perf_counter() - begun,
    }


def of_peer(peer: str, python: str, series: TiltSeries, truth: Truth) -> dict[str, Row]:
    """Errors of each method of a peer, or what it said where it failed."""
    script = Path(__file__).with_name("alignment_peers.py")
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, images=series.array(), angles_deg=series.angles_deg)
        ran = subprocess.run(
            [python, str(script), peer, str(given), str(answer)],
            capture_output=True,
            text=True,
            env=os.environ,
        )
        if ran.returncode:
            return {peer: {"failed": ran.stderr.strip().splitlines()[-1][:200]}}
        with np.load(answer) as found:
            answers = dict(found)
    rows: dict[str, Row] = {}
    for key, value in answers.items():
        if key.endswith(" failed"):
            rows[key.removesuffix(" failed")] = {"failed": str(value)[:200]}
        elif key.endswith(" matrix"):
            name = key.removesuffix(" matrix")
            axis_deg = float(np.rad2deg(np.arctan2(value[1, 0], value[0, 0])))
            pose = Pose(answers[f"{name} offsets"], 0.0, axis_deg)
            rows[name] = vars(errors_of(pose, truth, series.angles_deg))
    return rows


def describe_all(
    objects: Sequence[str] = tuple(OBJECTS), seeds: Sequence[int] = SEEDS
) -> list[Row]:
    """Describe every series to be measured, in the order in which they are."""
    return [
        {"object": name, "noise": noise, "bad images": with_bad, "seed": seed}
        for seed in seeds
        for with_bad in (True, False)
        for noise in NOISES
        for name in objects
    ]


def measure(peers: dict[str, str], data: Path, asked: list[Row], minutes: float) -> None:
    """Run the series that are asked for and not yet in the file, until the time is up.

    Each series is kept as soon as it is done. One that was measured before, but beside fewer peers,
    is measured only by the peers it lacks.
    """
    begun = time.monotonic()
    known = json.loads(data.read_text()) if data.is_file() else {}
    rows: list[Row] = known.get("rows", [])
    for what in asked:
        row = next((row for row in rows if row["series"] == what), None)
        lacking = [peer for peer in peers if row is None or peer not in row]
        if row is not None and not lacking:
            continue
        if time.monotonic() - begun > 60.0 * minutes:
            print(f"{minutes:g} minutes are over; the next call goes on from here.")
            return
        series, truth = make_series(what)
        if row is None:
            row = {"series": what, OURS: {OURS: ours(series, truth)}, "version": find_version()}
            rows.append(row)
        row.update({peer: of_peer(peer, peers[peer], series, truth) for peer in lacking})
        keep(data, "rows", rows)
        print(json.dumps(what), json.dumps(row[OURS]), flush=True)


def measure_again(data: Path, asked: list[Row], minutes: float) -> None:
    """Align anew, with this version of this package, what was measured with another."""
    begun = time.monotonic()
    rows: list[Row] = json.loads(data.read_text())["rows"]
    for row in rows:
        what = row["series"]
        if what not in asked or row.get("version") == find_version():
            continue
        if time.monotonic() - begun > 60.0 * minutes:
            print(f"{minutes:g} minutes are over; the next call goes on from here.")
            return
        series, truth = make_series(what)
        row |= {OURS: {OURS: ours(series, truth)}, "version": find_version()}
        keep(data, "rows", rows)
        print(json.dumps(what), json.dumps(row[OURS]), flush=True)


def make_series(what: Row) -> tuple[TiltSeries, Truth]:
    """Make the series that a row describes."""
    series, truth = simulate(what["object"], what["seed"], NOISES[what["noise"]])
    return (series, truth) if what["bad images"] else without_bad_images(series, truth)


def find_version() -> str:
    """Fingerprint of the code that aligns."""
    folder = Path(inspect.getfile(align)).parent
    code = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    return hashlib.sha256(code).hexdigest()[:12]


def keep(data: Path, key: str, value: Any) -> None:
    """Put one part into the JSON file."""
    data.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(data.read_text()) if data.is_file() else {}
    data.write_text(json.dumps({**known, key: value}, indent=1) + "\n")


def measure_real(paths: list[Path]) -> list[Row]:
    """Disagreement at withheld tilts before and after, for series whose truth nobody knows."""
    rows = []
    for path in paths:
        series = read_tilt_series(path)
        series = series.binned(max(1, round(max(series.height, series.width) / 256)))
        report = align(series).report
        # Nothing can be withheld of fewer tilts, so that their figure says nothing.
        before = report.residual_before if series.n_tilts >= MIN_TILTS_TO_ALIGN else None
        rows.append(
            {
                "series": path.name,
                "tilts": series.n_tilts,
                "before": before,
                "after": report.residual_after if report.applied else before,
                "axis_deg": report.axis_rotation_deg,
                "seconds": report.seconds,
                "sentence": report.sentence,
            }
        )
        print(rows[-1], flush=True)
    return rows


def best_of(rows: list[Row], peer: str, measure_name: str) -> tuple[float, str]:
    """Median error of a peer's best method over some series (infinite where it failed)."""
    names = sorted({name for row in rows for name in row.get(peer, {})})
    medians = [
        (
            float(np.median([row[peer].get(name, {}).get(measure_name, np.inf) for row in rows])),
            name,
        )
        for name in names
    ]
    return min(medians, default=(np.inf, ""))


def render(data: dict[str, Any]) -> str:
    """Return the page as Markdown."""
    blocks = [
        "# Alignment, measured",
        "Printed by `python -m benchmarks.quality.alignment`; the figures are in the JSON file "
        "beside this page.",
        "Simulated series: 41 tilts to ±70 degrees, 128 x 128 pixels; drift and jitter to 30 px in "
        "both directions, a tilt axis that leans by up to 12 degrees and lies up to 6 px off "
        "centre; the film is also mounted up to 5 degrees off. Five of the images are blank or "
        "have hot pixels, or were left out for everybody. Medians over the seeds; of a peer, the "
        "best of all its methods, chosen with the truth for each cell; *seeds* says which were "
        "run, and - is what was not. *shift*: rms error of the displacements, px; *axis*: its "
        "position, px; *turn*: its rotation, degrees. "
        "torch-tiltxcorr takes the rotation as given; it was told that the axis is upright.",
    ]
    rows = data.get("rows", [])
    peers = sorted(
        {key for row in rows for key in row} - {"series", "version"}, key=lambda p: (p != OURS, p)
    )
    keys = ("shift_px", "axis_px", "axis_deg")
    head = [f"{p} {k}" for p in peers for k in ("shift", "axis", "turn")]
    table = ["| object | noise | five bad images | seeds | " + " | ".join(head) + " |"]
    table.append("|---|---|---|---|" + "---:|" * len(head))
    missing = []
    ahead = 0
    cells = 0
    for name in OBJECTS:
        for noise in NOISES:
            for with_bad in (True, False):
                some = [
                    row
                    for row in rows
                    if (row["series"]["object"], row["series"]["noise"]) == (name, noise)
                    and row["series"]["bad images"] == with_bad
                ]
                if not some:
                    missing.append(
                        f"{name}, noise {noise}, {'with' if with_bad else 'without'} bad images"
                    )
                    continue
                values = [best_of(some, peer, key)[0] for peer in peers for key in keys]
                for k in range(3):
                    others = [values[3 * p + k] for p in range(1, len(peers))]
                    cells += 1
                    ahead += not others or values[k] <= min(others) / 2
                ran = [any(peer in row for row in some) for peer in peers for _ in keys]
                told = " | ".join(
                    f"{v:.2f}" if np.isfinite(v) else "failed" if was_run else "-"
                    for v, was_run in zip(values, ran, strict=True)
                )
                bad, seeds = "yes" if with_bad else "no", sorted(r["series"]["seed"] for r in some)
                told = f"{', '.join(map(str, seeds))} | {told}"
                table.append(f"| {name} | {noise} | {bad} | {told} |")
    blocks += ["\n".join(table)]
    blocks.append(
        f"In {ahead} of {cells} cells the error is at most half of the best peer's. "
        f"{len(rows)} of {len(describe_all())} series were measured."
    )
    if missing:
        blocks.append(f"Not measured: {'; '.join(missing)}.")
    if data.get("real"):
        real = ["| series | tilts | disagreement before | after |", "|---|---:|---:|---:|"]
        for row in data["real"]:
            shares = [row["before"], row["after"]]
            told = " | ".join("-" if v is None else f"{100 * v:.1f} %" for v in shares)
            real.append(f"| {row['series']} | {row['tilts']} | {told} |")
        blocks += [
            "## Measured series",
            "What the other tilts fail to predict of each image, and what the alignment said.",
        ]
        blocks += ["\n".join(real)]
        blocks += [f"{row['series']}: {row['sentence']}" for row in data["real"]]
    return "\n\n".join(blocks) + "\n"


def main() -> None:
    """Measure what is asked for, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--etspy", help="Python interpreter of an environment with ETSpy 1.3")
    parser.add_argument("--tiltxcorr", help="Python interpreter that has torch-tiltxcorr")
    parser.add_argument("--real", type=Path, nargs="*", help="measured series, the needle besides")
    parser.add_argument("--object", nargs="+", choices=OBJECTS, default=list(OBJECTS))
    parser.add_argument("--seed", nargs="+", type=int, choices=SEEDS, default=list(SEEDS))
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="begin no other series after these"
    )
    parser.add_argument(
        "--again", action="store_true", help="align anew what another version of the code aligned"
    )
    parser.add_argument("--page", type=Path, default=PAGE)
    args = parser.parse_args()
    data = args.page.with_suffix(".json")
    peers = {name: getattr(args, name) for name in ("etspy", "tiltxcorr") if getattr(args, name)}
    asked = describe_all(args.object, args.seed)
    if args.again:
        measure_again(data, asked, args.minutes)
    if peers:
        measure(peers, data, asked, args.minutes)
    if args.real is not None:
        keep(data, "real", measure_real([needle_path(), *args.real]))
    args.page.write_text(render(json.loads(data.read_text())))


if __name__ == "__main__":
    main()
