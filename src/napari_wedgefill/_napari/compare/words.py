"""Words, pens and rectangles for a QPainter."""

from __future__ import annotations

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from .layout import Rect

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
MIDDLE = Qt.AlignmentFlag.AlignCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def qt_rect(rect: Rect) -> QRectF:
    """Return the rectangle as Qt's."""
    return QRectF(rect.left, rect.top, rect.width, rect.height)


def pen_of(colour: QColor, width: float) -> QPen:
    """Return a pen."""
    pen = QPen(colour)
    pen.setWidthF(width)
    return pen


def write(
    painter: QPainter,
    place: QRectF,
    text: str,
    size: int,
    colour: QColor,
    alignment: Qt.AlignmentFlag,
    *,
    bold: bool = False,
    rim: QColor | None = None,
    room: float | None = None,
) -> float:
    """Write one line; a rim keeps it readable on any ground.

    Parameters
    ----------
    painter : QPainter
        Active.
    place : QRectF
        Where; of words that are too long the middle is left out.
    text : str
        What.
    size : int
        Height of the font in the painter's units.
    colour : QColor
        Of the words.
    alignment : Qt.AlignmentFlag
        Within `place`.
    bold : bool
        Heavier.
    rim : QColor, optional
        Colour around each letter.
    room : float, optional
        Nothing is written where the words are wider than this.

    Returns
    -------
    float
        Width of the words.
    """
    font = QFont(painter.font())
    font.setPixelSize(size)
    font.setBold(bold)
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    text = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, place.width())
    width = metrics.horizontalAdvance(text)
    if room is not None and width > room:
        return width
    flags = int(alignment) | int(Qt.TextFlag.TextDontClip)
    if rim is not None:
        painter.setPen(rim)
        offset = max(size / 13, 0.5)
        for dx, dy in ((-offset, 0), (offset, 0), (0, -offset), (0, offset)):
            painter.drawText(place.translated(dx, dy), flags, text)
    painter.setPen(colour)
    painter.drawText(place, flags, text)
    return width
