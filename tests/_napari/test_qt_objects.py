"""What is done when an object of Qt ends: never a crash, and nothing is kept alive for it."""

import gc
from weakref import ref

import pytest
from qtpy.QtWidgets import QWidget

from napari_wedgefill._napari.qt_objects import _waiting, call_at_end, expect


class Panel:
    """A part of a window that is in a cycle with its widget, as magicgui's containers are."""

    def __init__(self, heard: list[str], parent: QWidget | None = None) -> None:
        self.heard, self.native = heard, QWidget(parent)
        self.native.panel = self
        call_at_end(self.native, self.leave)

    def leave(self) -> None:
        self.heard.append("left")


@pytest.mark.parametrize("has_parent", [True, False])
def test_a_part_that_lives_on_hears_of_the_end_of_its_widget(qtbot, has_parent):
    heard: list[str] = []
    parent = QWidget()
    panel = Panel(heard, parent if has_parent else None)
    (parent if has_parent else panel.native).deleteLater()
    qtbot.waitUntil(lambda: heard == ["left"])


def test_what_is_garbage_with_its_widget_is_passed_over(qtbot):
    heard: list[str] = []
    before = len(_waiting)
    panel = Panel(heard)
    found = ref(panel)
    panel.native.deleteLater()
    del panel
    gc.collect()
    qtbot.wait(20)
    assert found() is None
    assert len(_waiting) == before


def test_what_is_not_there_is_told():
    with pytest.raises(RuntimeError, match="no such object"):
        expect(None)
