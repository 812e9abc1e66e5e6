"""Contrast in the Compare window: a histogram over the slider, and numbers to type."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
from qtpy.QtCore import QPointF, QSignalBlocker, QSize, Qt
from qtpy.QtGui import QColor, QDoubleValidator, QPainter, QPaintEvent, QPalette, QPolygonF
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QDoubleRangeSlider

from .contrast import Scale
from .model import CompareModel
from .shading import COLOURMAPS

#: Of the histogram, in pixels.
HEIGHT = 22
#: Room for a number such as -0.001234.
NUMBER_WIDTH = 84
#: How much of the histogram outside the limits is seen.
OUTSIDE_ALPHA, INSIDE_ALPHA = 60, 170


class Histogram(QWidget):
    """How many voxels have which intensity, on a root scale; what is beyond the limits is faint."""

    def __init__(self) -> None:
        super().__init__()
        self._scale = Scale()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self.setToolTip("Voxels by intensity; between the limits, all colours are used.")

    def sizeHint(self) -> QSize:
        """As wide as the slider below it."""
        return QSize(120, HEIGHT)

    def show_scale(self, scale: Scale) -> None:
        """Draw the intensities that a scale was chosen from."""
        self._scale = scale
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the histogram twice: faint, and strong between the limits."""
        counts = self._scale.counts
        if not len(counts):
            return
        low, high = self._scale.range
        heights = np.sqrt(counts / max(counts.max(), 1)) * (self.height() - 1)
        edges = np.linspace(*self._scale.bounds, len(counts) + 1)
        across = (edges - low) / (high - low) * self.width()
        outline = [QPointF(across[0], self.height())]
        for k, height in enumerate(heights):
            top = self.height() - height
            outline += [QPointF(across[k], top), QPointF(across[k + 1], top)]
        shape = QPolygonF([*outline, QPointF(across[-1], self.height())])
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        colour = QColor(self.palette().color(QPalette.ColorRole.Text))
        colour.setAlpha(OUTSIDE_ALPHA)
        painter.setBrush(colour)
        painter.drawPolygon(shape)
        first, last = ((end - low) / (high - low) * self.width() for end in self._scale.limits)
        painter.setClipRect(round(first), 0, max(round(last - first), 1), self.height())
        colour.setAlpha(INSIDE_ALPHA)
        painter.setBrush(colour)
        painter.drawPolygon(shape)


class ContrastBar(QWidget):
    """Sets the contrast of the active column, or of all methods where it is linked."""

    def __init__(self, model: CompareModel) -> None:
        super().__init__()
        self._model = model
        self.label = QLabel()
        self.histogram = Histogram()
        self.slider = QDoubleRangeSlider(Qt.Orientation.Horizontal)
        self.low_edit, self.high_edit = _number("black"), _number("white")
        self.linked_check = QCheckBox("linked")
        self.linked_check.setToolTip("One contrast for all methods, or one for each column.")
        self.auto_button = QPushButton("Auto")
        self.auto_button.setToolTip("Contrast that suits the intensities.")
        self.colour_box = QComboBox()
        self.colour_box.addItems(COLOURMAPS)
        self.colour_box.setToolTip("Colours of the methods.")
        self._lay_out()
        self.slider.valueChanged.connect(model.set_limits)
        for edit in (self.low_edit, self.high_edit):
            edit.editingFinished.connect(self._take_typed)
        self.linked_check.toggled.connect(model.link_contrast)
        self.auto_button.clicked.connect(model.auto_contrast)
        self.colour_box.currentTextChanged.connect(model.set_colourmap)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        middle = QVBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.histogram)
        middle.addWidget(self.slider)
        row.addWidget(self.label)
        row.addWidget(self.low_edit)
        row.addLayout(middle, stretch=1)
        for widget in (
            self.high_edit,
            self.linked_check,
            self.auto_button,
            QLabel("Colours"),
            self.colour_box,
        ):
            row.addWidget(widget)

    def refresh(self) -> None:
        """Show what the model holds."""
        model = self._model
        with ExitStack() as quiet:
            for widget in (self.slider, self.linked_check, self.colour_box):
                quiet.enter_context(QSignalBlocker(widget))
            self.linked_check.setChecked(model.contrast.linked)
            self.colour_box.setCurrentText(model.colourmap)
            self.slider.setEnabled(bool(model.columns))
            if not model.columns:
                return
            column = model.columns[model.active]
            shared = model.contrast.linked and not column.has_own_scale
            self.label.setText("Contrast" if shared else f"Contrast of {column.title}")
            scale = model.contrast.scale(column)
            self.slider.setRange(*scale.range)
            self.slider.setValue(scale.limits)
            for edit, limit in zip((self.low_edit, self.high_edit), scale.limits, strict=True):
                if not edit.hasFocus() or edit.isModified() is False:
                    edit.setText(f"{limit:.4g}")
            self.histogram.show_scale(scale)

    def _take_typed(self) -> None:
        """Set the limits to the numbers; what is none, or the wrong way round, is taken back."""
        if not (self.low_edit.isModified() or self.high_edit.isModified()):
            return
        try:
            limits = float(self.low_edit.text()), float(self.high_edit.text())
        except ValueError:
            limits = (0.0, 0.0)
        for edit in (self.low_edit, self.high_edit):
            edit.setModified(False)
        if limits[1] > limits[0]:
            self._model.set_limits(limits)
        else:
            self.refresh()


def _number(colour: str) -> QLineEdit:
    edit = QLineEdit()
    edit.setFixedWidth(NUMBER_WIDTH)
    edit.setValidator(QDoubleValidator(edit))
    edit.setToolTip(f"Intensity shown as {colour}, or in the colour at that end; type a number.")
    return edit
