"""Colours, pens and words of the window and of the printed figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from .layout import Rect

#: Lines of a profile, one a column; told apart by colour-blind eyes as well (Okabe and Ito).
LINES = tuple(
    QColor(*rgb)
    for rgb in (
        (86, 180, 233),
        (230, 159, 0),
        (0, 158, 115),
        (204, 121, 167),
        (213, 94, 0),
        (0, 114, 178),
        (240, 228, 66),
    )
)


@dataclass(frozen=True)
class Theme:
    """Colours.

    Attributes
    ----------
    paper : QColor
        Around the panels.
    ground : QColor
        Within a panel, where there is no volume.
    ink, faint : QColor
        Words, and words of less weight.
    grid : QColor
        Lines of the plot.
    mark : QColor
        Crosshair, and the column whose contrast is set.
    wedge : QColor
        Edges of what was measured, and the line of a profile.
    bar, rim : QColor
        Scale bars, and the thin line around them.
    """

    paper: QColor
    ground: QColor
    ink: QColor
    faint: QColor
    grid: QColor
    mark: QColor = field(default_factory=lambda: QColor(255, 176, 0))
    wedge: QColor = field(default_factory=lambda: QColor(80, 200, 255))
    bar: QColor = field(default_factory=lambda: QColor(255, 255, 255))
    rim: QColor = field(default_factory=lambda: QColor(0, 0, 0))

    @property
    def outside(self) -> int:
        """The ground as 0xAARRGGBB."""
        return int(self.ground.rgb())


DARK = Theme(
    paper=QColor(38, 41, 48),
    ground=QColor(24, 26, 31),
    ink=QColor(240, 241, 242),
    faint=QColor(150, 155, 165),
    grid=QColor(52, 56, 64),
)
LIGHT = Theme(
    paper=QColor(239, 235, 233),
    ground=QColor(222, 218, 216),
    ink=QColor(35, 35, 38),
    faint=QColor(110, 110, 115),
    grid=QColor(205, 201, 199),
)
PAPER = Theme(
    paper=QColor(255, 255, 255),
    ground=QColor(255, 255, 255),
    ink=QColor(0, 0, 0),
    faint=QColor(90, 90, 90),
    grid=QColor(225, 225, 225),
)


def line_colours(chosen: Sequence[str]) -> list[QColor]:
    """Colours of the columns' profiles: each its own, unless another column took it before.

    Parameters
    ----------
    chosen : sequence of str
        Colour of each column as ``#rrggbb``; empty for any.
    """
    colours: list[QColor] = []
    for index, name in enumerate(chosen):
        own = [QColor(name)] if name else []
        spare = [*LINES[index:], *LINES[:index]]
        free = [colour for colour in (*own, *spare) if colour not in colours]
        colours.append((free or spare)[0])
    return colours


LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
MIDDLE = Qt.AlignmentFlag.AlignCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def qt_rect(rect: Rect) -> QRectF:
    """Return the rectangle as Qt's."""
    return QRectF(rect.left, rect.top, rect.width, rect.height)


def make_pen(colour: QColor, width: float) -> QPen:
    """Return a pen."""
    pen = QPen(colour)
    pen.setWidthF(width)
    return pen


@dataclass(frozen=True)
class Lettering:
    """How words look.

    Attributes
    ----------
    size : int
        Height of the font in the painter's units.
    colour : QColor
        Of the words.
    bold : bool
        Heavier.
    rim : QColor, optional
        Colour around each letter, which keeps words readable on any ground.
    """

    size: int
    colour: QColor
    bold: bool = False
    rim: QColor | None = None


def write(
    painter: QPainter,
    place: QRectF,
    text: str,
    lettering: Lettering,
    alignment: Qt.AlignmentFlag,
    *,
    room: float | None = None,
) -> float:
    """Write one line.

    Parameters
    ----------
    painter : QPainter
        Active.
    place : QRectF
        Where; of words that are too long the middle is left out.
    text : str
        What.
    lettering : Lettering
        How they look.
    alignment : Qt.AlignmentFlag
        Within `place`.
    room : float, optional
        Nothing is written where the words are wider than this.

    Returns
    -------
    float
        Width of the words.
    """
    font = QFont(painter.font())
    font.setPixelSize(lettering.size)
    font.setBold(lettering.bold)
    painter.setFont(font)
    metrics = QFontMetricsF(font)
    text = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, place.width())
    width = metrics.horizontalAdvance(text)
    if room is not None and width > room:
        return width
    flags = int(alignment) | int(Qt.TextFlag.TextDontClip)
    if lettering.rim is not None:
        painter.setPen(lettering.rim)
        offset = max(lettering.size / 13, 0.5)
        for dx, dy in ((-offset, 0), (offset, 0), (0, -offset), (0, offset)):
            painter.drawText(place.translated(dx, dy), flags, text)
    painter.setPen(lettering.colour)
    painter.drawText(place, flags, text)
    return width
