"""End fills at random moments, and see what is left.

    python -m benchmarks.reliability.kills --kills 50

Every third run is killed outright, every third is asked to end as a scheduler does, and every third
gets Ctrl-C twice. Takes about ten seconds per run.
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
from benchmarks.reliability.runs import (
    METHODS,
    UNFORESEEN,
    fill_undisturbed,
    hash_volumes,
    list_hidden,
    start_fill,
    write_series,
)
from napari_wedgefill.atomic import lock_folder, write_beside

SIGNALS = {"SIGKILL": ("SIGKILL",), "SIGTERM": ("SIGTERM",), "Ctrl-C twice": ("SIGINT", "SIGINT")}
#: Pixels and slices: so many that a volume takes longer than it takes to start.
SIZE = (48, 24)
COUNTED = ("runs", "files", "incomplete", "left", "left_after", "unexpected")


def count_kills(n_kills: int, seed: int, place: Path) -> dict[str, Any]:
    """End `n_kills` runs in a folder and count what they leave, by signal."""
    rng = np.random.default_rng(seed)
    whole = fill_undisturbed(write_series(place / "series.mrc", *SIZE), place / "whole")
    counts = {name: dict.fromkeys(COUNTED, 0) for name in SIGNALS}
    for k in range(n_kills):
        name = list(SIGNALS)[k % len(SIGNALS)]
        folder, count = place / f"run{k}", counts[name]
        process = start_fill(whole.series, folder)
        # Spread over the volumes, however fast the machine is just then.
        n_volumes = int(rng.integers(len(METHODS)))
        while process.poll() is None and len(list(folder.glob("[!.]*.mrc"))) < n_volumes:
            time.sleep(0.001)
        time.sleep(float(rng.uniform(0, whole.seconds / len(METHODS))))
        for sent in SIGNALS[name]:
            if process.poll() is None:
                process.send_signal(getattr(signal, sent))
                time.sleep(0.05)
        _, said = process.communicate()
        if any(word in said for word in UNFORESEEN):
            count["unexpected"] += 1
            print(said)
        found = hash_volumes(folder)
        count["runs"] += 1
        count["files"] += len(found)
        count["incomplete"] += sum(whole.sha256[file] != sha for file, sha in found.items())
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
