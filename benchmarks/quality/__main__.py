"""Measure the quality of every method, piece by piece, and write docs/measured/quality.md.

    python -m benchmarks.quality                      the default conditions: 20-30 min, two cores
    python -m benchmarks.quality --full --minutes 60  the whole matrix, an hour of it at a time

Results are kept in a folder that git ignores, by what they depend on: the code, the condition and
the model. The next call continues where the last one stopped, and the page shows every condition
that was ever measured with this code and this model. With `--earlier CHECKOUT`, results of that
commit fill in for conditions that were not measured again, marked as such.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path

from benchmarks import MEASURED
from benchmarks.quality import conditions, picture
from benchmarks.quality.cache import Cache
from benchmarks.quality.conditions import Condition
from benchmarks.quality.real import evaluate_needle, evaluate_tooth
from benchmarks.quality.report import render, summarise, write_json
from benchmarks.quality.simulated import evaluate, read_kept
from benchmarks.quality.tooth import ToothError
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.joint_model.model import JointModel
from napari_wedgefill.joint_model.registry import load


def main() -> None:
    """Measure what is not kept yet, then write the page, its numbers and its picture."""
    arguments = _parse_arguments()
    deadline = time.monotonic() + 60 * arguments.minutes
    try:
        model = JointModel(load(arguments.model), arguments.device)
        model.open()
        cache = Cache(arguments.cache, model.model)
        wanted = _choose_conditions(arguments)
        for n, condition in enumerate(wanted if not arguments.report else []):
            if time.monotonic() > deadline:
                print(f"Time is up after {n} of {len(wanted)} conditions; run it again to go on.")
                arguments.report = True
                break
            print(f"{n + 1}/{len(wanted)} {condition.name}", flush=True)
            evaluate(cache, condition, model)
        _write(arguments, cache, wanted, model)
    except (WedgefillError, ToothError) as error:
        raise SystemExit(str(error)) from None


def _write(
    arguments: argparse.Namespace, cache: Cache, wanted: list[Condition], model: JointModel
) -> None:
    """Add the measured data, and write everything."""
    missing = conditions.MISSING_DEG
    measure = not (arguments.report or arguments.no_real)
    tooth = evaluate_tooth(cache, arguments.tooth if measure else None, missing, model)
    if measure and not tooth:
        print("The tooth is left out: give its path with --tooth.", flush=True)
    needle = evaluate_needle(cache, model, only_kept=not measure)
    seen = list(
        dict.fromkeys(sorted([*conditions.list_all(), *conditions.list_default(), *wanted]))
    )
    results = read_kept(cache, seen, _open_earlier(arguments))
    out: Path = arguments.out
    drawn = out.parent / "images" / f"{out.stem}.png"
    if not (arguments.no_picture or arguments.report):
        picture.draw(drawn, picture.compute_volumes(model))
    link = f"images/{drawn.name}" if drawn.is_file() else None
    figures = write_json(summarise(model.model, results, tooth, needle))
    out.with_suffix(".json").write_text(figures, encoding="utf-8")
    out.write_text(render(json.loads(figures), link), encoding="utf-8")
    print(f"{len(results)} conditions are in {out} and {out.with_suffix('.json')}.")


def _open_earlier(arguments: argparse.Namespace) -> tuple[Cache, str] | None:
    """Results of an earlier checkout, and its commit."""
    checkout: Path | None = arguments.earlier
    if checkout is None:
        return None
    found = load(checkout / "models" / arguments.model)
    commit = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    name = subprocess.run(commit, capture_output=True, text=True, check=True).stdout.strip()
    return Cache(arguments.cache, found, checkout), name


def _choose_conditions(arguments: argparse.Namespace) -> list[Condition]:
    chosen = [arguments.widths, arguments.missing, arguments.steps, arguments.electrons]
    if any(chosen):
        fallback = ([128], conditions.MISSING_DEG, [2.0], conditions.ELECTRONS)
        axes = [given or default for given, default in zip(chosen, fallback, strict=True)]
        return conditions.combine(*axes, arguments.objects)
    found = conditions.list_all() if arguments.full else conditions.list_default()
    return [conditions.with_objects(c, arguments.objects) for c in found]


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--model", default="small", help="name of a bundled model, or a folder")
    add("--device", default="auto", choices=("auto", "cpu", "cuda"), help="of the network")
    add("--full", action="store_true", help="every combination of the conditions")
    add("--widths", type=int, nargs="+", help="detector widths in pixels")
    add("--missing", type=float, nargs="+", help="missing ranges in degrees")
    add("--steps", type=float, nargs="+", help="tilt steps in degrees")
    add("--electrons", type=float, nargs="+", help="doses in electrons per pixel; inf: noise-free")
    add("--objects", type=int, help="objects of each family (4 of 128 px, 2 of larger)")
    add("--minutes", type=float, default=float("inf"), help="start no condition after this time")
    add("--tooth", type=Path, help="tooth.h5 of TomoPy's example data")
    add("--no-real", action="store_true", help="measure no real data")
    add("--no-picture", action="store_true", help="draw no picture")
    add("--report", action="store_true", help="write the page from what is kept, measure nothing")
    add("--earlier", type=Path, help="checkout whose kept results stand in, marked as such")
    add("--cache", type=Path, default=Path("runs/quality"), help="folder of kept results")
    add("--out", type=Path, default=MEASURED / "quality.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
