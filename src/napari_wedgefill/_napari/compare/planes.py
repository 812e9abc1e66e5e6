"""The three orthogonal planes of a volume (z, y, x)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...comparison import PLANES as CUTS

AXES = ("z", "y", "x")

#: A position in world coordinates, (z, y, x).
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Plane:
    """A plane that cuts one axis of (z, y, x) and shows the other two.

    Attributes
    ----------
    name : str
        "XY", "XZ" or "YZ": the first letter runs to the right, the second down.
    cut : int
        Axis that the plane is perpendicular to.
    down, across : int
        Axes shown downwards and to the right.
    """

    name: str
    cut: int
    down: int
    across: int

    @classmethod
    def cutting(cls, name: str, cut: int) -> Plane:
        """Build the plane perpendicular to `cut`; the axis nearer to x runs to the right."""
        down, across = (axis for axis in range(3) if axis != cut)
        return cls(name, cut, down, across)


#: From top to bottom in the window.
PLANES = tuple(Plane.cutting(name, cut) for name, cut in CUTS)
XY, XZ, YZ = PLANES
#: The frequencies of the XZ slice: axes as XZ, in cycles a unit of length.
SPECTRUM = replace(XZ, name="Spectrum")
ROWS = (*PLANES, SPECTRUM)
