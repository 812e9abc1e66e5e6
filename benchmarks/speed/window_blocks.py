"""How long the window is blocked when volumes arrive and when one looks at them.

    python -m benchmarks.speed.window_blocks [--size 512] [--page PAGE]
    python -m benchmarks.speed.window_blocks --live

A heart beats in a real napari, at every turn of its event loop, while a tilt series and four
volumes arrive as a fill brings them and the buttons for views are pressed. Printed for each step:
the longest that the main thread was busy between two beats, and until all was shown. Time is that
of the main thread's processor, so that other work on the same cores does not count. The floor is
what napari takes without the dock to add a hidden layer of 4 x 4 x 4 voxels, and the series. Needs
a display; ``xvfb-run -s "-screen 0 1920x1200x24"`` provides one, which draws in software, so that a
graphics card is quicker.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import napari
import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from benchmarks import MEASURED
from benchmarks.speed.page import describe_machine
from napari_wedgefill._napari.fill import workbench
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.layers import series_layer
from napari_wedgefill._napari.runs import Run
from napari_wedgefill.io import read_tilt_series
from napari_wedgefill.methods import DEFAULT_METHODS, label_of
from napari_wedgefill.pipeline.events import Finished
from napari_wedgefill.pipeline.fill import iter_preview
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.pipeline.session import Session
from napari_wedgefill.prepare import iter_align
from napari_wedgefill.samples import needle_path
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.volume import Volume

WINDOW = (1600, 1000)
#: How long nothing happens before a step counts as done, in seconds.
REST_S = 0.5
#: Slices that are filled one after the other, as if the slider were moved.
PRESSES = 5


class Heart:
    """Beats at every turn of the event loop and remembers the longest pause, in seconds."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._last = time.thread_time()
        self._timer = QTimer()
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.thread_time()
        self.longest_s = max(self.longest_s, now - self._last)
        self._last = now


def main() -> None:
    args = read_arguments()
    figures = json.loads(args.page.with_suffix(".json").read_text("utf-8")) if args.live else {}
    if args.live:
        figures["live"] = measure_live_slice()
        figures["live_load"] = os.getloadavg()[0]
    else:
        viewer = napari.Viewer(show_welcome_screen=False)
        viewer.window._qt_window.resize(*WINDOW)
        figures = {"size": args.size, "machine": describe_machine()}
        figures["steps"] = measure(viewer, args.size)
        viewer.close()
    print(render(figures))
    args.page.write_text(render(figures), "utf-8")
    args.page.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def measure(viewer: napari.Viewer, n: int) -> dict[str, tuple[float, float]]:
    """Return for each step the longest pause and the time of all of it, in seconds."""
    steps: dict[str, tuple[float, float]] = {}

    def take(what: str, act: Callable[[], object]) -> None:
        heart, started = Heart(), time.thread_time()
        act()
        steps[what] = settle(heart, started)

    def add_tiny() -> None:
        viewer.add_image(np.zeros((4, 4, 4), np.float32), contrast_limits=(0, 1), visible=False)

    rng = np.random.default_rng(0)
    images = rng.random((61, n, n), dtype=np.float32)
    series = TiltSeries.from_arrays(images, np.arange(-60.0, 61.0, 2.0), pixel_nm=1.0, name="s")
    volume = rng.random((n, n, n), dtype=np.float32)
    add_tiny()  # napari reads its table of units with the first layer
    settle()
    take("napari alone: a hidden layer of 4 x 4 x 4", add_tiny)
    viewer.layers.clear()
    settle()
    take("napari alone: the series", lambda: viewer.add_layer(Layer.create(*series_layer(series))))
    viewer.layers.clear()
    dock = FillWedge(viewer)
    viewer.window.add_dock_widget(dock, name="Fill wedge")
    settle()
    take("the series", lambda: viewer.add_layer(Layer.create(*series_layer(series))))
    for count in ("first", "second"):
        take(f"four volumes, {count} time", lambda: bring(dock, series, volume))
    for index in range(n // 4, n // 4 + 3):
        take(f"slice {index}", lambda index=index: viewer.dims.set_current_step(1, index))
    for name in ("YZ", "XY", "XZ", "Tilts", "XZ"):
        again = " again" if f"view {name}" in steps else ""
        take(f"view {name}{again}", dock.footer.view_buttons[name].click)
    return steps


def measure_live_slice() -> dict[str, dict[str, dict[str, float]]]:
    """Seconds until each method of the needle's live slice is there: of the clock, and computed.

    By press. The first one finds kernels that are compiled, but has to open the networks, and to
    measure the series; `PRESSES` others, of slices around the middle, are medians. One series of
    them fills the whole field of view, as where a specimen has no box.
    """
    *_, aligned = iter_align(read_tilt_series(needle_path()))
    session, series, options = Session(), aligned.series, FillOptions()
    middle = series.height // 2
    press(series, middle, options, Session())  # compiles
    found = {"first": press(series, middle, options, session)}
    for name, asked in (("next", options), ("whole", replace(options, whole_field=True))):
        presses = [press(series, middle + k, asked, session) for k in range(1, PRESSES + 1)]
        found[name] = {
            method: {clock: float(np.median([p[method][clock] for p in presses])) for clock in took}
            for method, took in presses[0].items()
        }
    return found


def press(
    series: TiltSeries, index: int, options: FillOptions, session: Session
) -> dict[str, dict[str, float]]:
    """Fill one slice as the live slice does; return the seconds until each method is there."""
    seconds = {}
    wall, computed = time.perf_counter(), time.process_time()
    for event in iter_preview(series, index, options, session=session):
        if isinstance(event, Finished):
            now = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - computed}
            seconds[event.method] = now
    return seconds


