"""Small plots of the Results window: curves by method, and the measured range of tilts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from ...geometry import widest_gap_deg
from ...methods import METHODS, label_of
from ...trust.results_table import ResultsTable

INK = QColor(170, 170, 170)
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 22, 22
SMALLEST = (240, 150)
#: One method may be so many times worse than the next before its line leaves the plot.
ALONE = 3.0

#: Places along both axes.
Curve = tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True)
class Curves:
    """What a plot shows.

    Attributes
    ----------
    name, explanation : str
        Below the plot, and for those who point at it.
    curves : dict of str to tuple of sequences
        By method: places along the horizontal axis, ascending, and values.
    ends : tuple of str
        What stands at the left and the right end of the horizontal axis.
    top : float
        Highest value that fits.
    top_label, bottom_label : str
        What stands beside it, and beside the lower end.
    levels : tuple of float
        Values at which a thin line is drawn.
    """

    name: str
    explanation: str
    curves: Mapping[str, Curve]
    ends: tuple[str, str]
    top: float
    top_label: str
    levels: tuple[float, ...] = ()
    bottom_label: str = "0"


def residual_curves(angles_deg: Sequence[float], table: ResultsTable) -> Curves:
    """Relative error of the reprojected volumes at each measured tilt."""
    top = choose_top([max(values) for values in table.residuals.values()])
    return Curves(
        "residual by tilt",
        "How far each measured image is from the volume's projection, over the image itself.",
        {method: (angles_deg, values) for method, values in table.residuals.items()},
        (f"{angles_deg[0]:.0f}\N{DEGREE SIGN}", f"{angles_deg[-1]:.0f}\N{DEGREE SIGN}"),
        top,
        f"{100 * top:.3g} %",
    )


def shell_curves(table: ResultsTable) -> Curves | None:
    """Correlation of the halves of the series by frequency; None where there are no halves."""
    found = table.curves.get("shell_correlation", {})
    methods = found.get("methods", {})
    if not methods:
        return None
    return Curves(
        "FSC of half series",
        "Fourier shell correlation of the volumes of the odd and of the even tilts, up to half a\n"
        "cycle a voxel; the lines are at 0.5 and 0.143. Not for networks: their halves agree on\n"
        "what they make up.",
        {m: (known["cycles_per_voxel"], known["correlation"]) for m, known in methods.items()},
        ("0", "0.5"),
        1.05,
        "1",
        tuple(found["thresholds"]),
    )


def histogram_curves(table: ResultsTable) -> Curves | None:
    """Voxels by density on a logarithmic scale; None where nothing was counted."""
    counted = table.curves.get("histogram", {})
    if not counted:
        return None
    curves: dict[str, Curve] = {}
    for method, found in counted.items():
        low, high = found["range"]
        edges = np.linspace(low, high, len(found["counts"]) + 1)
        middles = (edges[1:] + edges[:-1]) / 2
        curves[method] = middles.tolist(), np.log10(np.maximum(found["counts"], 1)).tolist()
    top = max(max(values) for _, values in curves.values())
    first = min(places[0] for places, _ in curves.values())
    last = max(places[-1] for places, _ in curves.values())
    return Curves(
        "histogram",
        "Voxels of each volume by density, counts on a logarithmic scale. Where two hills are\n"
        "well apart, Otsu's threshold parts them.",
        curves,
        (_brief(first), _brief(last)),
        1.05 * top or 1.0,
        f"{10**top:.0e}".replace("e+0", "e"),
        bottom_label="1",
    )


def find_colour(method: str) -> QColor:
    """Colour of a method's line, the same in every window."""
    return QColor(METHODS[method].colour) if method in METHODS else INK


def _brief(value: float) -> str:
    """Three digits, or the whole number where that is shorter than an exponent."""
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e5 else f"{value:.3g}"


def choose_top(maxima: Sequence[float]) -> float:
    """Upper end of the axis: above every line, unless one would press all others flat."""
    ordered = sorted(maxima) or [1.0]
    highest = ordered[-1]
    if len(ordered) > 1 and ordered[-2] > 0 and highest > ALONE * ordered[-2]:
        highest = ALONE * ordered[-2]
    return 1.05 * highest or 1.0


class CurvePlot(QWidget):
    """Draws curves, a colour a method.

    Parameters
    ----------
    shown : Curves
        What to draw.
    """

    def __init__(self, shown: Curves) -> None:
        super().__init__()
        self.shown = shown
        places = [place for along, _ in shown.curves.values() for place in along]
        self._first, self._last = (min(places), max(places)) if places else (0.0, 1.0)
        self.setMinimumSize(*SMALLEST)
        self.setToolTip(shown.explanation)

    def paintEvent(self, event: object) -> None:  # Qt names it
        """Draw the frame, the legend and the lines."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(LEFT, TOP, self.width() - LEFT - RIGHT, self.height() - TOP - BOTTOM)
        self._draw_frame(painter, box)
        x = LEFT
        for method in self.shown.curves:
            painter.setPen(find_colour(method))
            label = label_of(method)
            painter.drawText(QPointF(x, TOP - 7), label)
            x += painter.fontMetrics().horizontalAdvance(label) + 14
        painter.setClipRect(box)
        painter.setPen(QPen(INK, 0.5))
        for level in self.shown.levels:
            ends = [self._place(box, place, level) for place in (self._first, self._last)]
            painter.drawLine(*ends)
        for method, curve in self.shown.curves.items():
            painter.setPen(QPen(find_colour(method), 1.6))
            painter.drawPolyline(
                QPolygonF([self._place(box, a, v) for a, v in zip(*curve, strict=True)])
            )
        painter.end()

    def _draw_frame(self, painter: QPainter, box: QRectF) -> None:
        painter.setPen(QPen(INK, 1))
        painter.drawRect(box)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for label, y in (
            (self.shown.top_label, box.top()),
            (self.shown.bottom_label, box.bottom()),
        ):
            painter.drawText(QRectF(0, y - 9, LEFT - 6, 18), right, label)
        centre = Qt.AlignmentFlag.AlignCenter
        below = QRectF(box.left(), box.bottom() + 2, box.width(), BOTTOM - 2)
        painter.drawText(below, centre, self.shown.name)
        sides = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight)
        for label, side in zip(self.shown.ends, sides, strict=True):
            painter.drawText(below, side | Qt.AlignmentFlag.AlignVCenter, label)

    def _place(self, box: QRectF, along: float, value: float) -> QPointF:
        part = (along - self._first) / max(self._last - self._first, 1e-9)
        return QPointF(
            box.left() + part * box.width(),
            box.bottom() - value / self.shown.top * box.height(),
        )


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
