"""Count the frames a second of the Compare window while its crosshair is dragged.

    python benchmarks/compare_window.py [--size 512] [--seconds 5]

Four methods on cubes of random voxels, window of 1600 x 1000 pixels, real mouse events. Needs a
display; under ``xvfb-run -s "-screen 0 1920x1200x24"`` everything is drawn by software. Prints
frames a second as the clock has it, and milliseconds of this process' own time a frame, which say
how many frames there would be on a core that nothing else uses; the display server's share is left
out.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time

import numpy as np
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from napari_wedgefill._napari.compare_window.canvas import CompareCanvas
from napari_wedgefill._napari.compare_window.columns import VolumeColumn
from napari_wedgefill._napari.compare_window.model import CompareModel
from napari_wedgefill._napari.compare_window.planes import PLANES, SPECTRUM

WINDOW = (1600, 1000)
TITLES = ("WBP", "SART", "TVM", "GAN")


class CountingCanvas(CompareCanvas):
    """Counts how often it is drawn."""

    frames = 0

    def paintEvent(self, event):
        super().paintEvent(event)
        self.frames += 1


def main() -> None:
    args = arguments()
    application = QApplication.instance() or QApplication([])
    model = model_of(args.size)
    canvas = CountingCanvas(model)
    canvas.resize(*WINDOW)
    canvas.show()
    end = time.perf_counter() + 1.0
    while time.perf_counter() < end:
        application.processEvents()
    print(f"{len(TITLES)} volumes of {args.size}^3 voxels, window of {WINDOW[0]} x {WINDOW[1]}")
    for plane in PLANES:
        report(f"drag in {plane.name}, all rows", drag(canvas, plane.name, args.seconds))
    model.show_row(SPECTRUM, False)
    report("drag in XY, without spectra", drag(canvas, "XY", args.seconds))
    model.set_difference("GAN", "WBP")
    model.set_profile_axis(2)
    model.show_row(SPECTRUM, True)
    report("drag in XY, with difference and profile", drag(canvas, "XY", args.seconds))


def model_of(size: int) -> CompareModel:
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
    """Drag along a figure of eight, one mouse event after another is dealt with.

    Returns
    -------
    tuple of float
        Frames a second, milliseconds of this process a frame, longest frame in milliseconds.
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


def report(what: str, measured: tuple[float, float, float]) -> None:
    rate, own, longest = measured
    print(
        f"{what:42s} {rate:6.1f} frames/s, longest {longest:5.1f} ms; "
        f"own time {own:5.1f} ms a frame ({1e3 / own:.0f} frames/s)"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="voxels along each edge")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each drag")
    return parser.parse_args()


if __name__ == "__main__":
    main()
