"""The pages of the documentation in a window of their own; they came with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices, QImage
from qtpy.QtWidgets import QTextBrowser, QWidget

from .qt_objects import expect

_PACKAGE = Path(__file__).parents[1]
SIZE_PX = (820, 760)
#: Left free beside a picture, for the margins of the page and a scroll bar.
FREE_PX = 40


def find_pages() -> Path:
    """Folder of the pages (a wheel's, or a checkout's)."""
    inside = _PACKAGE / "_help"
    return inside if inside.is_dir() else _PACKAGE.parents[1] / "docs"


class HelpWindow(QTextBrowser):
    """Shows a page, follows links between pages, and hands others to the browser."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowFlag(Qt.WindowType.Window)
        self.setOpenLinks(False)
        self.anchorClicked.connect(self._follow)
        self.resize(*SIZE_PX)

    def show_page(self, page: str) -> None:
        """Show a page, such as ``"tutorial.md#prepare"``."""
        name, _, section = page.partition("#")
        url = QUrl.fromLocalFile(str(find_pages() / name))
        self.setSource(url)
        if section:
            self.scrollToAnchor(section)
        self.setWindowTitle(f"Help: {Path(name).stem.replace('-', ' ')}")

    def loadResource(self, kind: int, name: QUrl) -> Any:
        """Load what a page refers to; pictures that are wider than the window are made to fit."""
        loaded = super().loadResource(kind, name)
        path = self.source().resolved(name).toLocalFile()
        if Path(path).suffix != ".png":
            return loaded
        picture, room = QImage(path), expect(self.viewport()).width() - FREE_PX
        if picture.width() <= room:
            return loaded
        return picture.scaledToWidth(room, Qt.TransformationMode.SmoothTransformation)

    def _follow(self, url: QUrl) -> None:
        if url.scheme() in ("http", "https"):
            QDesktopServices.openUrl(url)
            return
        self.setSource(self.source().resolved(url))


def open_help(page: str, parent: QWidget | None) -> HelpWindow:
    """Show a page in the window for help, which there is once."""
    found = [] if parent is None else parent.findChildren(HelpWindow)
    window = found[0] if found else HelpWindow(parent)
    window.show_page(page)
    window.show()
    window.raise_()
    return window
