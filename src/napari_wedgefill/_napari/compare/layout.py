"""Where every panel and word goes: on the screen panels fill it, on paper they hug the volumes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from .model import LEAST_SHARE, CompareModel
from .planes import SPECTRUM, XZ, Plane


@dataclass(frozen=True)
class Rect:
    """A rectangle in the units of its layout."""

    left: float
    top: float
    width: float
    height: float

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies in it."""
        return 0 <= x - self.left < self.width and 0 <= y - self.top < self.height


@dataclass(frozen=True)
class Window:
    """The part of a plane that a panel shows: positions of its edges."""

    top: float
    bottom: float
    left: float
    right: float


@dataclass(frozen=True)
class Panel:
    """One plane of one column, in its place.

    Attributes
    ----------
    plane : Plane
        The row.
    column : int
        Index into the model's columns.
    rect : Rect
        Its place.
    window : Window
        World positions at its edges; frequencies in cycles a unit for spectra.
    """

    plane: Plane
    column: int
    rect: Rect
    window: Window

    @property
    def scale(self) -> float:
        """Layout units a unit of length (or of frequency)."""
        return self.rect.width / (self.window.right - self.window.left)

    def position(self, x: float, y: float) -> tuple[float, float]:
        """Return the position (down, across) shown at a point of the layout."""
        down = self.window.top + (y - self.rect.top) / self.scale
        return down, self.window.left + (x - self.rect.left) / self.scale

    def place(self, down: float, across: float) -> tuple[float, float]:
        """Return the point (x, y) of the layout where a position is shown."""
        x = self.rect.left + (across - self.window.left) * self.scale
        return x, self.rect.top + (down - self.window.top) * self.scale


@dataclass(frozen=True)
class Metrics:
    """Sizes of what surrounds the panels, in the units of the layout.

    Attributes
    ----------
    gutter, title, profile, foot : int
        Width left of the panels; heights above them, of the plot of profiles, and below it.
    gap : int
        Between panels.
    font : int
        Height of words.
    line : float
        Width of lines.
    is_pixels : bool
        Whether lines belong on whole units.
    """

    gutter: int
    title: int
    gap: int
    font: int
    line: float
    profile: int
    foot: int = 0
    is_pixels: bool = False


SCREEN = Metrics(gutter=84, title=26, gap=3, font=13, line=1.0, profile=170, is_pixels=True)
#: In points.
PRINT = Metrics(gutter=54, title=15, gap=4, font=8, line=0.5, profile=110, foot=14)


@dataclass(frozen=True)
class Layout:
    """A finished layout.

    Attributes
    ----------
    width, height : float
        Of the whole.
    metrics : Metrics
        Sizes it was made with.
    panels : tuple of Panel
        Row by row.
    titles : tuple of Rect
        One a column.
    labels : mapping of str to Rect
        By the name of the row, left of it.
    profile : Rect or None
        Below the panels.
    """

    width: float
    height: float
    metrics: Metrics
    panels: tuple[Panel, ...] = ()
    titles: tuple[Rect, ...] = ()
    labels: dict[str, Rect] = field(default_factory=dict)
    profile: Rect | None = None

    def panel_at(self, x: float, y: float) -> Panel | None:
        """Return the panel at a point."""
        return next((panel for panel in self.panels if panel.rect.contains(x, y)), None)


#: Part of a panel that a volume takes when it just fits.
FILLED = 0.97
#: Of a figure, in points, so that the words below it find room.
LEAST_WIDTH = 240.0

#: Size of a plane of all volumes (down, across): lengths, or frequencies for spectra.
Spans = tuple[float, float]


def screen_layout(model: CompareModel, width: int, height: int) -> Layout:
    """Fill a window with panels of equal width; the volumes fit at magnification 1.

    Parameters
    ----------
    model : CompareModel
        Columns, rows and view.
    width, height : int
        Size of the window in pixels; every edge lies on a whole pixel.
    """
    metrics = SCREEN
    if not model.columns:
        return Layout(width, height, metrics)
    profile = None if model.line is None else _strip(width, height, metrics)
    bottom = height if profile is None else int(profile.top) - metrics.gap
    # A pixel or two are left over at the right: equal panels show the very same positions.
    pitch = (width - metrics.gutter + metrics.gap) // len(model.columns)
    wide = max(pitch - metrics.gap, 1)
    columns = [(metrics.gutter + pitch * index, wide) for index in range(len(model.columns))]
    heights = [_spans(model, XZ if row == SPECTRUM else row)[0] for row in model.rows]
    shares = [max(height, LEAST_SHARE * max(heights)) for height in heights]
    rows = _divide(metrics.title, bottom, shares, metrics.gap)
    cells = [
        (row, [Rect(left, top, wide, high) for left, wide in columns])
        for row, (top, high) in zip(model.rows, rows, strict=True)
    ]
    scale = _scale(model, {row: rects[0] for row, rects in cells})
    return Layout(
        width,
        height,
        metrics,
        tuple(
            Panel(row, index, rect, _window(model, row, rect, scale))
            for row, rects in cells
            for index, rect in enumerate(rects)
        ),
        tuple(Rect(left, 0, wide, metrics.title) for left, wide in columns),
        {row.name: Rect(0, rects[0].top, metrics.gutter, rects[0].height) for row, rects in cells},
        profile,
    )


