"""Take the README's screenshots: the real needle, filled in a real napari window.

    python -m benchmarks.pictures.screenshot [--methods ...] [--slices A:B] [--all] [-o DIR]

Needs a display; ``xvfb-run -s "-screen 0 1920x1080x24"`` provides one. Everything is done through
the widget's buttons, as a user would. Prints how long each step took.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import napari
from napari.layers import Layer
from PIL import Image
from qtpy.QtWidgets import QApplication, QPushButton

from benchmarks import DOCS
from napari_wedgefill._napari.files import open_needle
from napari_wedgefill._napari.fill import workbench
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.layer_kinds import list_volumes

WINDOW = (1600, 900)


def main() -> None:
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    viewer, dock = open_window(WINDOW)
    if args.all:
        save(viewer, args.output / "opened.png")
    methods = args.methods.split(",")
    press(dock, dock.prepare_page.prepare_button)
    dock.update(methods=methods, self_check=False, trust_map=False)
    if args.slices:
        dock.slices.value = tuple(map(int, args.slices.split(":")))
    running = args.output / "running.png" if args.all else None
    seconds = press(dock, dock.footer.fill_button, running)
    print(f"fill: {seconds:.1f} s; {dock.footer.status.text()}")
    if len(list_volumes(viewer)) != len(methods):
        raise SystemExit("not every method gave a volume, so no picture was taken")
    close_notifications(viewer)
    save(viewer, args.output / "screenshot.png")
    if args.all:
        save_views_and_live_slice(viewer, dock, args.output)
    viewer.close()


def open_window(size: tuple[int, int]) -> tuple[napari.Viewer, FillWedge]:
    """Open napari with the needle in it and the dock beside it; `size` in pixels."""
    viewer = napari.Viewer(title="Wedgefill", show_welcome_screen=False)
    viewer.window._qt_window.resize(*size)
    for layer_data in open_needle():
        viewer.add_layer(Layer.create(*layer_data))
    dock = FillWedge(viewer)
    viewer.window.add_dock_widget(dock, name="Fill wedge", area="right")
    close_notifications(viewer)
    return viewer, dock


def save_views_and_live_slice(viewer: napari.Viewer, dock: FillWedge, output: Path) -> None:
    for view in ("XY", "YZ"):
        dock.footer.view_buttons[view].click()
        save(viewer, output / f"view_{view.lower()}.png")
    for attempt in ("first", "second"):
        started = time.perf_counter()
        dock.live.value = True
        settle(0.2)
        while dock.live_slice.is_working:
            settle(0.02)
        print(f"live slice, {attempt} time: {time.perf_counter() - started:.2f} s")
        if attempt == "second":
            save(viewer, output / "live_slice.png")
        dock.live.value = False


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", default="wbp,sart,tvm,gan")
    parser.add_argument("--slices", help="A:B, slices along the tilt axis; all by default")
    parser.add_argument(
        "--all",
        action="store_true",
        help="also the opened series, a run, views, a live slice",
    )
    parser.add_argument("-o", "--output", type=Path, default=DOCS / "images")
    return parser.parse_args()


def press(dock: FillWedge, button: QPushButton, running: Path | None = None) -> float:
    """Press a button and wait for the job to end; take a picture half way if asked to."""
    started = time.perf_counter()
    button.click()
    bar = dock.footer.bar
    while dock.workbench.is_running:
        settle(0.05)
        if running is not None and bar.value() > bar.maximum() / 2:
            save(dock.workbench.viewer, running, wait_s=0.0)
            running = None
    return time.perf_counter() - started


def settle(seconds: float) -> None:
    """Let the window draw, for so long after it has arranged all that it was asked to."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.01)
        if not all(bench.turns.is_idle for bench in list(workbench._workbenches.values())):
            end = time.perf_counter() + seconds


def close_notifications(viewer: napari.Viewer) -> None:
    """Wait until the window is drawn, then close what would cover the picture."""
    settle(1.0)
    from napari._qt.dialogs.qt_notification import NapariQtNotification

    for note in viewer.window._qt_window.findChildren(NapariQtNotification):
        note.close()


def save(viewer: napari.Viewer, path: Path, wait_s: float = 0.7) -> None:
    settle(wait_s)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    shrink(path)


def shrink(path: Path) -> None:
    """Write a picture again with 256 colours: a window has few, and a page loads many pictures."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(f"wrote {path.name}, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
