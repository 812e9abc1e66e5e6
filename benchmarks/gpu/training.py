"""Train the networks on a GPU while the processor's other cores simulate what they learn from.

    python -m benchmarks.gpu train --data data --out runs --minutes 40 60 60 --session 9

Every core but one simulates, each in a process of its own. What follows `--` goes to
`wedgefill train` as it is. A session that ends before the training does says so with status 3: the
same command then goes on from the last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_wedgefill.atomic import remove_leftovers
from napari_wedgefill.joint_model.contract import InputContract
from napari_wedgefill.training.groups import N_VALIDATION, list_groups
from napari_wedgefill.training.simulate import simulate_group
from napari_wedgefill.training.stages import STAGES

SOURCE = Path(__file__).resolve().parents[2] / "src"
#: Seeds of one process; all have six digits, so that groups sort by seed and those that validate
#: (the first) stay the same while others appear.
FIRST_SEED, SEEDS_EACH = 100_000, 50_000
UNFINISHED = 3
#: As few as include one of the adversarial term.
TINY_STEPS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `train` takes beside the common options."""
    parser.add_argument("--data", type=Path, required=True, help="folder of simulated groups")
    parser.add_argument(
        "--minutes",
        type=float,
        nargs=3,
        default=[40.0, 60.0, 60.0],
        metavar=tuple(stage.upper() for stage in STAGES),
        help="training time of each stage, over all sessions",
    )
    parser.add_argument("--session", type=float, help="minutes after which this session ends")
    parser.add_argument("--workers", type=int, help="processes that simulate; all cores but one")
    parser.add_argument("--groups", type=int, default=24, help="groups to wait for before training")
    parser.add_argument("training", nargs="*", help="options of the training loop, after --")


def run(given: argparse.Namespace) -> int:
    """Simulate and train until the time is up; 0 once every stage is done, else 3."""
    deadline = time.monotonic() + 60 * (given.session or 1e6)
    given.data.mkdir(parents=True, exist_ok=True)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.tiny:
        _simulate_tiny(given.data)
        return _train_all(given, deadline, ["--batch", "2"])
    with simulating(given.data, given.workers, deadline) as workers:
        if not _wait_for_groups(given.data, given.groups, workers, deadline):
            print("The session ended before there were enough groups to train on.")
            return UNFINISHED
        return _train_all(given, deadline, given.training)


def _train_all(given: argparse.Namespace, deadline: float, options: list[str]) -> int:
    for stage, minutes in zip(STAGES, given.minutes, strict=True):
        if _is_done(given.out / f"{stage}.json", minutes, given.tiny):
            print(f"{stage} is trained already.")
            continue
        budget = ["--steps", str(TINY_STEPS)] if given.tiny else ["--minutes", str(minutes)]
        command = [stage, str(given.data), str(given.out), *budget, "--device", given.device.type]
        status = _train(stage, [*command, *options], given.out, deadline)
        if status != 0:
            return status
    print(f"Every stage is trained; {given.out} can be exported.")
    return 0


def _is_done(record: Path, minutes: float, tiny: bool) -> bool:
    """Tell whether a stage was trained for so long: a process that finds out takes a while."""
    try:
        last = json.loads(record.read_text())["curves"][-1]
    except (OSError, ValueError):  # not begun, or cut off while it was written
        return False
    return bool(last["step"] >= TINY_STEPS if tiny else last["minutes"] >= minutes)


def _train(stage: str, arguments: list[str], out: Path, deadline: float) -> int:
    """Train one stage in a process that ends with the session, just after a checkpoint if it can.

    The loop saves itself now and then; when the next time would come too late, it stops there.
    """
    checkpoint = out / f"{stage}.ckpt"
    trainer = _python("napari_wedgefill.training.train", arguments)
    written, interval = _age(checkpoint), 0.0
    started = time.monotonic()
    try:
        while trainer.poll() is None:
            time.sleep(0.2)
            now = time.monotonic()
            if _age(checkpoint) != written:
                written, interval, started = _age(checkpoint), now - started, now
            too_late = interval and started + interval > deadline
            if now > deadline or too_late:
                print(f"The session ends in stage {stage}; run the same command to go on.")
                return UNFINISHED
        return trainer.returncode
    finally:
        _end(trainer)


def _age(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


@contextmanager
def simulating(
    data: Path, n_workers: int | None, deadline: float
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run processes that fill a folder with groups, one a core, until the block ends."""
    cores = sorted(os.sched_getaffinity(0))
    spare = cores[1:] or cores
    minutes = max(0.0, (deadline - time.monotonic()) / 60)
    workers = []
    try:
        for k in range(len(spare) if n_workers is None else n_workers):
            seed = FIRST_SEED + k * SEEDS_EACH
            if seed + SEEDS_EACH > 10 * FIRST_SEED:
                break
            arguments = [str(data), "--minutes", f"{minutes:.3f}", "--first-seed", str(seed)]
            workers.append(
                _python("napari_wedgefill.training.simulate", arguments, spare[k % len(spare)])
            )
        yield workers
    finally:
        for worker in workers:
            _end(worker)
        remove_leftovers(data)


def _wait_for_groups(
    data: Path, wanted: int, workers: list[subprocess.Popen[bytes]], deadline: float
) -> bool:
    while True:
        # The first process makes the groups that validate: they must be there before training.
        validating = [data / f"group_{FIRST_SEED + k}.npz" for k in range(N_VALIDATION)]
        found = len(list_groups(data, validation=False))
        if found >= wanted and all(path.exists() for path in validating):
            return True
        if all(worker.poll() is not None for worker in workers) or time.monotonic() > deadline:
            return False
        time.sleep(1.0)


def _python(module: str, arguments: list[str], core: int | None = None) -> subprocess.Popen[bytes]:
    """Start a module of the package in a process of its own, on one core if asked."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCE), *sys.path[1:]])}
    pin = None if core is None else partial(os.sched_setaffinity, 0, {core})
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments], env=environment, preexec_fn=pin
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        process.wait()


def _simulate_tiny(data: Path) -> None:
    """Make eight groups of 16 x 16 pixels: enough to run every line."""
    contract = replace(InputContract(), sart_sweeps=2, tvm_steps=2)
    for seed in range(FIRST_SEED, FIRST_SEED + N_VALIDATION + 2):
        path = data / f"group_{seed}.npz"
        if not path.exists():
            group: dict[str, Any] = dict(simulate_group(seed, 16, contract))
            np.savez(path, **group)
