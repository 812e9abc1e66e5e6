"""A small plot: the residual of each tilt, a line a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

from .inputs import METHOD_LABELS

COLOURS = {
    "wbp": QColor(160, 160, 160),
    "sart": QColor(90, 170, 250),
    "sirt": QColor(120, 210, 210),
    "tvm": QColor(250, 190, 80),
    "gan": QColor(240, 110, 150),
}
INK = QColor(170, 170, 170)
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 22, 22
SMALLEST = (300, 150)

#: One method may be so many times worse than the next before its line leaves the plot.
ALONE = 3.0


def highest_shown(maxima: Sequence[float]) -> float:
    """Upper end of the axis: above every line, unless one would press all others flat."""
    ordered = sorted(maxima) or [1.0]
    highest = ordered[-1]
    if len(ordered) > 1 and ordered[-2] > 0 and highest > ALONE * ordered[-2]:
        highest = ALONE * ordered[-2]
    return 1.05 * highest or 1.0


class ResidualPlot(QWidget):
    """Relative error of the reprojected volume at each measured tilt.

    Parameters
    ----------
    angles_deg : sequence of float
        Measured tilts in degrees, ascending.
    residuals : mapping of str to sequence of float
        By method, one a tilt.
    """

    def __init__(
        self, angles_deg: Sequence[float], residuals: Mapping[str, Sequence[float]]
    ) -> None:
        super().__init__()
        self._angles = [float(angle) for angle in angles_deg]
        self._residuals = {method: list(values) for method, values in residuals.items()}
        self._top = highest_shown([max(values) for values in self._residuals.values()])
        self.setMinimumSize(*SMALLEST)
        self.setToolTip(
            "How far each measured image is from the volume's projection, over the image itself."
        )

    def paintEvent(self, event: object) -> None:  # Qt names it
        """Draw the frame, the legend and the lines."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(LEFT, TOP, self.width() - LEFT - RIGHT, self.height() - TOP - BOTTOM)
        self._draw_frame(painter, box)
        x = LEFT
        for method in self._residuals:
            painter.setPen(COLOURS.get(method, INK))
            label = METHOD_LABELS.get(method, method)
            painter.drawText(QPointF(x, TOP - 7), label)
            x += painter.fontMetrics().horizontalAdvance(label) + 14
        painter.setClipRect(box)
        for method, values in self._residuals.items():
            painter.setPen(QPen(COLOURS.get(method, INK), 1.6))
            places = zip(self._angles, values, strict=True)
            painter.drawPolyline(QPolygonF([self._place(box, a, v) for a, v in places]))
        painter.end()

    def _draw_frame(self, painter: QPainter, box: QRectF) -> None:
        painter.setPen(QPen(INK, 1))
        painter.drawRect(box)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for value, y in ((self._top, box.top()), (0.0, box.bottom())):
            painter.drawText(QRectF(0, y - 9, LEFT - 6, 18), right, f"{100 * value:.3g} %")
        centre = Qt.AlignmentFlag.AlignCenter
        below = QRectF(box.left(), box.bottom() + 2, box.width(), BOTTOM - 2)
        painter.drawText(below, centre, "residual by tilt angle")
        ends = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight)
        for angle, side in zip((self._angles[0], self._angles[-1]), ends, strict=True):
            painter.drawText(
                below, side | Qt.AlignmentFlag.AlignVCenter, f"{angle:.0f}\N{DEGREE SIGN}"
            )

    def _place(self, box: QRectF, angle: float, value: float) -> QPointF:
        first, last = self._angles[0], self._angles[-1]
        across = (angle - first) / max(last - first, 1e-9)
        return QPointF(
            box.left() + across * box.width(), box.bottom() - value / self._top * box.height()
        )
