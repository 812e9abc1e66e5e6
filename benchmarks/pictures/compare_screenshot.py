"""Take the picture of the Compare window in docs/compare.md: the real needle, in a real napari.

    python -m benchmarks.pictures.compare_screenshot [FILE ...] [--slices A:B] [--all] [-o DIR]

Aligns and fills the needle first; or opens finished files, such as the tilt series and what
``wedgefill fill`` made of it. Needs a display; ``xvfb-run -s "-screen 0 1920x1200x24"`` provides
one. Everything is done through buttons and mouse events, as a user would.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import napari
from napari.layers import Layer
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication

from benchmarks import DOCS
from benchmarks.pictures.screenshot import press, settle, shrink
from napari_wedgefill._napari.compare.window import CompareWidget
from napari_wedgefill._napari.files import open_needle
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.window import open_results
from napari_wedgefill.methods import DEFAULT_METHODS

WINDOW = (1500, 1000)


def main() -> None:
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    if args.files:
        viewer = open_results(args.files)
        dock = viewer.window.dock_widgets["Fill wedge"]
    else:
        viewer = napari.Viewer(title="Wedgefill", show_welcome_screen=False)
        dock = fill_needle(viewer, args.slices)
    compare = open_window(dock)
    drag_crosshair(compare)
    if args.all:
        save(compare, args.output / "compare_opened.png")
    titles = [column.title for column in compare.model.columns]
    compare.controls.minuend_box.setCurrentText(titles[-1])
    compare.controls.reference_box.setCurrentText(titles[0])
    compare.controls.profile_box.setCurrentText("along z")
    save(compare, args.output / "compare.png")
    if args.all:
        save_more(compare, args.output)
    viewer.close()


def fill_needle(viewer: napari.Viewer, slices: str) -> FillWedge:
    """Align the needle and fill some of its slices with every method."""
    for layer_data in open_needle():
        viewer.add_layer(Layer.create(*layer_data))
    dock = FillWedge(viewer)
    viewer.window.add_dock_widget(dock, name="Fill wedge", area="right")
    settle(1.0)
    press(dock, dock.prepare_page.prepare_button)
    dock.update(methods=DEFAULT_METHODS, slices=tuple(map(int, slices.split(":"))))
    seconds = press(dock, dock.footer.fill_button)
    print(f"fill: {seconds:.1f} s; {dock.footer.status.text()}")
    return dock


def open_window(dock: FillWedge) -> CompareWidget:
    """Press Compare and wait for the window."""
    dock.footer.compare_button.click()
    (compare,) = dock.native.window().findChildren(CompareWidget)
    compare.resize(*WINDOW)
    settle(1.5)
    return compare


def drag_crosshair(compare: CompareWidget) -> None:
    """Drag within the first XZ panel to the middle of the needle."""
    layout = compare.canvas.layout_now()
    panel = next(panel for panel in layout.panels if panel.plane.name == "XZ")
    rect = panel.rect
    end = QPointF(rect.left + 0.465 * rect.width, rect.top + 0.49 * rect.height)
    start = end + QPointF(0.1 * rect.width, 0.1 * rect.height)
    send_mouse(compare, QEvent.Type.MouseButtonPress, start)
    for step in range(1, 11):
        send_mouse(compare, QEvent.Type.MouseMove, start + (end - start) * step / 10)
        settle(0.02)
    send_mouse(compare, QEvent.Type.MouseButtonRelease, end)


def send_mouse(
    compare: CompareWidget,
    kind: QEvent.Type,
    place: QPointF,
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
) -> None:
    canvas = compare.canvas
    left = Qt.MouseButton.LeftButton
    where = QPointF(canvas.mapToGlobal(place.toPoint()))
    QApplication.sendEvent(canvas, QMouseEvent(kind, place, where, left, left, modifiers))


def save_more(compare: CompareWidget, output: Path) -> None:
    """Save other states of the window, and the figures that it writes."""
    for suffix in ("png", "pdf"):
        print(f"wrote {compare.figure().save(output / f'figure.{suffix}')}")
    compare.controls.contrast.linked_check.setChecked(False)
    compare.controls.row_buttons["XY"].setChecked(False)
    compare.controls.contrast.colour_box.setCurrentText("viridis")
    compare.model.look_at(compare.model.crosshair, 4.0)
    save(compare, output / "compare_zoomed.png")
    compare.resize(620, 700)
    save(compare, output / "compare_narrow.png")


def save(compare: CompareWidget, path: Path) -> None:
    settle(0.8)
    compare.grab().save(str(path))
    shrink(path)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="finished results to open instead of filling")
    parser.add_argument("--slices", default="120:136", help="A:B, slices along the tilt axis")
    parser.add_argument("--all", action="store_true", help="also other states, and the figures")
    parser.add_argument("-o", "--output", type=Path, default=DOCS / "images")
    return parser.parse_args()


if __name__ == "__main__":
    main()
