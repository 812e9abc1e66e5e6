"""The angle of the image that is seen, written onto the canvas."""

from __future__ import annotations

from typing import Any

from napari.layers import Image

from ..cells import TILTS
from ..layers import SERIES, LayerMap
from ..stage import Stage


class TiltOverlay:
    """Writes the tilt angle where the slider shows only a number.

    Parameters
    ----------
    stage : Stage
        Of the viewer.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._overlay = stage.viewer.canvas.overlays.text
        self._wrote = False
        stage.viewer.dims.events.point.connect(self.write)
        stage.changed.connect(self.write)

    @property
    def layer(self) -> Image | None:
        """The series whose images are seen."""
        shown = self._stage.shown
        return shown[0] if shown and self._stage.view == TILTS else None

    @property
    def tilt(self) -> int | None:
        """Number of the image that is seen."""
        layer = self.layer
        if layer is None or len(self._stage.viewer.dims.point) < layer.ndim:
            return None
        at = round(float(layer.world_to_data(self._stage.viewer.dims.point)[0]))
        return min(max(at, 0), len(layer.data) - 1)

    def write(self, event: Any = None) -> None:
        """Write the angle of the image at the slider, or nothing where no tilts are seen."""
        layer, tilt = self.layer, self.tilt
        angles = None if layer is None else LayerMap.of(layer).angles_deg
        if layer is None or tilt is None or angles is None or len(angles) != len(layer.data):
            self.clear()
            return
        is_series = LayerMap.of(layer).kind == SERIES
        self._overlay.text = f"tilt {angles[tilt]:+.1f}\N{DEGREE SIGN}" if is_series else ""
        self._overlay.position = "top_left"
        self._overlay.visible = self._wrote = True

    def clear(self) -> None:
        """Take the text away."""
        if self._wrote:
            self._overlay.visible = self._wrote = False

    def disconnect(self) -> None:
        """Follow the slider no more; the text stays, as the canvas may be gone already."""
        self._stage.viewer.dims.events.point.disconnect(self.write)
        self._stage.changed.disconnect(self.write)
