"""Take the README's screenshots: the real needle, filled in a real napari window.

    python benchmarks/screenshot.py [--methods wbp,sart,tvm,gan] [--slices A:B] [-o docs/images]

Needs a display; ``xvfb-run -s "-screen 0 1920x1080x24"`` provides one. Everything is done through
the widget's buttons, as a user would. Prints how long each step took.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import napari
from napari.layers import Layer
from qtpy.QtWidgets import QApplication

from napari_wedgefill._napari.fill_widget import FillWedgeWidget
from napari_wedgefill._napari.sample_data import open_needle

WINDOW = (1600, 900)
ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(title="Wedgefill", show_welcome_screen=False)
    viewer.window._qt_window.resize(*WINDOW)
    for layer_data in open_needle():
        viewer.add_layer(Layer.create(*layer_data))
    widget = FillWedgeWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Fill wedge", area="right")
    close_notifications(viewer)
    save(viewer, args.output / "opened.png")

    methods = args.methods.split(",")
    for method, check in widget.method_panel.method_checks.items():
        check.setChecked(method in methods)
    widget.series_panel.align_check.setChecked(True)
    if args.slices:
        first, stop = map(int, args.slices.split(":"))
        widget.method_panel.stop_box.setValue(stop)
        widget.method_panel.first_box.setValue(first)
    seconds = press(widget, widget.run_panel.fill_button, shot=lambda: save(
        viewer, args.output / "running.png", wait_s=0.0
    ))  # fmt: skip
    print(f"align and fill: {seconds:.1f} s; {widget.run_panel.status.text()}")
    close_notifications(viewer)
    save(viewer, args.output / "screenshot.png")
    for view in ("XY", "YZ"):
        widget.run_panel.view_buttons[view].click()
        save(viewer, args.output / f"view_{view.lower()}.png")
    widget.run_panel.view_buttons["XZ"].click()
    for attempt in ("first", "second"):
        seconds = press(widget, widget.run_panel.preview_button)
        print(f"preview, {attempt} time: {seconds:.2f} s; {widget.run_panel.status.text()}")
    save(viewer, args.output / "preview.png")
    viewer.close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", default="wbp,sart,tvm,gan")
    parser.add_argument("--slices", help="A:B, slices along the tilt axis; all by default")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "images")
    return parser.parse_args()


def press(widget: FillWedgeWidget, button, shot=None) -> float:
    """Press a button and wait for the job to end; take a picture half way if asked to."""
    started = time.perf_counter()
    button.click()
    while widget.is_running:
        settle(0.05)
        if shot is not None and widget.run_panel.bar.value() > 500:
            shot()
            shot = None
    return time.perf_counter() - started


def settle(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def close_notifications(viewer: napari.Viewer) -> None:
    """Wait until the window is drawn, then close what would cover the picture."""
    settle(1.0)
    from napari._qt.dialogs.qt_notification import NapariQtNotification

    for note in viewer.window._qt_window.findChildren(NapariQtNotification):
        note.close()


def save(viewer: napari.Viewer, path: Path, wait_s: float = 0.7) -> None:
    settle(wait_s)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
