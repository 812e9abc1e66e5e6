"""Pages of the documentation in the window, and keys that the tutorial lists."""

from qtpy.QtGui import QKeySequence

from napari_wedgefill._napari.fill.actions import Actions
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.fill.sections import PAGES
from napari_wedgefill._napari.fill.shortcuts import KEYS
from napari_wedgefill._napari.fill.views import Views
from napari_wedgefill._napari.help import find_pages, open_help

OWNERS = {"": FillWedge, "actions": Actions, "views": Views}


def test_every_section_has_a_page_that_opens(qtbot):
    for page in set(PAGES.values()):
        window = open_help(page, None)
        qtbot.addWidget(window)
        assert len(window.toPlainText()) > 500
        assert window.windowTitle().startswith("Help: ")


def test_pictures_fit_the_window(qtbot):
    window = open_help("prepare.md", None)
    qtbot.addWidget(window)
    assert "images/prepare_open.png" in window.toHtml()
    assert window.horizontalScrollBar().maximum() == 0


def test_every_key_does_something_and_is_in_the_tutorial():
    tutorial = (find_pages() / "tutorial.md").read_text("utf-8")
    for key, (name, what) in KEYS.items():
        assert not QKeySequence(key).isEmpty()
        owner, _, method = name.rpartition(".")
        assert callable(getattr(OWNERS[owner], method))
        assert f"| {key} | {what} |" in tutorial
