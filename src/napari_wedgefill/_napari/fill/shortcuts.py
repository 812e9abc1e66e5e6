"""Keys for what one does again and again in the dock."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QMenu

from ..qt_objects import expect

if TYPE_CHECKING:
    from .dock import FillWedge

#: What each key does: the name of a method of the dock, and in words, as docs/tutorial.md has it.
KEYS = {
    "Ctrl+Return": ("fill", "Fill wedge"),
    "Ctrl+Shift+L": ("actions.toggle_live", "Live slice on or off"),
    "Ctrl+Shift+M": ("views.show_next_method", "Next method alone, then all again"),
    "Ctrl+Shift+V": ("views.show_next", "Next view"),
    "Ctrl+Shift+S": ("actions.save_session", "Save the session"),
}


def bind_keys(dock: FillWedge) -> None:
    """Let the keys work wherever the focus is in the window of a dock."""
    menu = QMenu(dock.native)  # it makes actions, and is never shown
    for key, (name, what) in KEYS.items():
        action = expect(menu.addAction(what))
        action.setShortcut(QKeySequence(key))
        act = attrgetter(name)(dock)
        action.triggered.connect(lambda _=False, act=act: act())
        dock.native.addAction(action)
