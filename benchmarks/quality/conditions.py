"""The conditions under which methods are compared."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

MISSING_DEG = (45.0, 60.0)
STEPS_DEG = (1.5, 2.0, 5.0)
ELECTRONS = (np.inf, 400.0, 100.0)
WIDTHS_PX = (128, 256)


@dataclass(frozen=True, order=True)
class Condition:
    """How the objects are recorded.

    Attributes
    ----------
    width : int
        Detector pixels.
    missing_deg, step_deg : float
        Missing range, centred at a tilt of 90 degrees; tilt step.
    electrons : float
        Mean electrons per pixel of the object; infinite for noise-free.
    n_objects : int
        Objects of each family.
    earlier : str
        Commit whose code it was measured with, if not with this one.
    """

    width: int
    missing_deg: float
    step_deg: float
    electrons: float
    n_objects: int
    earlier: str = field(default="", compare=False)

    @property
    def angles_deg(self) -> NDArray[np.float64]:
        """Measured tilts."""
        limit = 90.0 - self.missing_deg / 2
        n = round(2 * limit / self.step_deg)
        # The missing range is exact; the step is adjusted by less than a hundredth.
        return np.linspace(-limit, limit, n + 1)

    @property
    def dose(self) -> str:
        """The dose in words."""
        return f"{self.electrons:g}" if np.isfinite(self.electrons) else "noise-free"

    @property
    def name(self) -> str:
        """Short name, for files and the progress."""
        return (
            f"{self.width}px_missing{self.missing_deg:g}_step{self.step_deg:g}_"
            f"{self.dose}_{self.n_objects}objects"
        )


def combine(
    widths: Iterable[int],
    missing_deg: Iterable[float],
    steps_deg: Iterable[float],
    electrons: Iterable[float],
    n_objects: int | None = None,
) -> list[Condition]:
    """Every combination; by default four objects of a family, two where images are large."""
    return [
        Condition(w, m, s, e, n_objects or (4 if w <= 128 else 2))
        for w, s, m, e in itertools.product(widths, steps_deg, missing_deg, electrons)
    ]


def with_objects(condition: Condition, n_objects: int | None) -> Condition:
    """Return the condition with another number of objects of each family; None keeps it."""
    return replace(condition, n_objects=n_objects) if n_objects else condition


def list_default() -> list[Condition]:
    """What `make quality` measures: one axis of the full matrix at a time."""
    return [
        *combine([128], MISSING_DEG, [2.0], ELECTRONS),
        *combine([128], [60.0], [1.5, 5.0], [400.0]),
        *combine([256], [60.0], [2.0], [400.0]),
    ]


def list_all() -> list[Condition]:
    """Return the whole matrix, the small images first."""
    return combine(WIDTHS_PX, MISSING_DEG, STEPS_DEG, ELECTRONS)
