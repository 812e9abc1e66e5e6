"""The plot of the profiles below the panels."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QLineF, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPolygonF

from ...comparison import round_length
from .layout import Layout, Rect
from .model import CompareModel
from .planes import AXES
from .profile import Profile
from .theme import MIDDLE, RIGHT, Lettering, Theme, line_colours, make_pen, write

#: Ticks along the distance and along the intensity, at least.
N_TICKS = (6, 3)


def draw_profiles(
    painter: QPainter, model: CompareModel, layout: Layout, theme: Theme, *, mark: bool
) -> None:
    """Plot every column's intensities along the model's line.

    Parameters
    ----------
    painter : QPainter
        Active, in the units of the layout.
    model : CompareModel
        Has a line.
    layout : Layout
        Has a place for the plot.
    theme : Theme
        Colours.
    mark : bool
        Whether to mark the crosshair's place.
    """
    profiles = model.profiles()
    if layout.profile is None or not profiles:
        return
    axes = _Axes(painter, layout, layout.profile, profiles, theme)
    axes.draw_frame(f"distance along {_name(model)} ({model.unit})")
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setClipRect(axes.inner)
    colours = line_colours([column.colour for column in model.columns])
    for profile, colour in zip(profiles, colours, strict=True):
        axes.draw_curve(profile, colour)
    painter.restore()
    line = model.line
    axis = model.profile_axis
    if mark and line is not None and axis is not None and model.drawn_line is None:
        axes.draw_position(model.crosshair[axis] - line.start[axis])


def _name(model: CompareModel) -> str:
    if model.drawn_line is not None or model.profile_axis is None:
        return "the line"
    return AXES[model.profile_axis]


class _Axes:
    """The frame of the plot: ranges, ticks, and where a value goes."""

    def __init__(
        self,
        painter: QPainter,
        layout: Layout,
        rect: Rect,
        profiles: list[Profile],
        theme: Theme,
    ) -> None:
        self._painter, self._theme, self._metrics = painter, theme, layout.metrics
        font = self._metrics.font
        self.inner = QRectF(rect.left, rect.top, rect.width, rect.height)
        self.inner.adjust(0, 0.8 * font, -1.0 * font, -3.4 * font)
        self._longest = float(profiles[0].distances[-1])
        values = np.concatenate([profile.values for profile in profiles])
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        if not high > low:
            low, high = low - 0.5, high + 0.5
        margin = 0.05 * (high - low)
        self._low, self._high = low - margin, high + margin

    def _x(self, distance: float) -> float:
        return self.inner.left() + distance / self._longest * self.inner.width()

    def _y(self, value: float) -> float:
        part = (value - self._low) / (self._high - self._low)
        return self.inner.bottom() - part * self.inner.height()

    def draw_frame(self, label: str) -> None:
        """Draw the frame, the ticks and the words."""
        font, faint, inner = self._metrics.font, self._theme.faint, self.inner
        self._painter.fillRect(inner, self._theme.ground)
        line = 0.5 * self._metrics.line
        step = round_length(self._longest / N_TICKS[0])
        for tick in np.arange(0.0, self._longest * (1 + 1e-9), step):
            x = self._x(float(tick))
            self._painter.fillRect(QRectF(x, inner.bottom(), line, 0.3 * font), faint)
            place = QRectF(x - 50, inner.bottom() + 0.3 * font, 100, 1.4 * font)
            write(self._painter, place, f"{tick:g}", Lettering(font, faint), MIDDLE)
        place = QRectF(inner.left(), inner.bottom() + 1.7 * font, inner.width(), 1.4 * font)
        write(self._painter, place, label, Lettering(font, faint), MIDDLE)
        step = round_length((self._high - self._low) / N_TICKS[1])
        for index in range(int(np.ceil(self._low / step)), int(np.floor(self._high / step)) + 1):
            y = self._y(index * step)
            self._painter.fillRect(QRectF(inner.left(), y, inner.width(), line), self._theme.grid)
            place = QRectF(inner.left() - 100, y - 0.7 * font, 100 - 0.4 * font, 1.4 * font)
            write(self._painter, place, f"{index * step:.4g}", Lettering(font, faint), RIGHT)

    def draw_curve(self, profile: Profile, colour: QColor) -> None:
        """Draw one column's curve, interrupted where there are no values."""
        pen = make_pen(colour, 1.5 * self._metrics.line)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        self._painter.setPen(pen)
        known = np.isfinite(profile.values)
        x = [self._x(distance) for distance in profile.distances.tolist()]
        y = [self._y(value) for value in profile.values.tolist()]
        breaks = np.flatnonzero(np.diff(known)) + 1
        for part in np.split(np.arange(len(known)), breaks):
            if known[part[0]]:
                run = slice(int(part[0]), int(part[-1]) + 1)
                self._draw_run(x[run], y[run])

    def _draw_run(self, x: list[float], y: list[float]) -> None:
        if self._metrics.is_pixels:
            # Thirty times as fast as a wide polyline, whose joints Qt works out.
            lines = list(map(QLineF, x, y, x[1:], y[1:]))
            if lines:
                self._painter.drawLines(lines[0], *lines[1:])
        else:
            # On paper, where ends that overlap would show as beads.
            self._painter.drawPolyline(QPolygonF(list(map(QPointF, x, y))))

    def draw_position(self, distance: float) -> None:
        """Mark where the crosshair is."""
        x, inner = self._x(distance), self.inner
        mark = QRectF(x, inner.top(), self._metrics.line, inner.height())
        self._painter.fillRect(mark, self._theme.mark)