def bring(dock: FillWedge, series: TiltSeries, data: np.ndarray) -> None:
    """Give the workbench four volumes, as the worker of a fill does."""
    bench = dock.workbench
    run = Run(f"run {len(bench.runs.runs)}", series, FillOptions(), dock.series.value)
    volumes = {method: Volume(data, (1.0,) * 3, method) for method in DEFAULT_METHODS}
    bench.turns.add(bench.iter_bring(run, volumes))


def settle(heart: Heart | None = None, started: float = 0.0) -> tuple[float, float]:
    """Let the window live until it rests; return the longest pause and the time until then."""
    rest_began, done = time.perf_counter(), time.thread_time()
    while time.perf_counter() - rest_began < REST_S or not are_idle():
        before = time.thread_time()
        QApplication.processEvents()
        busy = time.thread_time() - before
        if busy > 0.01 or not are_idle():
            rest_began, done = time.perf_counter(), time.thread_time()
        time.sleep(0.002)
    return (heart.longest_s if heart else 0.0, done - started)


def are_idle() -> bool:
    """Whether every workbench has shown all that it was asked to."""
    return all(bench.turns.is_idle for bench in workbench._workbenches.values())


def render(figures: dict) -> str:
    """The figures as a page in Markdown."""
    n, machine = figures["size"], figures["machine"]
    lines = [
        "# How long the window is blocked",
        "",
        f"Printed by `python -m benchmarks.speed.window_blocks --size {n}`: volumes of {n} x {n} x"
        f" {n} voxels, drawn in software, on {machine['cores']} cores of {machine['processor']}.",
        "",
        "Longest: the longest that the main thread was busy without answering the mouse. All: until"
        " everything was shown. Both are processor time of the main thread. The first two rows are"
        " napari without the dock: only the main thread may add and draw a layer.",
        "",
        "| step | longest | all |",
        "|---|---:|---:|",
    ]
    lines += [
        f"| {what} | {1e3 * longest:.0f} ms | {1e3 * total:.0f} ms |"
        for what, (longest, total) in figures["steps"].items()
    ]
    if "live" in figures:
        lines += [
            "",
            "## The live slice",
            "",
            "One slice of the aligned needle, 256 pixels wide: seconds after the slider rests until"
            " each method is there, by the clock and in processor time of all cores. The first"
            " time, the networks are opened and the series is measured; later slices"
            f" (the median of {PRESSES}) need neither. Whole field: the same where a specimen has"
            f" no box. Other work shared the {machine['cores']} cores: their load was"
            f" {figures['live_load']:.0f}, so that the clock shows more than on a machine of one's"
            " own.",
            "",
            "| method | first: clock | processor | later: clock | processor |"
            " whole field: clock | processor |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        for method in figures["live"]["next"]:
            each = [figures["live"][name][method] for name in ("first", "next", "whole")]
            cells = [f"{took[clock]:.2f} s" for took in each for clock in ("wall", "cpu")]
            lines.append(f"| {label_of(method)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--live", action="store_true", help="add the times of the live slice only")
    parser.add_argument("--page", type=Path, default=MEASURED / "window-blocks.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
