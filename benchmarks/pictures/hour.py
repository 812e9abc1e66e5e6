"""Live an hour in one window, with real clicks, and check by pixels what is on the screen.

    python -m benchmarks.pictures.hour [--slices A:B] [--methods ...] [-o DIR]

Opens the needle, fills it, prepares and fills it again, compares, opens another series, goes back,
looks at surfaces, saves the session, deletes everything, opens the session, and exports. After each
step the canvas is photographed, and every cell is compared with the slice that should be in it.
Needs a display; ``xvfb-run -s "-screen 0 1920x1200x24"`` provides one. Ends with an error at the
first step that shows something else.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import mrcfile
import napari
import numpy as np
from napari.layers import Image, Layer
from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QLineEdit, QMessageBox, QWidget

from benchmarks.pictures.screenshot import close_notifications, settle
from napari_wedgefill._napari.compare.window import CompareWidget
from napari_wedgefill._napari.files import open_needle, open_simulated_particle
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.fill.export import name_file
from napari_wedgefill._napari.runs import Run
from napari_wedgefill.methods import DEFAULT_METHODS

WINDOW = (1500, 950)
#: Mean difference of grey values allowed between the screen and the slice, of 255.
GREY_WITHIN = 6.0
#: Part of a cell at its edges that is not looked at: names and the scale bar are drawn there.
EDGE = 0.15
#: On a machine that does much else, too.
LONGEST_S = 3600.0


class Hour:
    """A window, and what one does in it.

    Parameters
    ----------
    slices : tuple of int
        Of the needle, filled.
    methods : tuple of str
        That fill it.
    folder : Path
        Where sessions and exports go.
    pictures : Path or None
        Where each step is photographed.
    """

    def __init__(
        self,
        slices: tuple[int, int],
        methods: tuple[str, ...],
        folder: Path,
        pictures: Path | None,
    ) -> None:
        self.slices, self.methods = slices, methods
        self.folder, self.pictures = folder, pictures
        self.viewer = napari.Viewer(title="Wedgefill", show_welcome_screen=False)
        self.viewer.window._qt_window.resize(*WINDOW)
        self.dock = FillWedge(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="Fill wedge", area="right")
        self.rest()
        self._count = 0

    # Hands

    def click(self, button: QWidget) -> None:
        """Click, and wait until everything is shown."""
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        self.rest()

    def rest(self) -> None:
        """Wait until the window has done what it was asked to."""
        self.wait(lambda: self.dock.workbench.turns.is_idle)
        settle(0.3)

    def wait(self, is_done: Callable[[], bool]) -> None:
        """Let the window live until something is so."""
        end = time.monotonic() + LONGEST_S
        while not is_done():
            settle(0.05)
            if time.monotonic() > end:
                raise SystemExit("the window did not come to rest")

    def fill(self) -> None:
        """Press Fill wedge and wait."""
        self.click(self.dock.footer.fill_button)
        self.wait(lambda: not self.dock.workbench.is_running)
        self.rest()

    def answer(self, press: Callable[[QWidget], None]) -> None:
        """Do something with the next dialog that opens."""

        def look() -> None:
            if (dialog := QApplication.activeModalWidget()) is None:
                QTimer.singleShot(100, look)
            else:
                press(dialog)

        QTimer.singleShot(100, look)

    # Eyes

    def see(self, step: str, *layers: Image) -> None:
        """Check that these layers, and nothing else, are on the canvas."""
        shown = [layer for layer in self.viewer.layers if layer.visible]
        self.demand(step, shown == list(layers), f"shown are {[layer.name for layer in shown]}")
        picture = self.viewer.screenshot(canvas_only=True, flash=False)
        for index, layer in enumerate(layers):
            difference = compare_cell(self.viewer, picture, layer, index)
            self.demand(step, difference <= GREY_WITHIN, f"{layer.name} is off by {difference:.1f}")
        if not layers:
            self.demand(step, not picture[..., :3].any(), "the canvas is not empty")
        self.photograph(step)
        print(f"{step}: {', '.join(layer.name for layer in layers) or 'nothing'}", flush=True)

    def demand(self, step: str, is_so: bool, otherwise: str) -> None:
        """Stop where something is not as it must be."""
        if not is_so:
            self.photograph(f"{step} failed")
            raise SystemExit(f"{step}: {otherwise}")

    def photograph(self, step: str) -> None:
        """Save the window."""
        self._count += 1
        if self.pictures is not None:
            close_notifications(self.viewer)
            path = self.pictures / f"hour_{self._count:02d}_{step.replace(' ', '_')}.png"
            self.viewer.screenshot(str(path), canvas_only=False, flash=False)

    # The hour

    def live(self) -> None:
        """All of it."""
        viewer, dock, foot = self.viewer, self.dock, self.dock.footer
        needle = self._open(open_needle)
        self.see("opened", needle)
        dock.update(methods=self.methods, slices=self.slices)
        self.fill()
        first = dock.workbench.runs.runs[0]
        self.see("filled", *first.volumes.values())
        for name in ("XY", "YZ", "XZ"):
            self.click(foot.view_buttons[name])
            self.demand(name, foot.view_buttons[name].isChecked(), "its button is not lit")
            self.see(f"view {name}", *first.volumes.values())
        self.click(foot.view_buttons["Tilts"])
        self.see("tilts again", needle)
        self.click(dock.prepare_page.prepare_button)
        self.wait(lambda: not dock.workbench.is_running)
        self.rest()
        self.see("prepared", dock.series.value)
        self.fill()
        second = dock.workbench.runs.runs[1]
        self.see("prepared and filled", *second.volumes.values())
        self._compare(second)
        particle = self._open(lambda: open_simulated_particle()[-1:])
        self.see("another opened", particle)
        self.demand("another opened", dock.series.value is particle, "the box shows another series")
        dock.series.value = next(layer for layer in viewer.layers if layer is second.source)
        self.rest()
        self.click(foot.view_buttons["XZ"])
        self.see("back to the run", *second.volumes.values())
        self._look_at_surfaces(second)
        session = self._save_session()
        viewer.layers.clear()
        self.rest()
        self.see("all deleted")
        particle = self._open(lambda: open_simulated_particle()[-1:])
        self.see("opened after deleting", particle)
        viewer.layers.clear()
        self.rest()
        dock.actions.open_session(session)
        self.wait(lambda: foot.status.text().startswith("Opened"))
        self.rest()
        again = next(run for run in dock.workbench.runs.runs if run.title == second.title)
        self.see("session opened", *again.volumes.values())
        self._export(again)

    def _open(self, read: Callable[[], list]) -> Image:
        for data in read():
            layer = self.viewer.add_layer(Layer.create(*data))
        self.rest()
        return layer

    def _compare(self, run: Run) -> None:
        self.click(self.dock.footer.compare_button)
        (compare,) = self.viewer.window._qt_window.findChildren(CompareWidget)
        settle(1.0)
        shown = [column.data for column in compare.model.methods]
        wanted = [layer.data for layer in run.volumes.values()]
        same = len(shown) == len(wanted) and all(a is b for a, b in zip(shown, wanted, strict=True))
        self.demand("compare", same, "its columns are of another run")
        grey = grab(compare.canvas)
        columns = np.array_split(grey, len(shown), axis=1)
        spread = [float(column.std()) for column in columns]
        self.demand("compare", min(spread) > 5.0, f"a column is empty ({spread})")
        compare.window().close()
        print(f"compare: {len(shown)} columns", flush=True)

    def _look_at_surfaces(self, run: Run) -> None:
        self.click(self.dock.footer.view_buttons["3-D"])
        settle(1.0)
        picture = self.viewer.screenshot(canvas_only=True, flash=False)
        rows, columns = self.viewer.canvas.grid.shape
        lit = [
            float((cell[..., :3].max(axis=-1) > 20).mean())
            for band in np.array_split(picture, rows)
            for cell in np.array_split(band, columns, axis=1)
        ]
        self.photograph("surfaces")
        self.demand("surfaces", min(lit[: len(run.volumes)]) > 0.005, f"a cell is empty ({lit})")
        self.click(self.dock.solid.count_button.native)
        self.wait(lambda: not self.dock.solid.is_working)
        self.rest()
        table = self.dock.solid.table
        self.demand("objects", table is not None and len(table.rows) > 0, "none were found")
        self.photograph("objects")
        print(f"objects: {table.sentence}", flush=True)
        self.click(self.dock.footer.view_buttons["XZ"])

    def _save_session(self) -> Path:
        path = self.folder / "hour.wedgefill.json"
        self.answer(lambda box: box.button(QMessageBox.StandardButton.Save).click())
        self.dock.actions.save_session(path)
        self.wait(lambda: self.dock.footer.status.text().startswith("Saved"))
        return path

    def _export(self, run: Run) -> None:
        def press(dialog: QWidget) -> None:
            folder = dialog.findChildren(QLineEdit)[0]
            folder.setText(str(target))
            boxes = dialog.findChildren(QDialogButtonBox)
            ok = boxes[0].button(QDialogButtonBox.StandardButton.Ok)
            QTest.mouseClick(ok, Qt.MouseButton.LeftButton)

        target = self.folder / "exported"
        target.mkdir()
        self.answer(press)
        self.click(self.dock.footer.export_button)
        self.wait(lambda: self.dock.footer.status.text().startswith("Wrote"))
        written = {name_file(layer.name): layer for layer in run.volumes.values()}
        for name, layer in written.items():
            with mrcfile.open(target / name) as file:
                self.demand("export", np.array_equal(file.data, layer.data), f"{name} differs")
        print(f"export: {', '.join(written)}", flush=True)


def compare_cell(viewer: napari.Viewer, picture: np.ndarray, layer: Image, index: int) -> float:
    """Mean difference in grey between a cell on the screen and the slice that should be in it.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the camera and the sliders are.
    picture : ndarray, uint8, (height, width, 4)
        The canvas.
    layer : Image
        A tilt series (tilt, y, x) or a volume (z, y, x) in grey.
    index : int
        Of the cell, row by row.
    """
    grid = viewer.canvas.grid
    n_rows, n_columns = grid.shape if grid.enabled else (1, 1)
    height, width = picture.shape[0] / n_rows, picture.shape[1] / n_columns
    row, column = divmod(index, n_columns)
    # Pixels within the cell, away from its edges, and the voxels that they show.
    down = np.arange(int(EDGE * height), int((1 - EDGE) * height), 3)
    across = np.arange(int(EDGE * width), int((1 - EDGE) * width), 3)
    camera, axes = viewer.scene.camera, list(viewer.dims.displayed)
    world = np.empty((len(down), len(across), 3))
    # The slider stands on whole steps; a point in the middle of two says nothing of which is shown.
    ranges = viewer.dims.range
    steps = zip(ranges, viewer.dims.current_step, strict=True)
    world[...] = [axis.start + step * axis.step for axis, step in steps]
    world[..., axes[0]] = (camera.center[-2] + (down + 0.5 - height / 2) / camera.zoom)[:, None]
    world[..., axes[1]] = camera.center[-1] + (across + 0.5 - width / 2) / camera.zoom
    voxels = (world - layer.translate) / layer.scale
    found = np.rint(voxels).astype(int)
    inside = ((found >= 0) & (found < np.array(layer.data.shape))).all(axis=-1)
    # A pixel at the border of two voxels may show either.
    clear = (np.abs(voxels - found)[..., axes] < 0.3).all(axis=-1) & inside
    if clear.sum() < 100:
        return float("inf")
    low, high = layer.contrast_limits
    values = np.asarray(layer.data)[tuple(found[clear].T)]
    wanted = 255 * np.clip((values - low) / (high - low), 0, 1)
    top, left = int(row * height), int(column * width)
    seen = picture[top + down[:, None], left + across][..., 0][clear]
    return float(np.abs(seen - wanted).mean())


def grab(widget: QWidget) -> np.ndarray:
    """What a widget shows, in grey, (height, width)."""
    picture = widget.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(picture.constBits().asarray(picture.sizeInBytes()), np.uint8)
    return rows.reshape(picture.height(), picture.bytesPerLine())[:, : picture.width()]


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", default="126:130", help="A:B, slices along the tilt axis")
    parser.add_argument("--methods", default=",".join(DEFAULT_METHODS))
    parser.add_argument("-o", "--output", type=Path, help="photograph every step into this folder")
    return parser.parse_args()


def main() -> None:
    args = read_arguments()
    if args.output is not None:
        args.output.mkdir(parents=True, exist_ok=True)
    first, stop = map(int, args.slices.split(":"))
    with tempfile.TemporaryDirectory() as folder:
        hour = Hour((first, stop), tuple(args.methods.split(",")), Path(folder), args.output)
        hour.live()
        hour.viewer.close()
    print("the hour went by, and every picture was as it should be")


if __name__ == "__main__":
    main()
