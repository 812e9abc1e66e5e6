"""Colours of the window and of the printed figure."""

from __future__ import annotations

from dataclasses import dataclass, field

from qtpy.QtGui import QColor

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


def line_colour(index: int) -> QColor:
    """Colour of a column's profile."""
    return LINES[index % len(LINES)]
