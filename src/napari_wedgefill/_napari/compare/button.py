"""The button that opens the Compare window."""

from __future__ import annotations

from typing import Any

import napari
from qtpy.QtWidgets import QMainWindow, QPushButton

from ..fill.volume_view import volumes_in


class CompareButton(QPushButton):
    """Opens the Compare window; enabled while there are two volumes to compare.

    Parameters
    ----------
    viewer : napari.Viewer
        Holds the volumes.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__("Compare\N{HORIZONTAL ELLIPSIS}")
        self.setToolTip("Orthoslices, power spectra and profiles of all volumes in one window.")
        self._viewer = viewer
        self.clicked.connect(self.open)
        self._events = (viewer.layers.events.inserted, viewer.layers.events.removed)
        for event in self._events:
            event.connect(self._count_volumes)
        self.destroyed.connect(lambda: self._detach())
        self._count_volumes()

    def open(self) -> None:
        """Open the window, or bring it to the front."""
        # It compiles on first use: not before it is wanted.
        from .window import open_compare

        main = self.parentWidget()
        while main is not None and not isinstance(main, QMainWindow):
            main = main.parentWidget()
        open_compare(self._viewer, main)

    def _count_volumes(self, event: Any = None) -> None:
        self.setEnabled(len(volumes_in(self._viewer)) > 1)

    def _detach(self) -> None:
        for event in self._events:
            event.disconnect(self._count_volumes)
