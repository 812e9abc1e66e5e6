"""End fills at random moments, and see what is left.

    python -m benchmarks.reliability.kills --kills 50

Every third run is killed outright, every third is asked to end as a scheduler does, and every third
gets Ctrl-C twice. Takes about ten seconds a run.
"""

from __future__ import annotations

import argparse
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reliability.page import PAGE, record
from benchmarks.reliability.runs import hash_volumes, list_hidden, start_fill, write_series
from napari_wedgefill.atomic import lock_folder, write_beside

SIGNALS = {"SIGKILL": ("SIGKILL",), "SIGTERM": ("SIGTERM",), "Ctrl-C twice": ("SIGINT", "SIGINT")}


def wait_for(folder: Path, process: Any) -> None:
    """Wait until a run has made its folder, or has ended."""
    while not folder.exists() and process.poll() is None:
        time.sleep(0.01)


def count_kills(n_kills: int, seed: int, place: Path) -> dict[str, Any]:
    """End `n_kills` runs in a folder and count what they leave, by signal."""
    rng = np.random.default_rng(seed)
    series = write_series(place / "series.mrc")
    whole = place / "whole"
    process = start_fill(series, whole)
    wait_for(whole, process)
    begun = time.monotonic()
    if process.wait() != 0:
        raise SystemExit(process.stderr.read() if process.stderr else "the fill failed")
    lasts, sound = time.monotonic() - begun, hash_volumes(whole)
    names = ("runs", "files", "incomplete", "left", "left_after")
    counts = {name: dict.fromkeys(names, 0) for name in SIGNALS}
    for k in range(n_kills):
        name = list(SIGNALS)[k % len(SIGNALS)]
        folder, count = place / f"run{k}", counts[name]
        process = start_fill(series, folder)
        wait_for(folder, process)
        time.sleep(float(rng.uniform(0, lasts)))
        for sent in SIGNALS[name]:
            if process.poll() is None:
                process.send_signal(getattr(signal, sent))
                time.sleep(0.05)
        _, said = process.communicate()
        if "Traceback" in said or "unexpected" in said:
            print(said)
        found = hash_volumes(folder) if folder.exists() else {}
        count["runs"] += 1
        count["files"] += len(found)
        count["incomplete"] += sum(sound[file] != sha for file, sha in found.items())
        count["left"] += len(list_hidden(folder))
        if folder.exists():
            # What the next run into the folder does before and after it writes.
            with lock_folder(folder), write_beside(folder / "next") as beside:
                beside.touch()
            count["left_after"] += len(list_hidden(folder))
        print(f"{k + 1} of {n_kills}: {name}, {len(found)} files", flush=True)
    return {"seed": seed, "signals": counts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, default=PAGE)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        record("kills", count_kills(args.kills, args.seed, Path(name)), args.page)


if __name__ == "__main__":
    main()
