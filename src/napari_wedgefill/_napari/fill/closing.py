"""Notices that a dock was closed: napari takes its widget out of the window then."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget


class DockWatcher(QObject):
    """Calls back once a dock is shown, and once it was taken out of its window.

    Parameters
    ----------
    dock : QWidget
        The widget that napari puts into its window and takes out of it.
    settle : callable
        Called after each time the dock is shown.
    detach : callable
        Called when the dock has lost its parent.
    """

    def __init__(
        self, dock: QWidget, settle: Callable[[], None], detach: Callable[[], None]
    ) -> None:
        super().__init__()
        self._detach = detach
        self._was_docked = False
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(settle)
        dock.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Detach the dock once it has lost its parent."""
        if (
            isinstance(watched, QWidget)
            and event is not None
            and event.type() == QEvent.Type.ParentChange
        ):
            is_docked = watched.parent() is not None
            if self._was_docked and not is_docked:
                self._detach()
            self._was_docked = is_docked
        elif event is not None and event.type() == QEvent.Type.Show:
            # Only after the event has the theme reached what is inside.
            self._later.start(0)
        return False
