"""Peak memory of a fill for few and for many slices, and under several limits.

    python -m benchmarks.speed.memory

Each case runs in a process of its own, from an MRC file on disk to MRC files on disk. Two figures
matter: the memory of the process itself (RssAnon), and the resident set as a whole, which counts
pages of mapped files too although the system takes those back when it needs them.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np

from benchmarks import ROOT
from benchmarks.speed.page import record

ANGLES_DEG = np.arange(-60.0, 61.0, 6.0)
#: Fewer sweeps than a fill takes: they change how long it takes, not what it holds.
EFFORTS = {"sart": 1, "tvm": 10}
#: Slices, width, methods, limit.
CASES = [
    (64, 512, "wbp,sart", "1GB"),
    (2048, 512, "wbp,sart", "1GB"),
    (2048, 512, "wbp,sart", "4GB"),
    (64, 512, "tvm", "1.5GB"),
    (256, 512, "tvm", "1.5GB"),
    (62, 128, "gan", "2GB"),
    (248, 128, "gan", "2GB"),
]


def write_series(path: Path, n_slices: int, width: int) -> None:
    """Write cylinders that thin out along the axis, as int16, one image at a time."""
    shape = (ANGLES_DEG.size, n_slices, width)
    x = np.arange(width) - (width - 1) / 2
    radius = width * (0.15 + 0.2 * np.linspace(0, 1, n_slices))[:, None]
    with mrcfile.new_mmap(path, shape, mrc_mode=1) as file:
        for i, angle in enumerate(np.deg2rad(ANGLES_DEG)):
            centred = x - 0.1 * width * np.sin(angle)
            chord = 2 * np.sqrt(np.clip(radius**2 - centred**2, 0, None))
            file.data[i] = np.round(20 * chord + 1000)
        file.set_image_stack()
        file.voxel_size = 8.0
    np.savetxt(path.with_suffix(".tlt"), ANGLES_DEG, "%.2f")


def read_own_mb() -> float:
    """Memory of this process that no file backs."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1e3
    return 0.0


def measure(path: Path, folder: Path, methods: str, limit: str) -> dict[str, float]:
    """Fill in this process while another thread watches its memory."""
    from napari_wedgefill.io import MrcSink, read_tilt_series
    from napari_wedgefill.memory import parse_bytes
    from napari_wedgefill.methods import METHODS
    from napari_wedgefill.pipeline.fill import iter_fill
    from napari_wedgefill.pipeline.options import FillOptions

    for name, n_passes in EFFORTS.items():
        method = METHODS[name]
        assert method.effort is not None
        METHODS[name] = replace(method, effort=replace(method.effort, usual=n_passes))
    peak, done = [read_own_mb()], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], read_own_mb())

    threading.Thread(target=watch, daemon=True).start()
    start = time.monotonic()
    options = FillOptions(
        methods=tuple(methods.split(",")), device="cpu", max_memory=parse_bytes(limit)
    )
    for _ in iter_fill(read_tilt_series(path), options, MrcSink(folder)):
        pass
    seconds = time.monotonic() - start
    done.set()
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"peak_anonymous_mb": peak[0], "peak_resident_mb": resident, "seconds": seconds}


def run_case(folder: Path, case: tuple[int, int, str, str]) -> dict[str, object]:
    """Write the input, run one case in a fresh process, and remove everything."""
    n_slices, width, methods, limit = case
    path, out = folder / f"{n_slices}.mrc", folder / "out"
    out.mkdir()
    write_series(path, n_slices, width)
    command = [sys.executable, "-m", "benchmarks.speed.memory", "--measure", str(path), str(out)]
    command += [methods, limit]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    found = json.loads(ran.stdout.splitlines()[-1])
    written = sum(file.stat().st_size for file in out.iterdir()) / 1e6
    shutil.rmtree(out)
    path.unlink()
    return {
        "methods": methods,
        "slices": n_slices,
        "width": width,
        "allowed": limit,
        "written_mb_per_s": written / found["seconds"],
        **found,
    }


def main() -> None:
    """Run every case and put the table into docs/measured/speed.md."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--measure", nargs=4, metavar=("FILE", "DIR", "METHODS", "LIMIT"))
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the cases to run")
    parser.add_argument("--dry", action="store_true", help="print, but leave docs as they are")
    arguments = parser.parse_args()
    if arguments.measure:
        path, folder, methods, limit = arguments.measure
        print(json.dumps(measure(Path(path), Path(folder), methods, limit)))
        return
    cases = CASES if arguments.only is None else [CASES[i] for i in arguments.only]
    results = []
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            results.append(run_case(Path(folder), case))
        print(results[-1], flush=True)
    what = (
        f"slices of 512 x 512 ({CASES[-1][1]} x {CASES[-1][1]} for gan) from {ANGLES_DEG.size} "
        f"tilts stored as int16, file to file; "
        + f"sart with sweeps: {EFFORTS['sart']}, tvm with steps: {EFFORTS['tvm']}."
    )
    if not arguments.dry:
        record("memory", {"what": what, "cases": results})


if __name__ == "__main__":
    main()
