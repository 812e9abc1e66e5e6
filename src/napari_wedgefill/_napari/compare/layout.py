"""A finished layout: where every panel and every word goes, on the screen or on paper."""

from __future__ import annotations

from dataclasses import dataclass, field

from .planes import Plane


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
