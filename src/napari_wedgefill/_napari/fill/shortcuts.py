"""Keys for what one does again and again in the dock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QKeySequence, QShortcut

if TYPE_CHECKING:
    from .dock import FillWedge

#: Methods of the dock by key; docs/tutorial.md lists the same.
KEYS = {
    "Ctrl+Return": ("fill", "Fill wedge"),
    "Ctrl+Shift+L": ("toggle_live", "Live slice on or off"),
    "Ctrl+Shift+M": ("show_next_method", "Next method alone, then all again"),
    "Ctrl+Shift+V": ("show_next_view", "Next view"),
    "Ctrl+Shift+S": ("save_session", "Save the session"),
}


def bind_keys(dock: FillWedge) -> None:
    """Let the keys work wherever the focus is in the window of a dock."""
    for key, (name, _) in KEYS.items():
        shortcut = QShortcut(QKeySequence(key), dock.native)
        shortcut.activated.connect(getattr(dock, name))


def find_key(name: str) -> str:
    """Return the key of a method of the dock."""
    return next(key for key, (method, _) in KEYS.items() if method == name)
