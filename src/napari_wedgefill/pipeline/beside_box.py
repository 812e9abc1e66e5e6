"""What all tilts together show beside the rows of a box: vacuum, a film, or more matter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .box import Crop

Doubles = NDArray[np.float64]

#: Standard deviations above the noise from which on a mean counts as matter.
SIGMAS = 6.0
#: Least mean that counts, over the path integral that counts as one. What is fainter changes no
#: volume: its density is below that of the least error that any method makes.
FLOOR = 5e-4
#: Pixels of the rings around the box in which all tilts together are searched for matter.
RING = 8


@dataclass(frozen=True, eq=False)
class Profiles:
    """Means of images along the tilt axis, over the path integral that counts as one.

    Attributes
    ----------
    means : ndarray, float64, (n_tilts, width)
        Over what was measured.
    n_pixels : ndarray, float64, (n_tilts, width)
        Of how many independent pixels; 0 where none was measured.
    noise : float
        Standard deviation of one.
    """

    means: Doubles
    n_pixels: Doubles
    noise: float


def judge_beside(crop: Crop, seen: Profiles) -> str:
    """Tell whether what lies outside the cropped rows is "vacuum", a "film", or "more".

    All tilts together show what none of them shows alone. What is the same everywhere and at every
    tilt is the detector's; matter that goes on beyond the field grows with the tilt.
    """
    u = np.arange(seen.means.shape[1])
    left, right = u < crop.starts[:, None], u >= crop.stops[:, None]
    outside = (left | right) & (seen.n_pixels > 0)
    if not outside.any():
        return "vacuum"
    weights = np.where(outside, seen.n_pixels, 0.0)
    if _grows_with_tilt(crop, seen, weights):
        return "film"
    level = float(np.median(seen.means[outside]))
    distance = np.where(left, crop.starts[:, None] - 1 - u, u - crop.stops[:, None])
    ring = np.where(outside, distance // RING, -1)
    for side in (left, right):
        for k in range(int(ring.max()) + 1):
            chosen = side & (ring == k)
            n = float(weights[chosen].sum())
            if n == 0:
                continue
            mean = float((seen.means[chosen] * weights[chosen]).sum()) / n - level
            if abs(mean) > max(FLOOR, SIGMAS * seen.noise / np.sqrt(n)):
                return "more"
    return "vacuum"


def _grows_with_tilt(crop: Crop, seen: Profiles, weights: Doubles) -> bool:
    """Tell whether the weighted mean of each tilt grows as a film's does."""
    n = weights.sum(axis=1)
    shown = n > 0
    by_tilt = (seen.means * weights).sum(axis=1)[shown] / n[shown]
    grows = 1.0 / np.maximum(np.abs(crop.beam.rays.cosines[shown]), 0.1)
    grows -= grows.mean()
    power = float(np.square(grows).sum())
    if power == 0:
        return False
    slope = float((grows * by_tilt).sum()) / power
    doubt = seen.noise * np.sqrt(float((np.square(grows) / n[shown]).sum())) / power
    return slope * np.ptp(grows) > max(FLOOR, SIGMAS * doubt * np.ptp(grows))
