"""Count the frames per second of the Compare window while its crosshair is dragged.

    python -m benchmarks.speed.compare_window [--size 512] [--seconds 5] [--write]

Four methods on cubes of random voxels, window of 1600 x 1000 pixels, real mouse events. Needs a
display; under ``xvfb-run -s "-screen 0 1920x1200x24"`` everything is drawn by software. Prints
frames per second by the clock, and milliseconds of this process' own time per frame, which say
how many frames there would be on an otherwise idle core; the display server's share is left out.
``--write`` puts the figures into docs/compare.md.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from benchmarks import DOCS
from benchmarks.speed.page import describe_machine
from benchmarks.speed.sections import count_in_words, format_table
from napari_wedgefill._napari.compare.canvas import CompareCanvas
from napari_wedgefill._napari.compare.columns import VolumeColumn
from napari_wedgefill._napari.compare.model import CompareModel
from napari_wedgefill._napari.compare.planes import PLANES, SPECTRUM

WINDOW = (1600, 1000)
TITLES = ("WBP", "SART", "TVM", "GAN")
PAGE = DOCS / "compare.md"
#: Between these the page holds what this script prints.
MARKS = ("<!-- benchmarks/speed/compare_window.py -->", "<!-- end -->")


@dataclass(frozen=True)
class Measured:
    """One kind of drag.

    Attributes
    ----------
    what : str
        In words.
    frames_per_s, own_ms, longest_ms : float
        By the clock; of this process a frame; of the longest frame, by the clock.
    """

    what: str
    frames_per_s: float
    own_ms: float
    longest_ms: float


class CountingCanvas(CompareCanvas):
    """Counts how often it is drawn."""

    frames = 0

    def paintEvent(self, event):
        super().paintEvent(event)
        self.frames += 1


def main() -> None:
    args = parse_arguments()
    application = QApplication.instance() or QApplication([])
    model = make_model(args.size)
    canvas = CountingCanvas(model)
    canvas.resize(*WINDOW)
    canvas.show()
    end = time.perf_counter() + 1.0
    while time.perf_counter() < end:
        application.processEvents()
    print(f"{len(TITLES)} volumes of {args.size}^3 voxels, window of {WINDOW[0]} x {WINDOW[1]}")
    found = []
    for plane in PLANES:
        found.append(report(f"in {plane.name}, all rows", drag(canvas, plane.name, args.seconds)))
    model.show_row(SPECTRUM, False)
    found.append(report("in XY, without spectra", drag(canvas, "XY", args.seconds)))
    model.set_difference("GAN", "WBP")
    model.set_profile_axis(2)
    model.show_row(SPECTRUM, True)
    found.append(
        report("in XY, with difference and profile", drag(canvas, "XY", args.seconds)),
    )
    if args.write:
        write_into_page(render(found, args.size))


def make_model(size: int) -> CompareModel:
    """Four volumes of noise, each in memory of its own (half a gigabyte at 512^3)."""
    random = np.random.default_rng(0)
    model = CompareModel()
    angles = tuple(range(-60, 61, 2))
    columns = []
    for title in TITLES:
        data = random.random((size, size, size), dtype=np.float32)
        columns.append(VolumeColumn(title, data, angles_deg=angles))
    model.set_methods(columns)
    return model


def drag(canvas: CountingCanvas, row: str, seconds: float) -> tuple[float, float, float]:
    """Drag along a figure of eight, one mouse event at a time.

    Returns
    -------
    tuple of float
        Frames per second, milliseconds of this process per frame, longest frame in milliseconds.
    """
    panel = next(p for p in canvas.layout_now().panels if p.plane.name == row)
    rect = panel.rect
    middle = QPointF(rect.left + rect.width / 2, rect.top + rect.height / 2)
    reach = 0.35 * min(rect.width, rect.height)
    send(canvas, QEvent.Type.MouseButtonPress, middle)
    QApplication.processEvents()
    canvas.frames = 0
    start, own = time.perf_counter(), time.process_time()
    longest = 0.0
    for step in itertools.count():
        before = time.perf_counter()
        turn = step / 40
        send(
            canvas,
            QEvent.Type.MouseMove,
            middle + reach * QPointF(math.sin(turn), math.sin(1.3 * turn)),
        )
        QApplication.processEvents()
        now = time.perf_counter()
        longest = max(longest, now - before)
        if now - start > seconds:
            break
    elapsed, spent = time.perf_counter() - start, time.process_time() - own
    send(canvas, QEvent.Type.MouseButtonRelease, middle)
    return canvas.frames / elapsed, 1e3 * spent / canvas.frames, 1e3 * longest


def send(canvas: CountingCanvas, kind: QEvent.Type, place: QPointF) -> None:
    left = Qt.MouseButton.LeftButton
    where = QPointF(canvas.mapToGlobal(place.toPoint()))
    none = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(canvas, QMouseEvent(kind, place, where, left, left, none))


def report(what: str, measured: tuple[float, float, float]) -> Measured:
    rate, own, longest = measured
    print(
        f"drag {what:37s} {rate:6.1f} frames/s, longest {longest:5.1f} ms; "
        f"own time {own:5.1f} ms per frame ({1e3 / own:.0f} frames/s)"
    )
    return Measured(what, rate, own, longest)


def render(found: list[Measured], size: int) -> str:
    """Return what the page says: the machine, and a table."""
    here = describe_machine()
    rows = [
        [m.what, f"{m.own_ms:.1f}", f"{1e3 / m.own_ms:.0f}", f"{m.frames_per_s:.0f}"] for m in found
    ]
    head = ["drag", "own ms per frame", "frames/s of a free core", "frames/s by the clock"]
    return (
        f"{len(TITLES)} volumes of {size} x {size} x {size} voxels, a window of {WINDOW[0]} x "
        f"{WINDOW[1]} pixels, drawn by software on a\nvirtual display; {here['processor']}, "
        f"{count_in_words(here['cores'])}, shared with other work.\n\n{format_table(head, rows)}"
    )


def write_into_page(text: str, page: Path = PAGE) -> None:
    """Put the figures between the marks of the page."""
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1], 1)[1]
    page.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}", encoding="utf-8")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="voxels along each edge")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each drag")
    parser.add_argument("--write", action="store_true", help="the figures into docs/compare.md")
    return parser.parse_args()


if __name__ == "__main__":
    main()
