"""The crosshair and the main viewer's sliders follow one another."""

from __future__ import annotations

from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QObject, QTimer

from .model import CompareModel

#: The main viewer takes far longer to draw than this window, so it follows when a drag rests.
REST_MS = 80


class ViewerLink(QObject):
    """Keeps a model's crosshair and a viewer's current point at the same place.

    Parameters
    ----------
    model : CompareModel
        Its crosshair.
    viewer : napari.Viewer
        Its last three dimensions are (z, y, x).
    parent : QObject
        Owns this link.
    """

    def __init__(self, model: CompareModel, viewer: napari.Viewer, parent: QObject) -> None:
        super().__init__(parent)
        self._model, self._viewer = model, viewer
        self._is_following = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self.push)
        model.moved.connect(self._moved)
        viewer.dims.events.point.connect(self.follow)

    def follow(self, event: Any = None) -> None:
        """Move the crosshair to where the viewer's sliders are."""
        if self._viewer.dims.ndim < 3:
            return
        z, y, x = self._viewer.dims.point[-3:]
        self._is_following = True
        self._model.move_to((float(z), float(y), float(x)))
        self._is_following = False

    def push(self) -> None:
        """Move the viewer's sliders to the crosshair."""
        dims = self._viewer.dims
        if dims.ndim < 3 or np.allclose(dims.point[-3:], self._model.crosshair):
            return
        dims.set_point(range(dims.ndim - 3, dims.ndim), self._model.crosshair)

    def detach(self) -> None:
        """Stop."""
        self._viewer.dims.events.point.disconnect(self.follow)

    def _moved(self) -> None:
        if not self._is_following:
            self._timer.start()
