"""How long it takes until something can be done: import, help, window, first press.

    python -m benchmarks.speed.startup

Each figure is the shortest time of several fresh processes, without the start of Python itself
unless the row says so. The window needs a display; without one, its figure is left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed.page import record

IMPORT = (
    "import time; t = time.perf_counter(); import napari_wedgefill; print(time.perf_counter() - t)"
)
WIDGET = """
import time, napari
viewer = napari.Viewer(show=False)
t = time.perf_counter()
from napari_wedgefill._napari.fill.dock import FillWedge
viewer.window.add_dock_widget(FillWedge(viewer))
print(time.perf_counter() - t, flush=True)
viewer.close()
"""
KERNELS = """
import time, numpy as np
t = time.perf_counter()
from napari_wedgefill.projector import ParallelBeam
beam = ParallelBeam(np.arange(-60, 61, 10.0), 64)
beam.T(beam(np.ones((64, 64, 64), np.float32)))
print(time.perf_counter() - t)
"""
PREVIEW = """
import time
from napari_wedgefill.pipeline.events import Finished
from napari_wedgefill.pipeline.fill import iter_preview
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.io import read_tilt_series
from napari_wedgefill.samples import needle_path
series = read_tilt_series(needle_path())
for press in range({presses}):
    t = time.perf_counter()
    for event in iter_preview(series, series.height // 2, FillOptions()):
        if isinstance(event, Finished) and event.method == "{until}":
            break
    seconds = time.perf_counter() - t
print(seconds)
"""


#: What the processes below measure with; "process_time" where other work shares the cores.
CLOCKS = {"wall": "perf_counter", "cpu": "process_time"}
clock = CLOCKS["wall"]


def time_shortest(code: str, repeats: int, **environment: str) -> float:
    """Run code in fresh processes; each prints the seconds it took."""
    times = []
    code = code.replace("perf_counter", clock)
    for _ in range(repeats):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, **environment},
        )
        times.append(float(ran.stdout.split()[-1]))
    return min(times)


def time_help(repeats: int) -> float:
    """Return the whole process of `wedgefill --help`, Python included."""
    times = []
    for _ in range(repeats):
        start, used = time.perf_counter(), os.times()
        command = [sys.executable, "-m", "napari_wedgefill.cli", "--help"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        now = os.times()
        in_child = now.children_user + now.children_system - used[2] - used[3]
        times.append(time.perf_counter() - start if clock == CLOCKS["wall"] else in_child)
    return min(times)


def measure(repeats: int) -> list[dict[str, object]]:
    """Return what, seconds and the aim in seconds, where there is one."""
    found: list[dict[str, object]] = []

    def add(what: str, seconds: float, aim: float | None = None) -> None:
        found.append({"what": what, "seconds": seconds, "aim": aim})
        print(found[-1], flush=True)

    add("`import napari_wedgefill`", time_shortest(IMPORT, repeats), 0.05)
    add("`wedgefill --help`, Python included", time_help(repeats), 0.3)
    if os.environ.get("DISPLAY") or sys.platform in ("win32", "darwin"):
        add("the widget in an open napari", time_shortest(WIDGET, max(1, repeats // 2)), 1.0)
    with tempfile.TemporaryDirectory() as folder:
        cached = {"NUMBA_CACHE_DIR": str(Path(folder))}
        add("first projection after installing (compiles)", time_shortest(KERNELS, 1, **cached))
        add("first projection of any later process", time_shortest(KERNELS, repeats, **cached))
    for presses, name in ((1, "first"), (2, "second")):
        code = PREVIEW.format(presses=presses, until="wbp")
        add(
            f"preview of the needle, {name} press: WBP shown",
            time_shortest(code, max(1, repeats // 2)),
        )
    code = PREVIEW.format(presses=2, until="gan")
    add("preview of the needle, second press: all four methods", time_shortest(code, 1))
    return found


def main() -> None:
    """Measure, print and put the table into docs/measured/speed.md."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu where other work shares the cores"
    )
    parser.add_argument("--dry", action="store_true", help="print, but leave docs as they are")
    arguments = parser.parse_args()
    global clock
    clock = CLOCKS[arguments.clock]
    found = measure(arguments.repeats)
    if not arguments.dry:
        record("startup", {"clock": arguments.clock, "rows": found})


if __name__ == "__main__":
    main()
