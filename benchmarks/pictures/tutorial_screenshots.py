"""Take the pictures of docs/tutorial.md: the needle, from opening to export, in a real napari.

    python -m benchmarks.pictures.tutorial_screenshots [--slices A:B] [-o DIR]

Needs a display; ``xvfb-run -s "-screen 0 1920x1200x24"`` provides one. Everything is done through
the widget's buttons, as a user would, on a few slices, so that it takes minutes. Prints what the
window says, for the text beside the pictures.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import napari
from qtpy.QtCore import QPoint, QRect
from qtpy.QtWidgets import QApplication, QWidget

from benchmarks import DOCS
from benchmarks.pictures import screenshot
from benchmarks.pictures.compare_screenshot import drag_crosshair, open_window
from benchmarks.pictures.screenshot import close_notifications, press, settle, shrink
from napari_wedgefill._napari.compare.window import CompareWidget
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.layer_kinds import list_trust_maps, list_volumes
from napari_wedgefill._napari.results.window import ResultsWindow
from napari_wedgefill.methods import DEFAULT_METHODS

WINDOW = (1360, 960)
COMPARE = (1120, 520)
MARGIN_PX = 4


def main() -> None:
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    viewer, dock = screenshot.open_window(WINDOW)
    pictures = Pictures(viewer, dock, args.output)
    print(f"prepare: {press(dock, dock.prepare_page.prepare_button):.0f} s")
    choose(dock, *map(int, args.slices.split(":")))
    fill(viewer, dock)
    pictures.filled()
    pictures.compared()
    pictures.checked()
    pictures.exported()
    viewer.close()


def choose(dock: FillWedge, first: int, stop: int) -> None:
    """Tick the checks, and choose slices."""
    dock.update(
        methods=DEFAULT_METHODS,
        slices=(first, stop),
        self_check=True,
        trust_map=True,
    )


def fill(viewer: napari.Viewer, dock: FillWedge) -> None:
    """Press Fill wedge, wait, and print what the window says."""
    seconds = press(dock, dock.footer.fill_button)
    print(f"fill and check: {seconds:.0f} s; {dock.footer.status.text()}")
    print(dock.verdict.words.text())
    if not (list_volumes(viewer) and list_trust_maps(viewer)):
        raise SystemExit("the fill gave no volumes, so no picture was taken")
    close_notifications(viewer)


class Pictures:
    """Takes the pictures and puts them into a folder as ``tutorial_<name>.png``."""

    def __init__(self, viewer: napari.Viewer, dock: FillWedge, folder: Path) -> None:
        self._viewer, self._dock, self._folder = viewer, dock, folder

    def filled(self) -> None:
        """Only the volumes: the trust map has its own picture."""
        self._dock.workbench.stage.show_volumes(list_volumes(self._viewer))
        self.window("filled")

    def compared(self) -> None:
        """XZ slices and spectra; so few slices leave nothing to see in the other rows."""
        compare: CompareWidget = open_window(self._dock)
        for plane in ("XY", "YZ"):
            compare.controls.row_buttons[plane].setChecked(False)
        compare.resize(*COMPARE)
        settle(1.0)
        drag_crosshair(compare)
        titles = [column.title for column in compare.model.columns]
        compare.controls.minuend_box.setCurrentText(titles[-1])
        compare.controls.reference_box.setCurrentText(titles[0])
        settle(0.8)
        self._save("compare", compare)
        compare.window().close()

    def checked(self) -> None:
        """The trust map beside its volume, the panel's verdict, and the table of results."""
        self._dock.footer.trust_button.click()
        self.window("trust")
        for section in self._dock.sections[:4]:
            section.fold(True)
        self.part("verdict", self._dock.sections[4].native)
        press(self._dock, self._dock.footer.results_button)
        settle(1.0)
        for window in self._viewer.window._qt_window.findChildren(ResultsWindow):
            self._save("results", window)
            window.close()

    def exported(self) -> None:
        """The footer, with Export in it."""
        self.part("export", self._dock.footer)

    def window(self, name: str) -> None:
        """All of napari."""
        settle(0.8)
        path = self._path(name)
        self._viewer.screenshot(str(path), canvas_only=False, flash=False)
        shrink(path)

    def part(self, name: str, *panels: QWidget) -> None:
        """Neighbouring panels of the widget, as the screen shows them."""
        settle(2.0)
        area = QRect()
        for panel in panels:
            area = area.united(QRect(panel.mapToGlobal(QPoint(0, 0)), panel.size()))
        self._grab(name, area)

    def _grab(self, name: str, area: QRect) -> None:
        area = area.adjusted(-MARGIN_PX, -MARGIN_PX, MARGIN_PX, MARGIN_PX)
        screen = QApplication.primaryScreen()
        shown = screen.grabWindow(0, area.x(), area.y(), area.width(), area.height())
        path = self._path(name)
        shown.save(str(path))
        shrink(path)

    def _save(self, name: str, window: QWidget) -> None:
        path = self._path(name)
        window.grab().save(str(path))
        shrink(path)

    def _path(self, name: str) -> Path:
        return self._folder / f"tutorial_{name}.png"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", default="124:130", help="A:B, slices along the tilt axis")
    parser.add_argument("-o", "--output", type=Path, default=DOCS / "images")
    return parser.parse_args()


if __name__ == "__main__":
    main()
