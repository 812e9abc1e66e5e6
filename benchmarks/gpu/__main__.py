"""What only a GPU can tell, in one program that takes nothing but what a GPU machine has.

    python -m benchmarks.gpu test --out results       # is it right?
    python -m benchmarks.gpu bench --out results      # how fast, beside plain torch and ASTRA?
    python -m benchmarks.gpu fill --out results       # a whole fill, with ONNX Runtime on CUDA
    python -m benchmarks.gpu tune --out results       # would other tiles be faster?
    python -m benchmarks.gpu profile --out results    # where does the time go?
    python -m benchmarks.gpu launches --out results   # how many kernels does a pass launch?
    python -m benchmarks.gpu host --out results       # what does a fill take beside the GPU?
    python -m benchmarks.gpu session --minutes 9 --out results     # all but train and tune
    python -m benchmarks.gpu train --data data --out runs --minutes 40 60 60

It needs torch, numpy, scipy and numba. Neither napari nor an installed napari_wedgefill is needed:
in a checkout, PYTHONPATH=src:. finds everything. Triton, ASTRA and ONNX Runtime are used where they
are installed; where one is not, the results say so. `--device cpu --tiny` runs every line in
seconds on a machine without a GPU, to see that it works; its figures mean nothing. With `--graphs`
passes of the solvers are played from CUDA graphs, and the results have names of their own.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu import correctness, fill, host, launches, profile, session, speed, training
from napari_wedgefill.atomic import write_beside
from napari_wedgefill.projector.torch_replay import find_failure, recording

MEASUREMENTS = {
    "test": correctness.measure,
    "bench": speed.measure,
    "fill": fill.measure,
    "tune": speed.tune,
    "profile": profile.measure,
    "launches": launches.measure,
    "host": host.measure,
}


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Where the figures come from."""
    from napari_wedgefill.joint_model.onnx_session import report_providers
    from napari_wedgefill.projector.threads import available_cores
    from napari_wedgefill.projector.triton_support import obstacle

    facts: dict[str, Any] = {
        "when": time.strftime("%Y-%m-%d %H:%M:%S"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "onnxruntime": report_providers()["installed"]["onnxruntime-gpu"],
        "numpy": np.__version__,
        "cores": available_cores(),
        "device": device.type,
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "gpu": properties.name,
            "multiprocessors": properties.multi_processor_count,
            "memory_gib": round(properties.total_memory / 2**30, 1),
            "cuda": torch.version.cuda,
        }
    return facts | {"triton kernels": obstacle() or "run"}


def measure(given: argparse.Namespace) -> int:
    """Measure, and write each result as it comes; the status is 1 if a check failed."""
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / f"gpu_{given.command}{'_graphs' if given.graphs else ''}.json"
    machine = describe_machine(given.device)
    rows: list[dict[str, Any]] = []
    with recording() if given.graphs else nullcontext():
        for row in MEASUREMENTS[given.command](given.device, given.tiny):
            rows.append(row)
            if given.graphs:
                machine["graphs"] = find_failure() or "played"
            found = {"machine": machine, "tiny": given.tiny, "rows": rows}
            with write_beside(path) as beside:  # whole, whenever the time is up
                beside.write_text(json.dumps(found, indent=1, default=str) + "\n")
    print(f"Wrote {path}")
    return 0 if all(row.get("passed", True) for row in rows) else 1


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand; the status is 1 if a check failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in MEASUREMENTS.items():
        summary = (function.__doc__ or "").splitlines()[0]
        command = commands.add_parser(name, help=summary, description=summary)
        _add_common(command)
    everything = commands.add_parser("session", help=session.__doc__, description=session.__doc__)
    _add_common(everything)
    session.add_arguments(everything)
    train = commands.add_parser("train", help="train a model while the processor simulates")
    _add_common(train)
    training.add_arguments(train)
    given = parser.parse_args(arguments)
    if given.device.type == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no CUDA device here; --device cpu --tiny tries the program out")
    if given.command == "train":
        return training.run(given)
    if given.command == "session":
        return session.run(given)
    return measure(given)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--device", type=torch.device, default=torch.device("cuda"))
    parser.add_argument("--graphs", action="store_true", help="play passes from CUDA graphs")
    parser.add_argument("--tiny", action="store_true", help="sizes that only show that it runs")


if __name__ == "__main__":
    sys.exit(main())
