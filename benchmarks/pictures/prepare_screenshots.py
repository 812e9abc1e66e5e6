"""Prepare the needle in a real napari as a new user would, and take the pictures on the way.

    python -m benchmarks.pictures.prepare_screenshots [FILE] [--size W H] [-o DIR]

Needs a display; ``xvfb-run -s "-screen 0 1920x1200x24"`` provides one. From dropping the raw file
to a clean slice of the needle: prints every click, what the window says after it, how long it took,
and how much processor time, which counts where the machine is shared. Pictures: the hint on
opening, the prepared series, the table of tilts, the live slice, and the slice of a displaced tilt
axis.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import napari
from qtpy.QtWidgets import QApplication

from benchmarks import DOCS
from benchmarks.pictures.screenshot import close_notifications, settle, shrink
from benchmarks.pictures.tutorial_screenshots import MARGIN_PX, WINDOW
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill.samples import needle_path

#: A new user opens the dock with three clicks: Plugins, Wedgefill, Fill wedge.
MENU_CLICKS = 3
DISPLACED_PX = 8.0
POLL_S = 0.1


class User:
    """Clicks, waits and looks, and counts it.

    Parameters
    ----------
    path : Path
        File that is dropped.
    size : tuple of int
        Of the window, in pixels.
    folder : Path
        Where the pictures go.
    """

    def __init__(self, path: Path, size: tuple[int, int], folder: Path) -> None:
        self.folder = folder
        self.viewer = napari.Viewer(title="Wedgefill", show_welcome_screen=False)
        self.viewer.window._qt_window.resize(*size)
        settle(1.0)
        self._began, self._cpu_began = time.perf_counter(), time.process_time()
        self._looking_s = 0.0
        self.viewer.open(path, plugin="napari-wedgefill")
        _, self.dock = self.viewer.window.add_plugin_dock_widget("napari-wedgefill", "Fill wedge")
        assert isinstance(self.dock, FillWedge)
        self.n_clicks = MENU_CLICKS
        self._tell("Plugins > Wedgefill > Fill wedge")

    def click(self, what: str, click: Callable[[], object], is_done: Callable[[], bool]) -> None:
        """Click once, and wait until what it does is done."""
        click()
        self.n_clicks += 1
        self.wait(is_done)
        self._tell(what)

    def wait(self, is_done: Callable[[], bool]) -> None:
        """Wait for something, and for the window to be complete."""
        turns = self.dock.workbench.turns
        while not (is_done() and turns.is_idle):
            QApplication.processEvents()
            time.sleep(POLL_S)  # a window that waits leaves the processor to the work

    def look(self, name: str, part: bool = False) -> None:
        """Take a picture of the window, or of the dock alone; this time does not count."""
        began = time.perf_counter()
        settle(0.8)
        close_notifications(self.viewer)
        path = self.folder / f"prepare_{name}.png"
        if part:
            dock = self.dock.native
            picture = dock.grab(dock.rect().adjusted(-MARGIN_PX, 0, MARGIN_PX, 0))
            picture.save(str(path))
        else:
            self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        shrink(path)
        self._looking_s += time.perf_counter() - began

    def _tell(self, what: str) -> None:
        seconds = time.perf_counter() - self._began - self._looking_s
        processor = time.process_time() - self._cpu_began
        print(
            f"{self.n_clicks} clicks, {seconds:.1f} s ({processor:.1f} s of processor time): {what}"
        )


def main() -> None:
    args = arguments()
    args.output.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    user = User(args.file, tuple(args.size), args.output)
    dock, page = user.dock, user.dock.prepare_page
    user.wait(lambda: page.chosen.plan.glance is not None)
    print(page.hint.text())
    user.look("open")
    idle = lambda: not dock.workbench.is_running  # noqa: E731
    user.click("Prepare", page.prepare_button.click, idle)
    print(page.history.text())
    user.look("done")
    live = dock.live_slice
    user.click(
        "Live slice",
        dock.live.native.click,
        lambda: not live.is_working and len(live.layers) == len(dock.methods.value),
    )
    user.look("live")
    dock.live.value = False
    look_closer(user)
    user.viewer.close()


def look_closer(user: User) -> None:
    """Take pictures of the table, and of a slice whose tilt axis was displaced by hand."""
    dock, page = user.dock, user.dock.prepare_page
    for section in (*dock.sections[2:4], dock.sections[0]):
        section.fold(True)
    page.sections["Tilts"].fold(False)
    user.wait(lambda: True)
    user.look("tilts", part=True)
    page.sections["Tilts"].fold(True)
    page.sections["Tilt axis"].fold(False)
    dock.follow.value = True
    user.wait(lambda: page.axis.layer is not None and not page.axis.is_working)
    dock.move_px.value = DISPLACED_PX
    user.wait(lambda: not page.axis.is_working)
    user.look("axis")
    dock.follow.value = False


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=needle_path())
    parser.add_argument("--size", type=int, nargs=2, default=WINDOW, metavar=("W", "H"))
    parser.add_argument("-o", "--output", type=Path, default=DOCS / "images")
    return parser.parse_args()


if __name__ == "__main__":
    main()
