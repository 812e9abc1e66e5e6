"""Everything that one short session with a GPU should measure, what matters most first.

    python -m benchmarks.gpu session --minutes 9 --out results
    python -m benchmarks.gpu session --minutes 5 --out results --steps test bench

Each step is a process of its own, so that one that ends the GPU's context ends no other. Results
are written row by row: what is there when the time is up counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

#: In this order: whole fills, where their time goes on the GPU and beside it, whether all is right,
#: projectors and solvers beside plain torch and ASTRA, and other tiles; what can be played from
#: CUDA graphs, so and so.
STEPS = (
    ("fill",),
    ("profile",),
    ("host",),
    ("test", "--graphs"),
    ("fill", "--graphs"),
    ("profile", "--graphs"),
    ("test",),
    ("bench",),
    ("tune",),
)
#: Seconds that a step must have left to be worth its start.
LEAST = 20.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `session` takes beside the common options."""
    parser.add_argument("--minutes", type=float, default=9.0, help="after which it ends")
    names = list(dict.fromkeys(name for name, *_ in STEPS))
    parser.add_argument("--steps", nargs="+", choices=names, default=names, help="all by default")


def run(given: argparse.Namespace) -> int:
    """Run the steps until the time is up; the status is 0 if all of them ended well."""
    until = time.monotonic() + 60 * given.minutes
    has_failed = False
    for name, *options in STEPS:
        if name not in given.steps:
            continue
        title = " ".join([name, *options])
        left = until - time.monotonic()
        if left < LEAST:
            print(f"{title}: no time is left", flush=True)
            has_failed = True
            continue
        command = [sys.executable, "-m", "benchmarks.gpu", name, *options]
        command += ["--out", str(given.out), "--device", str(given.device)]
        command += ["--tiny"] if given.tiny else []
        begun = time.monotonic()
        try:
            status = subprocess.run(command, timeout=left, check=False).returncode
            end = f"status {status}"
        except subprocess.TimeoutExpired:
            status, end = 1, "cut off"
        print(f"{title}: {end} after {time.monotonic() - begun:.0f} s", flush=True)
        has_failed = has_failed or status != 0
    return int(has_failed)
