"""Upper part of the Fill wedge widget: which tilt series, and what is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import napari
from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from ...errors import WedgefillError
from ...io import read_angles
from ..layers import TRUST, LayerMap, remember_angles, remember_pixel
from .angle_text import describe_angles, format_angles, parse_angles
from .form import form_on, number, row

TYPED = "your entry"
_LAYER_EVENTS = ("inserted", "removed", "renamed", "reordered")
#: Room for a shift with its sign and unit, in pixels, without the buttons.
SHIFT_WIDTH = 110


class SeriesPanel(QWidget):
    """Series, angles, pixel size, tilt axis and alignment.

    Parameters
    ----------
    viewer : napari.Viewer
        Its image layers are offered.
    """

    series_changed = Signal()
    failed = Signal(object)

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._layers: list[Image] = []
        self._angle_source = ""
        self._build()
        for event in _LAYER_EVENTS:
            getattr(viewer.layers.events, event).connect(self.refresh_layers)
        self.destroyed.connect(lambda: self._detach())
        self.refresh_layers()

    def _detach(self) -> None:
        """Leave nothing behind that calls a widget which is gone."""
        for event in _LAYER_EVENTS:
            getattr(self._viewer.layers.events, event).disconnect(self.refresh_layers)

    def _build(self) -> None:
        self.layer_box = QComboBox()
        self.layer_box.setToolTip("The stack of projection images to reconstruct.")
        self.layer_box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.layer_box.currentIndexChanged.connect(self._show_layer)

        self.angle_edit = QLineEdit()
        self.angle_edit.setPlaceholderText("start:stop:step, such as -60:60:2")
        self.angle_edit.setToolTip(
            "Tilt angles in degrees, one per image: start:stop:step, or a pasted list."
        )
        self.angle_edit.editingFinished.connect(self._angles_typed)
        self.angle_button = QPushButton("Load\N{HORIZONTAL ELLIPSIS}")
        self.angle_button.setToolTip("Read the angles from a .tlt, .rawtlt or .mdoc file.")
        self.angle_button.clicked.connect(self._choose_angle_file)
        self.angle_line = QLabel()
        self.angle_line.setWordWrap(True)
        self.angle_line.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

        self.pixel_box = number(0.0, 1e6, decimals=4, suffix=" nm")
        self.pixel_box.setSpecialValueText("not known")
        self.pixel_box.setToolTip("Edge of one image pixel on the specimen, in nanometres.")
        self.pixel_box.editingFinished.connect(self._pixel_typed)

        self.axis_box = QComboBox()
        self.axis_box.addItem("up (y)", "y")
        self.axis_box.addItem("across (x)", "x")
        self.axis_box.currentIndexChanged.connect(lambda _: self.series_changed.emit())
        self.axis_box.setToolTip(
            "How the tilt axis runs in the images as napari shows them.\n"
            "It runs up when features move left and right from tilt to tilt."
        )
        self.shift_box = number(-9999.0, 9999.0, decimals=2, suffix=" px")
        # The theme lets number boxes shrink until the unit is cut off.
        self.shift_box.setStyleSheet(f"min-width: {SHIFT_WIDTH}px;")
        self.shift_box.setToolTip(
            "Distance of the tilt axis from the image centre, in pixels; positive to the right.\n"
            "A wrong value turns points into arcs in the XZ slice."
        )
        self.align_check = QCheckBox("Align images first")
        self.align_check.setToolTip(
            "Shift the images onto a common tilt axis and find the axis.\n"
            "Leave it off for series that are aligned already (.ali)."
        )
        self._lay_out()

    def _lay_out(self) -> None:
        form = form_on(self)
        form.addRow("Tilt series", self.layer_box)
        form.addRow("Angles", row(self.angle_edit, self.angle_button))
        form.addRow(self.angle_line)
        form.addRow("Pixel size", self.pixel_box)
        form.addRow("Tilt axis", row(self.axis_box, QLabel("shift"), self.shift_box))
        form.addRow("", self.align_check)

    @property
    def layer(self) -> Image | None:
        """The chosen layer."""
        index = self.layer_box.currentIndex()
        return self._layers[index] if index >= 0 else None

    @property
    def n_slices(self) -> int:
        """Number of slices along the tilt axis of the chosen layer."""
        if self.layer is None:
            return 1
        return int(self.layer.data.shape[2 if self.axis == "x" else 1])

    @property
    def axis(self) -> str:
        """``"y"`` where the tilt axis runs up the images, ``"x"`` where it runs across."""
        return str(self.axis_box.currentData())

    @property
    def angle_source(self) -> str:
        """Where the angles in the field come from."""
        return self._angle_source

    @property
    def pixel_nm(self) -> float | None:
        """The pixel size in nanometres; None where it is not known."""
        return self.pixel_box.value() or None

    def choose(self, layer: Image) -> None:
        """Select a layer in the combo box."""
        self.layer_box.setCurrentIndex(self._layers.index(layer))

    def refresh_layers(self, event: Any = None) -> None:
        """Follow the viewer's layer list; keep the choice where it still exists."""
        chosen = self.layer
        candidates = [layer for layer in self._viewer.layers if _may_be_series(layer)]
        self.layer_box.blockSignals(True)
        self._layers = candidates
        self.layer_box.clear()
        self.layer_box.addItems([layer.name for layer in candidates])
        keep = chosen if chosen in candidates else (candidates[-1] if candidates else None)
        self.layer_box.setCurrentIndex(-1 if keep is None else candidates.index(keep))
        self.layer_box.blockSignals(False)
        if keep is not chosen or keep is None:
            self._show_layer()

    def _show_layer(self) -> None:
        layer = self.layer
        if layer is None:
            self.angle_edit.clear()
            self.angle_line.setText("Open a tilt series, or drop its file into the window.")
        else:
            seen = LayerMap.of(layer)
            self.pixel_box.setValue(seen.pixel_nm or 0.0)
            self.shift_box.setValue(float(seen.fields.get("axis_shift_px", 0.0)))
            self.axis_box.blockSignals(True)
            self.axis_box.setCurrentIndex(0)
            self.axis_box.blockSignals(False)
            self._angle_source = seen.angle_source
            angles = seen.angles_deg
            self.angle_edit.setText("" if angles is None else format_angles(angles))
            self._describe()
            self.angle_line.setToolTip(seen.provenance)
        self.series_changed.emit()

    def _describe(self) -> None:
        layer = self.layer
        if layer is None:
            return
        try:
            angles = parse_angles(self.angle_edit.text())
        except WedgefillError as error:
            self.angle_line.setText(str(error))
            return
        words = describe_angles(angles, self._angle_source)
        if len(angles) != len(layer.data):
            words += f"; but there are {len(layer.data)} images"
        self.angle_line.setText(words)

    def _angles_typed(self) -> None:
        layer = self.layer
        if layer is None or not self.angle_edit.isModified():
            return
        self.angle_edit.setModified(False)
        self._angle_source = TYPED
        self._keep_angles()

    def _keep_angles(self) -> None:
        try:
            angles = parse_angles(self.angle_edit.text())
            if len(angles) == len(self.layer.data):
                remember_angles(self.layer, angles, self._angle_source)
        except WedgefillError as error:
            self.failed.emit(error)
        self._describe()

    def _choose_angle_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Load tilt angles", "", "Tilt angles (*.tlt *.rawtlt *.mdoc *.txt);;All files (*)"
        )
        if path:
            self.load_angles(Path(path))

    def load_angles(self, path: Path) -> None:
        """Read angles, in the order of the images in their file, and show them."""
        if self.layer is None:
            return
        try:
            angles = LayerMap.of(self.layer).angles_from_file(read_angles(path))
        except WedgefillError as error:
            self.failed.emit(error)
            return
        self._angle_source = path.name
        self.angle_edit.setText(format_angles(angles))
        self._keep_angles()

    def _pixel_typed(self) -> None:
        layer = self.layer
        if layer is not None and self.pixel_nm != LayerMap.of(layer).pixel_nm:
            remember_pixel(layer, self.pixel_nm)


def _may_be_series(layer: Any) -> bool:
    return (
        isinstance(layer, Image)
        and layer.ndim == 3
        and not layer.rgb
        and not layer.multiscale
        and LayerMap.of(layer).kind not in ("volume", TRUST)
    )