def paper_layout(model: CompareModel, screen: Layout, width: float, max_height: float) -> Layout:
    """Set what the screen shows on paper, without the empty ground around the volumes.

    Parameters
    ----------
    model : CompareModel
        Columns and rows.
    screen : Layout
        Which part of each plane is shown.
    width, max_height : float
        Of the paper in points; the height follows from the volumes, up to the maximum.
    """
    metrics, n = PRINT, len(model.columns)
    windows = {
        panel.plane: _crop_to_content(model, panel) for panel in screen.panels if panel.column == 0
    }
    profile_height = 0 if screen.profile is None else metrics.profile + metrics.gap
    around = metrics.title + metrics.foot + profile_height + metrics.gap * len(windows)
    room = (width - metrics.gutter - metrics.gap * (n - 1)) / n
    sizes = _sizes(windows, room, max_height - around)
    room = max(wide for _, wide in sizes.values())
    lefts = [metrics.gutter + index * (room + metrics.gap) for index in range(n)]
    panels: list[Panel] = []
    labels: dict[str, Rect] = {}
    top = float(metrics.title)
    for row, window in windows.items():
        high, wide = sizes[row]
        # The label of a thin row takes two lines.
        pitch = max(high, 3.0 * metrics.font)
        for index, left in enumerate(lefts):
            rect = Rect(left + (room - wide) / 2, top + (pitch - high) / 2, wide, high)
            panels.append(Panel(row, index, rect, window))
        labels[row.name] = Rect(0, top, metrics.gutter, pitch)
        top += pitch + metrics.gap
    width = max(lefts[-1] + room, LEAST_WIDTH)
    profile = None
    if screen.profile is not None:
        top += metrics.profile + metrics.gap
        profile = _strip(width, top - metrics.gap, metrics)
    titles = tuple(Rect(left, 0, room, metrics.title) for left in lefts)
    return Layout(width, top + metrics.foot, metrics, tuple(panels), titles, labels, profile)


def _spans(model: CompareModel, plane: Plane) -> Spans:
    if plane == SPECTRUM:
        voxel = model.columns[0].voxel
        return 1 / abs(voxel[plane.down]), 1 / abs(voxel[plane.across])
    low, high = model.extent
    return high[plane.down] - low[plane.down], high[plane.across] - low[plane.across]


def _fit(spans: Spans, rect: Rect) -> float:
    return FILLED * min(rect.height / spans[0], rect.width / spans[1])


def _scale(model: CompareModel, cells: dict[Plane, Rect]) -> float:
    """Pixels a unit of length, the same in every plane."""
    fits = [_fit(_spans(model, row), rect) for row, rect in cells.items() if row != SPECTRUM]
    return model.view.magnification * min(fits, default=1.0)


def _window(model: CompareModel, plane: Plane, rect: Rect, scale: float) -> Window:
    down, across = model.view.centre[plane.down], model.view.centre[plane.across]
    if plane == SPECTRUM:
        scale = model.view.spectrum_magnification * _fit(_spans(model, plane), rect)
        down = across = 0.0
    high, wide = rect.height / scale / 2, rect.width / scale / 2
    return Window(down - high, down + high, across - wide, across + wide)


def _crop_to_content(model: CompareModel, panel: Panel) -> Window:
    """The part of a panel's window where there is something to see."""
    shown, plane = panel.window, panel.plane
    if plane == SPECTRUM:
        half = [span / 2 for span in _spans(model, plane)]
        low, high = (-half[0], -half[1]), (half[0], half[1])
    else:
        lowest, highest = model.extent
        low = lowest[plane.down], lowest[plane.across]
        high = highest[plane.down], highest[plane.across]
    return Window(
        max(shown.top, low[0]),
        min(shown.bottom, high[0]),
        max(shown.left, low[1]),
        min(shown.right, high[1]),
    )


def _sizes(windows: dict[Plane, Window], width: float, height: float) -> dict[Plane, Spans]:
    """Size (height, width) of the panels of each row: one scale, within a column and a page."""
    spans = {row: (w.bottom - w.top, w.right - w.left) for row, w in windows.items()}
    lengths = [span for row, span in spans.items() if row != SPECTRUM]
    scale = width / max((across for _, across in lengths), default=1.0)
    sizes = {row: (scale * down, scale * across) for row, (down, across) in spans.items()}
    if SPECTRUM in spans:
        down, across = spans[SPECTRUM]
        tallest = max((sizes[row][0] for row in sizes if row != SPECTRUM), default=width)
        scale = min(width / across, tallest / down)
        sizes[SPECTRUM] = (scale * down, scale * across)
    shrink = min(1.0, height / sum(high for high, _ in sizes.values()))
    return {row: (shrink * high, shrink * wide) for row, (high, wide) in sizes.items()}


def _strip(width: float, bottom: float, metrics: Metrics) -> Rect:
    left = metrics.gutter
    return Rect(left, bottom - metrics.profile, width - left, metrics.profile)


def _divide(start: int, stop: int, shares: list[float], gap: int) -> list[tuple[int, int]]:
    """Start and length of each share of an interval, with gaps between, in whole units."""
    free = max(stop - start - gap * (len(shares) - 1), len(shares))
    edges = [0.0]
    for share in shares:
        edges.append(edges[-1] + free * share / sum(shares))
    whole = [round(edge) for edge in edges]
    return [
        (start + first + index * gap, max(last - first, 1))
        for index, (first, last) in enumerate(pairwise(whole))
    ]
