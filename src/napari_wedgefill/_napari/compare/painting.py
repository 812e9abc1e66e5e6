"""Draw a layout with a QPainter: the same code for the window, PNG and PDF."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from qtpy.QtCore import QPointF, QRectF
from qtpy.QtGui import QImage, QPainter

from ...comparison import round_length
from .columns import Column
from .layout import Layout, Panel
from .model import CompareModel
from .pictures import Pictures
from .planes import AXES, SPECTRUM
from .plot import draw_profiles
from .spectra import wedge_edges_deg
from .theme import LEFT, MIDDLE, RIGHT, Lettering, Theme, line_colours, make_pen, qt_rect, write

#: Free of the crosshair around its point, in layout units of the screen.
HOLE = 6.0
EMPTY = "Nothing to compare yet: tick volumes above."
INVERSE = "\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT ONE}"
#: Part of a panel that a scale bar takes at most.
LONGEST_BAR = 0.3


@dataclass(frozen=True)
class Style:
    """How a layout is drawn.

    Attributes
    ----------
    theme : Theme
        Colours.
    pixels_per_unit : float
        Device pixels a unit of the layout.
    crosshair : bool
        Whether to draw it.
    values : bool
        Whether to show what matters in the window only: the intensity at the crosshair beside
        each title, and the column whose contrast is set.
    """

    theme: Theme
    pixels_per_unit: float = 1.0
    crosshair: bool = True
    values: bool = False


class Painting:
    """Draws one layout of a model.

    Parameters
    ----------
    painter : QPainter
        Active, in the units of the layout.
    model : CompareModel
        What is shown.
    layout : Layout
        Where.
    style : Style
        How.
    """

    def __init__(
        self, painter: QPainter, model: CompareModel, layout: Layout, style: Style
    ) -> None:
        self._painter, self._model, self._layout, self._style = painter, model, layout, style
        self._theme, self._metrics = style.theme, layout.metrics

    def draw(self, pictures: Pictures) -> None:
        """Draw everything."""
        layout = self._layout
        whole = QRectF(0, 0, layout.width, layout.height)
        self._painter.fillRect(whole, self._theme.paper)
        if not layout.panels:
            write(
                self._painter,
                whole,
                EMPTY,
                Lettering(layout.metrics.font, self._theme.faint),
                MIDDLE,
            )
            return
        for panel in layout.panels:
            self._draw_picture(panel, pictures)
            if panel.plane == SPECTRUM:
                self._draw_wedge(panel)
                continue
            self._draw_line(panel)
            if self._style.crosshair:
                self._draw_crosshair(panel)
        self._draw_titles()
        self._draw_labels()
        self._draw_scale_bars()
        if layout.profile is not None:
            mark = self._style.crosshair
            draw_profiles(self._painter, self._model, layout, self._theme, mark=mark)
        if self._metrics.foot:
            self._draw_foot()

    def _draw_picture(self, panel: Panel, pictures: Pictures) -> None:
        density = self._style.pixels_per_unit
        n_rows = max(1, round(panel.rect.height * density))
        n_columns = max(1, round(panel.rect.width * density))
        pixels = pictures.picture(panel, (n_rows, n_columns), self._theme.outside)
        # The image does not own its pixels; `pictures` keeps them until after it is drawn. It takes
        # any buffer, but PyQt's stubs know of bytes alone.
        buffer, form = cast("bytes", pixels.data), QImage.Format.Format_RGB32
        image = QImage(buffer, n_columns, n_rows, 4 * n_columns, form)
        self._painter.drawImage(qt_rect(panel.rect), image)

    def _draw_crosshair(self, panel: Panel) -> None:
        plane, point, rect = panel.plane, self._model.crosshair, panel.rect
        x, y = panel.place(point[plane.down], point[plane.across])
        thick = self._metrics.line
        hole = HOLE * thick
        if self._metrics.is_pixels:
            x, y = math.floor(x), math.floor(y)
        whole = qt_rect(rect)
        for line in (
            QRectF(x, rect.top, thick, y - hole - rect.top),
            QRectF(x, y + hole, thick, rect.top + rect.height - y - hole),
            QRectF(rect.left, y, x - hole - rect.left, thick),
            QRectF(x + hole, y, rect.left + rect.width - x - hole, thick),
        ):
            if line.width() > 0 and line.height() > 0:
                self._painter.fillRect(line & whole, self._theme.mark)

    def _draw_line(self, panel: Panel) -> None:
        line = self._model.drawn_line
        if line is None or line.plane != panel.plane:
            return
        down, across = panel.plane.down, panel.plane.across
        ends = [QPointF(*panel.place(p[down], p[across])) for p in (line.start, line.end)]
        painter = self._painter
        painter.save()
        painter.setClipRect(qt_rect(panel.rect))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(make_pen(self._theme.wedge, 1.5 * self._metrics.line))
        painter.drawLine(*ends)
        painter.restore()

    def _draw_wedge(self, panel: Panel) -> None:
        """Draw the edges of what was measured: u = x cos t + z sin t, so (cos t, sin t)."""
        edges = wedge_edges_deg(self._model.columns[panel.column].angles_deg)
        if edges is None:
            return
        painter, (x, y) = self._painter, panel.place(0.0, 0.0)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = make_pen(self._theme.wedge, 1.2 * self._metrics.line)
        pen.setDashPattern([6.0, 5.0])
        painter.setPen(pen)
        for degrees in edges:
            cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            reach = 0.5 * min(
                panel.rect.width / max(abs(cos), 1e-9), panel.rect.height / max(abs(sin), 1e-9)
            )
            for side in (-reach, reach):
                painter.drawLine(QPointF(x, y), QPointF(x + side * cos, y + side * sin))
        painter.restore()

    def _draw_titles(self) -> None:
        model, font = self._model, self._metrics.font
        values = model.values() if self._style.values else []
        thick = 2 * self._metrics.line
        colours = line_colours([column.colour for column in model.columns])
        for index, rect in enumerate(self._layout.titles):
            place = qt_rect(rect)
            title = model.columns[index].title
            taken = write(
                self._painter, place, title, Lettering(font, self._theme.ink, bold=True), MIDDLE
            )
            value = f"{values[index]:.4g} " if values and math.isfinite(values[index]) else ""
            free = (rect.width - taken) / 2
            write(self._painter, place, value, Lettering(font, self._theme.faint), RIGHT, room=free)
            stripe = QRectF(rect.left, rect.top + rect.height - thick, rect.width, thick)
            if self._layout.profile is not None:
                self._painter.fillRect(stripe, colours[index])
            elif self._style.values and not model.contrast.linked and index == model.active:
                self._painter.fillRect(stripe, self._theme.mark)

    def _draw_labels(self) -> None:
        model, font = self._model, self._metrics.font
        step, numbers = 1.5 * font, model.slice_numbers()
        for row in model.rows:
            rect = self._layout.labels[row.name]
            upper = QRectF(rect.left, rect.top + rect.height / 2 - step, rect.width, step)
            upper.adjust(0.5 * font, 0, 0, 0)
            write(self._painter, upper, row.name, Lettering(font, self._theme.ink, bold=True), LEFT)
            at = "of XZ, log" if row == SPECTRUM else f"{AXES[row.cut]} = {numbers[row.cut]}"
            lower = upper.translated(0, step)
            write(self._painter, lower, at, Lettering(font, self._theme.faint), LEFT)

    def _draw_scale_bars(self) -> None:
        """Draw one bar for all planes, and one for the spectra, in the first column."""
        first = [panel for panel in self._layout.panels if panel.column == 0]
        planes = [panel for panel in first if panel.plane != SPECTRUM]
        if planes:
            enough = 0.8 * max(panel.rect.height for panel in planes)
            first_high = next(panel for panel in planes if panel.rect.height >= enough)
            self._draw_scale_bar(first_high, self._model.unit)
        for panel in first:
            if panel.plane == SPECTRUM:
                self._draw_scale_bar(panel, f"{self._model.unit}{INVERSE}")

    def _draw_scale_bar(self, panel: Panel, unit: str) -> None:
        rect, font = panel.rect, self._metrics.font
        length = round_length(LONGEST_BAR * min(rect.width, 1.5 * rect.height) / panel.scale)
        thick, wide = 0.25 * font, length * panel.scale
        left, top = rect.left + 0.8 * font, rect.top + rect.height - font
        ink, rim = self._theme.bar, self._theme.rim
        bar = QRectF(left, top, wide, thick)
        edge = 0.08 * font
        self._painter.fillRect(bar.adjusted(-edge, -edge, edge, edge), rim)
        self._painter.fillRect(bar, ink)
        words = QRectF(left, top - 1.6 * font, rect.width, 1.5 * font)
        write(self._painter, words, f"{length:g} {unit}", Lettering(font, ink, rim=rim), LEFT)

    def _draw_foot(self) -> None:
        """Say where the slices lie and what the colours mean."""
        model, metrics = self._model, self._metrics
        z, y, x = model.crosshair
        rect = QRectF(0, self._layout.height - metrics.foot, self._layout.width, metrics.foot)
        rect.adjust(0.5 * metrics.font, 0, -0.5 * metrics.font, 0)
        font = round(0.85 * metrics.font)
        place = f"x = {x:.4g}, y = {y:.4g}, z = {z:.4g} {model.unit}"
        write(self._painter, rect, place, Lettering(font, self._theme.faint), LEFT)
        write(
            self._painter, rect, _colours_in_words(model), Lettering(font, self._theme.faint), RIGHT
        )


def _colours_in_words(model: CompareModel) -> str:
    """``grey from 0 to 1.2; difference from -0.1 to 0.1``, as far as columns share a scale."""
    linked = model.contrast.linked
    shared = next((column for column in model.methods if not column.has_own_scale), None)
    named: list[tuple[str, Column]] = [("colours", shared)] if linked and shared else []
    for column in model.columns:
        if column.is_difference:
            named.append(("difference", column))
        elif linked and column.has_own_scale:
            named.append((column.title, column))
    parts = [] if linked else ["colours fitted to each method"]
    for name, column in named:
        low, high = model.contrast.scale(column).limits
        parts.append(f"{name} from {low:.4g} to {high:.4g}")
    return "; ".join(parts)
