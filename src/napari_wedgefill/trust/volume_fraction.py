"""Histogram of a volume, and the part of it that a threshold calls object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .metrics import split_counts

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

N_BINS = 128
#: Share of the voxels beyond either end of the histogram; they are counted in its last bins.
BEYOND = 0.001
#: Voxels looked at to choose the range.
LOOKED_AT = 500_000


@dataclass(frozen=True, eq=False)
class Histogram:
    """Voxels by density.

    Attributes
    ----------
    edges : ndarray, float64, (n_bins + 1,)
        Densities, ascending.
    counts : ndarray, int64, (n_bins,)
        Voxels of each bin; the outer bins hold all that lies beyond them.
    """

    edges: Doubles
    counts: NDArray[np.int64]

    @property
    def threshold(self) -> float:
        """Density that best parts the voxels into two classes, by `metrics.split_counts`."""
        return split_counts(self.counts, self.edges)

    def fraction_above(self, threshold: float) -> float:
        """Share of the voxels in bins above a threshold, which should be an edge."""
        above = self.counts[self.edges[:-1] >= threshold - 1e-9 * np.ptp(self.edges)]
        return float(above.sum() / self.counts.sum())

    def to_dict(self) -> dict[str, list[float]]:
        """Plain values, for the report: first and last edge, and the counts between."""
        return {
            "range": [float(self.edges[0]), float(self.edges[-1])],
            "counts": [int(n) for n in self.counts],
        }


def count_densities(volume: Floats, n_bins: int = N_BINS) -> Histogram:
    """Count the voxels of a volume (z, y, x) by density, a few slices at a time."""
    step = max(1, round((volume.size / LOOKED_AT) ** (1 / 3)))
    seen = volume[::step, :: min(step, volume.shape[1]), ::step]
    low, high = (float(q) for q in np.quantile(seen, (BEYOND, 1 - BEYOND)))
    edges = np.linspace(low, high if high > low else low + 1.0, n_bins + 1)
    counts = np.zeros(n_bins, np.int64)
    for plane in volume:
        counts += np.histogram(plane.clip(edges[0], edges[-1]), edges)[0]
    return Histogram(edges, counts)
