"""Fill onto disks that are too small or fill up meanwhile, and see what is left.

    python -m benchmarks.reliability.disks --disks 20

Each disk is a tmpfs in a name space of the run's own, which takes Linux and `unshare`. Half of them
are too small from the start; on the others a stranger takes the room away while the fill runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reliability.page import PAGE, record
from benchmarks.reliability.runs import (
    METHODS,
    ROOT,
    hash_volumes,
    list_hidden,
    start_fill,
    write_series,
)

COUNTED = (
    "runs", "refused", "stopped", "incomplete_asked", "complete", "incomplete", "left", "unexpected"
)  # fmt: skip


def run_inside(series: Path, disk: Path, n_bytes: int, delay_s: float, leave: int) -> None:
    """In the name space: mount, fill, take room away after a delay, and print what came of it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "none", str(disk)], check=True)
    out = disk / "out"
    process = start_fill(series, out, "--png")
    while not out.exists() and process.poll() is None:
        time.sleep(0.01)
    if delay_s >= 0:
        time.sleep(delay_s)
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        with (disk / "stranger").open("wb") as file:
            file.write(bytes(max(free - leave, 0)))
    _, said = process.communicate()
    files = hash_volumes(out) if out.exists() else {}
    found = {
        "code": process.returncode,
        "said": said,
        "files": files,
        "left": list_hidden(out) if out.exists() else [],
        "report": (out / "report.json").exists(),
    }
    print(json.dumps(found))


def count_disks(n_disks: int, seed: int, place: Path) -> dict[str, Any]:
    """Fill onto `n_disks` disks and count how it ends."""
    rng = np.random.default_rng(seed)
    series = write_series(place / "series.mrc")
    begun = time.monotonic()
    process = start_fill(series, place / "whole", "--png")
    if process.wait() != 0:
        raise SystemExit(process.stderr.read() if process.stderr else "the fill failed")
    lasts, sound = time.monotonic() - begun, hash_volumes(place / "whole")
    each = (place / "whole" / next(iter(sound))).stat().st_size
    counts = dict.fromkeys(COUNTED, 0)
    disk = place / "disk"
    disk.mkdir()
    for k in range(n_disks):
        is_small = k % 2 == 0
        size = int(each * (rng.uniform(0.5, len(METHODS)) if is_small else len(METHODS) + 1))
        delay = -1.0 if is_small else float(rng.uniform(0, lasts))
        inside = [
            sys.executable, "-m", "benchmarks.reliability.disks", "--inside",
            str(series), str(disk), str(size), str(delay), str(int(rng.integers(0, each))),
        ]  # fmt: skip
        ran = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", *inside],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        )
        found = json.loads(ran.stdout)
        outcome = classify(found)
        counts["runs"] += 1
        counts[outcome] += 1
        counts["left"] += len(found["left"])
        counts["incomplete"] += sum(sound[name] != sha for name, sha in found["files"].items())
        print(f"{k + 1} of {n_disks}: {outcome}, {len(found['files'])} files", flush=True)
        if outcome == "unexpected":
            print(found["said"])
    return {"seed": seed, "counts": counts}


def classify(found: dict[str, Any]) -> str:
    """Say how a run ended."""
    lines = found["said"].splitlines()
    if found["code"] == 0:
        return "complete"
    if found["code"] != 1 or not lines or "unexpected" in found["said"] or "Trace" in found["said"]:
        return "unexpected"
    if found["report"]:
        return "incomplete_asked"
    return "refused" if "volumes will take" in lines[-1] and not found["files"] else "stopped"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--disks", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--inside", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside is not None:
        series, disk, n_bytes, delay, leave = args.inside
        run_inside(Path(series), Path(disk), int(n_bytes), float(delay), int(leave))
        return
    with tempfile.TemporaryDirectory() as name:
        record("disks", count_disks(args.disks, args.seed, Path(name)), args.page)


if __name__ == "__main__":
    main()
