"""Fill onto disks that are too small or fill up meanwhile, and see what is left.

    python -m benchmarks.reliability.disks --disks 20

Each disk is a tmpfs in a name space of the run's own, which takes Linux and `unshare`. A stranger
takes the room away while the fill runs, such that it ends in the middle of a volume, chosen at
random; a quarter as many disks are too small from the start, and as many fill up once the volumes
are complete. Takes about ten seconds per disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reliability.page import PAGE, record
from benchmarks.reliability.runs import (
    METHODS,
    ROOT,
    UNFORESEEN,
    fill_undisturbed,
    hash_volumes,
    list_hidden,
    set_environment,
    start_fill,
    write_series,
)
from napari_wedgefill.atomic import PREFIX, SUFFIX

#: How a disk comes to be too small, and how a run may end on it.
DISKS = ("in a volume", "from the start", "after the volumes")
ENDS = ("refused", "stopped", "incomplete_asked", "complete", "unexpected")
COUNTED = ("runs", *ENDS, "incomplete", "left")
#: Beside volumes of the right number: the report, folders, and rounding to pages.
SPARE_BYTES = 400_000


def run_inside(series: Path, disk: Path, n_bytes: int, n_volumes: int, leave: int) -> None:
    """In the name space: mount, fill, and print what came of it.

    Once `n_volumes` volumes are there, the room is taken away but for `leave` bytes; never if it
    is -1.
    """
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "none", str(disk)], check=True)
    out = disk / "out"
    process = start_fill(series, out, "--png")
    while process.poll() is None and not has_come_to(out, n_volumes):
        time.sleep(0.001)
    if leave >= 0:
        room = os.statvfs(disk)
        # The run writes at the same time, so that there may be less room by now.
        with suppress(OSError), (disk / "stranger").open("wb", buffering=0) as file:
            file.write(bytes(max(room.f_bavail * room.f_frsize - leave, 0)))
    _, said = process.communicate()
    found = {
        "code": process.returncode,
        "said": said,
        "files": hash_volumes(out),
        "left": list_hidden(out),
        "report": (out / "report.json").exists(),
    }
    print(json.dumps(found))


def has_come_to(out: Path, n_volumes: int) -> bool:
    """Whether so many volumes are complete, and the next file is being written."""
    n_complete = len(list(out.glob("[!.]*.mrc")))
    return n_complete >= n_volumes and any(out.glob(f"{PREFIX}*{SUFFIX}"))


def choose_disks(n_disks: int, n_bytes: int, seed: int) -> Iterator[tuple[str, int, int, int]]:
    """Yield the kind and size of each disk, after how many volumes it fills up, and what is left.

    `n_bytes` is the size of a volume.
    """
    rng = np.random.default_rng(seed)
    roomy = len(METHODS) * n_bytes + SPARE_BYTES
    for _ in range(n_disks):
        yield DISKS[0], roomy, int(rng.integers(len(METHODS))), int(rng.integers(n_bytes))
    for _ in range(n_disks // 4):
        yield DISKS[1], int(n_bytes * rng.uniform(0.5, len(METHODS))), 0, -1
    for _ in range(n_disks // 4):
        yield DISKS[2], roomy, len(METHODS), int(rng.integers(SPARE_BYTES // 4))


def count_disks(n_disks: int, seed: int, place: Path) -> dict[str, Any]:
    """Fill onto disks of every kind and count how it ends."""
    whole = fill_undisturbed(write_series(place / "series.mrc", 48, 24), place / "whole", "--png")
    counts = {kind: dict.fromkeys(COUNTED, 0) for kind in DISKS}
    disk = place / "disk"
    disk.mkdir()
    for kind, *numbers in choose_disks(n_disks, whole.n_bytes, seed):
        apart = ["unshare", "--user", "--map-root-user", "--mount"]
        program = [sys.executable, "-m", "benchmarks.reliability.disks", "--inside"]
        ran = subprocess.run(
            [*apart, *program, str(whole.series), str(disk), *map(str, numbers)],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=set_environment(),
        )
        found, count = json.loads(ran.stdout), counts[kind]
        end = classify(found)
        count["runs"] += 1
        count[end] += 1
        count["left"] += len(found["left"])
        count["incomplete"] += sum(
            whole.sha256[name] != sha for name, sha in found["files"].items()
        )
        print(f"{kind}, {numbers}: {end}, {len(found['files'])} files", flush=True)
        if end == "unexpected":
            print(found["said"])
    return {"seed": seed, "disks": counts}


def classify(found: dict[str, Any]) -> str:
    """Say how a run ended."""
    lines = found["said"].splitlines()
    if found["code"] == 0:
        return "complete"
    if found["code"] != 1 or not lines or any(word in found["said"] for word in UNFORESEEN):
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
        series, disk, n_bytes, n_volumes, leave = args.inside
        run_inside(Path(series), Path(disk), int(n_bytes), int(n_volumes), int(leave))
        return
    with tempfile.TemporaryDirectory() as name:
        record("disks", count_disks(args.disks, args.seed, Path(name)), args.page)


if __name__ == "__main__":
    main()
