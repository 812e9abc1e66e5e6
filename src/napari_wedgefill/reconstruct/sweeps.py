"""What an iterative solver yields: progress, a live preview, and a place to stop."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Sweep:
    """State after one pass over the measured data.

    Attributes
    ----------
    done, total : int
        Passes finished and planned.
    x : array, float32, (z, x, y)
        The present estimate; the solver's own array, so copy what must be kept.
    """

    done: int
    total: int
    x: Any


def last(sweeps: Iterable[Sweep]) -> Any:
    """Run a solver to its end and return the volume (z, x, y)."""
    x = None
    for sweep in sweeps:
        x = sweep.x
    return x
