"""Fill 200 times in one napari window, and see whether anything piles up.

    xvfb-run -s "-screen 0 1024x768x24" python -m benchmarks.reliability.window --runs 200

Each run presses Fill on a small series, waits for the volumes and deletes them. Most compute the
two quick methods; of every forty one computes all four and is looked at in the Compare window, and
one is cancelled on the way. Memory, what of it is in use, Python's objects, threads, open files,
widgets and layers are counted after each. Reads /proc and asks glibc, and so takes Linux.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.utils.notifications import NotificationSeverity, notification_manager
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from benchmarks.reliability.page import PAGE, record
from benchmarks.reliability.runs import METHODS, write_series
from napari_wedgefill._napari.compare.window import open_compare
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.layer_kinds import list_volumes
from napari_wedgefill.memory import measure_held_bytes

#: Compiled code, caches and pools fill up within the first runs; what grows later grows for ever.
SETTLED = 20
#: Of so many runs one computes all methods and is compared, and one is cancelled.
PERIOD = 40
QUICK = METHODS[:2]
#: A small window: what it holds does not depend on how much is drawn.
WINDOW_PX = (700, 500)
LIMIT_S = 1200.0


def count_runs(n_runs: int, place: Path) -> dict[str, Any]:
    """Fill `n_runs` times in one window and count what there is after each."""
    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window._qt_window.resize(*WINDOW_PX)
    viewer.open(write_series(place / "series.mrc", width=16, n_slices=2), plugin="napari-wedgefill")
    dock = FillWedge(viewer)
    viewer.window.add_dock_widget(dock, name="Fill wedge", area="right")
    dock.update(device="cpu")
    ends = {"quick": 0, "whole": 0, "cancelled": 0}
    counts = []
    slowest = 0.0
    for number in range(1, n_runs + 1):
        begun = time.monotonic()
        kind = {1: "whole", PERIOD // 2: "cancelled"}.get(number % PERIOD, "quick")
        methods = QUICK if kind == "quick" else METHODS
        dock.methods.value = methods
        fill(dock, is_cancelled=kind == "cancelled")
        slowest = max(slowest, time.monotonic() - begun)
        ends[kind] += 1
        if kind != "cancelled" and len(list_volumes(viewer)) != len(methods):
            raise SystemExit(f"run {number}: {dock.footer.status.text()}")
        if kind == "whole":
            compare(viewer)
        for layer in list_volumes(viewer):
            viewer.layers.remove(layer)
        settle(0.1)
        counts.append(count_held(viewer))
        if number == 1 or number % 10 == 0:
            print(f"run {number}: {counts[-1]}", flush=True)
    errors = [
        note.message
        for note in notification_manager.records
        if note.severity >= NotificationSeverity.ERROR
    ]
    print(*errors, sep="\n")
    viewer.close()
    return {
        **ends,
        "errors": len(errors),
        "slowest_s": round(slowest, 1),
        "after": {str(k): counts[k - 1] for k in (1, SETTLED, n_runs // 2, n_runs)},
        "kb_per_run": round(find_slope([count["memory_kb"] for count in counts[SETTLED:]])),
        "in_use_kb_per_run": round(find_slope([count["in_use_kb"] for count in counts[SETTLED:]])),
    }


def fill(dock: FillWedge, *, is_cancelled: bool) -> None:
    """Press Fill and wait for the end; press Cancel on the way if asked to."""
    dock.footer.fill_button.click()
    end, bar = time.monotonic() + LIMIT_S, dock.footer.bar
    while dock.workbench.is_running:
        settle(0.02)
        if is_cancelled and bar.value() > bar.maximum() / 4:
            dock.footer.cancel_button.click()
            is_cancelled = False
        if time.monotonic() > end:
            raise SystemExit("a run did not end")


def compare(viewer: napari.Viewer) -> None:
    """Open the Compare window, look, and close it."""
    window = open_compare(viewer, viewer.window._qt_window)
    settle(0.5)
    window.close()
    settle(0.1)


def settle(seconds: float) -> None:
    """Let the window work for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        # Outside of Qt's own loop nothing else deletes what was asked to be deleted later.
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        time.sleep(0.005)


def count_held(viewer: napari.Viewer) -> dict[str, int]:
    """What this process holds."""
    gc.collect()
    return {
        "memory_kb": measure_held_bytes() // 1000,
        "in_use_kb": measure_allocated_bytes() // 1000,
        "objects": len(gc.get_objects()),
        "threads": len(os.listdir("/proc/self/task")),
        "files": len(os.listdir("/proc/self/fd")),
        "widgets": len(QApplication.allWidgets()),
        "layers": len(viewer.layers),
    }


class _Allocated(ctypes.Structure):
    """What glibc's `mallinfo2` returns."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def measure_allocated_bytes() -> int:
    """Memory that the C library has given out; what it keeps for later is not counted."""
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = _Allocated
    told = ask()
    return int(told.uordblks + told.hblkhd)


def find_slope(values: list[int]) -> float:
    """Growth per run, by the median over all pairs of runs (Theil-Sen)."""
    y = np.array(values, float)
    i, j = np.triu_indices(len(y), 1)
    return float(np.median((y[j] - y[i]) / (j - i)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--page", type=Path, default=PAGE)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        record("window", count_runs(args.runs, Path(name)), args.page)


if __name__ == "__main__":
    main()
