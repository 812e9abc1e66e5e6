"""Contrast of the columns: one for all methods, or one each; a difference has its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..shared_contrast import SATURATED_PERCENT, share_contrast
from .columns import Column, Floats

#: Intensities shown in the first and in the last colour.
Limits = tuple[float, float]
N_BINS = 100


@dataclass
class Scale:
    """Contrast limits, and what they are chosen from.

    Attributes
    ----------
    automatic : tuple of float
        Limits that suit the intensities.
    bounds : tuple of float
        Lowest and highest intensity seen.
    chosen : tuple of float or None
        Limits set by hand.
    counts : ndarray, int64, (n_bins,)
        Voxels by intensity, from the lowest to the highest seen.
    """

    automatic: Limits = (0.0, 1.0)
    bounds: Limits = (0.0, 1.0)
    chosen: Limits | None = None
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def range(self) -> Limits:
        """What a slider has to reach: all intensities, and the limits."""
        low, high = self.limits
        return min(self.bounds[0], low), max(self.bounds[1], high)

    @property
    def limits(self) -> Limits:
        """The limits in use."""
        return self.chosen or self.automatic


class Contrast:
    """Contrast limits by column.

    Attributes
    ----------
    linked : bool
        Whether all methods share one scale; differences and trust maps never share it.
    """

    def __init__(self) -> None:
        self.linked = True
        self._shared = Scale()
        self._own: dict[str, Scale] = {}

    def look_at(self, columns: Sequence[Column]) -> None:
        """Measure the intensities of new columns; limits set by hand stay."""
        before, self._own = self._own, {}
        methods = []
        for column in columns:
            values = _finite(column.coarse())
            scale = _symmetric_scale(values) if column.is_difference else _scale([values])
            if column.title in before:
                scale.chosen = before[column.title].chosen
            if not column.has_own_scale:
                methods.append(values)
            self._own[column.title] = scale
        chosen = self._shared.chosen
        self._shared = _scale(methods) if methods else Scale()
        self._shared.chosen = chosen

    def scale(self, column: Column) -> Scale:
        """Return the scale that a column is shown on."""
        if self.linked and not column.has_own_scale:
            return self._shared
        return self._own[column.title]

    def choose(self, column: Column, limits: Limits) -> None:
        """Set the limits of a column, and of all methods where they are linked.

        Limits of a difference stay symmetric about zero: the end that moved sets both.
        """
        scale = self.scale(column)
        low, high = limits
        if column.is_difference:
            moved = [abs(new - old) for new, old in zip(limits, scale.limits, strict=True)]
            half = abs(low if moved[0] > moved[1] else high)
            low, high = -half, half
        if high > low:
            scale.chosen = (low, high)

    def forget(self) -> None:
        """Return to automatic limits everywhere."""
        for scale in (self._shared, *self._own.values()):
            scale.chosen = None


def _scale(volumes: Sequence[Floats]) -> Scale:
    low = min(float(values.min()) for values in volumes)
    high = max(float(values.max()) for values in volumes)
    bounds = (low, high) if high > low else (low, low + 1.0)
    return Scale(share_contrast(volumes), bounds, counts=_count(volumes, bounds))


def _symmetric_scale(values: Floats) -> Scale:
    distance = np.abs(values)
    usual = float(np.percentile(distance, 100 - SATURATED_PERCENT))
    widest = float(distance.max()) or 1.0
    bounds = (-widest, widest)
    limits = (-(usual or widest), usual or widest)
    return Scale(limits, bounds, counts=_count([values], bounds))


def _count(volumes: Sequence[Floats], bounds: Limits) -> NDArray[np.int64]:
    """Histogram of all volumes together."""
    return np.sum([np.histogram(values, N_BINS, bounds)[0] for values in volumes], axis=0)


def _finite(values: Floats) -> Floats:
    """Three axes of what is a number; a single zero where nothing is."""
    found = values[np.isfinite(values)]
    return (found if found.size else np.zeros(1, np.float32)).reshape(-1, 1, 1)
