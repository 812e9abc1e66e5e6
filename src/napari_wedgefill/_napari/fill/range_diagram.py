"""A small picture of the measured directions: a fan of tilts, and the missing wedge shaded."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from ...geometry import widest_gap_deg

MEASURED, MISSING, INK = QColor(90, 170, 250), QColor(230, 90, 60, 110), QColor(170, 170, 170)
SIZE = 150
MARGIN = 14
#: Qt counts a circle's sixteenths of a degree.
QT_DEGREE = 16


class RangeDiagram(QWidget):
    """The planes of frequencies that the tilts measured, seen along the tilt axis.

    A tilt of t measures the line at t degrees from kx; what no line is near to is the wedge.

    Parameters
    ----------
    angles_deg : sequence of float
        Measured tilts in degrees.
    """

    def __init__(self, angles_deg: Sequence[float]) -> None:
        super().__init__()
        self._angles_deg = [float(angle) for angle in angles_deg]
        self.setFixedSize(SIZE, SIZE)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        start, extent = widest_gap_deg(self._angles_deg)
        self._wedge = start, extent
        self.setToolTip(
            f"Directions that were measured (blue), and the wedge of {extent:.0f} degrees that "
            "was not (red), seen along the tilt axis."
        )

    def paintEvent(self, event: object) -> None:  # Qt names it
        """Draw the fan."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, radius = QPointF(SIZE / 2, SIZE / 2), SIZE / 2 - MARGIN
        circle = QRectF(middle.x() - radius, middle.y() - radius, 2 * radius, 2 * radius)
        start, extent = self._wedge
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(MISSING)
        for turn in (0, 180):
            # The picture's y runs down as z does in a slice, Qt's angles run up: the sign.
            painter.drawPie(circle, round(-(start + turn) * QT_DEGREE), round(-extent * QT_DEGREE))
        painter.setPen(QPen(MEASURED, 1))
        for angle in self._angles_deg:
            painter.save()
            painter.translate(middle)
            painter.rotate(angle)
            painter.drawLine(QPointF(-radius, 0), QPointF(radius, 0))
            painter.restore()
        painter.setPen(INK)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(circle)
        painter.drawText(QRectF(SIZE - MARGIN, SIZE / 2 - 9, MARGIN, 18), "kx")
        painter.drawText(
            QRectF(SIZE / 2 - 10, SIZE - MARGIN, 20, MARGIN), Qt.AlignmentFlag.AlignCenter, "kz"
        )
        painter.end()
