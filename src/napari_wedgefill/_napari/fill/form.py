"""Small pieces of Qt forms that the panels share."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QDoubleSpinBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QWidget,
)


def form_on(panel: QWidget) -> QFormLayout:
    """Give a panel a form without margins whose fields use the whole width."""
    form = QFormLayout(panel)
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


def row(*widgets: QWidget) -> QHBoxLayout:
    """Put widgets side by side; labels and buttons stay narrow, the others share the rest."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget, stretch=0 if isinstance(widget, QLabel | QPushButton) else 1)
    return layout


def number(low: float, high: float, *, decimals: int, suffix: str) -> QDoubleSpinBox:
    """Return a spin box for a number with a unit."""
    box = QDoubleSpinBox()
    box.setRange(low, high)
    box.setDecimals(decimals)
    box.setSuffix(suffix)
    return box


def line() -> QFrame:
    """Return a thin horizontal line."""
    frame = QFrame()
    frame.setFrameShape(QFrame.Shape.HLine)
    frame.setStyleSheet("color: gray;")
    frame.setMaximumHeight(1)
    return frame


def align_labels(*panels: QWidget) -> None:
    """Give the label columns of the panels' forms one width."""
    forms = [panel.layout() for panel in panels]
    labels = [
        item.widget()
        for form in forms
        for index in range(form.rowCount())
        if (item := form.itemAt(index, QFormLayout.ItemRole.LabelRole)) and item.widget()
    ]
    width = max(label.sizeHint().width() for label in labels)
    for label in labels:
        label.setMinimumWidth(width)
