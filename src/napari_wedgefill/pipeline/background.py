"""A background that is not zero is no matter: how the two are told apart at the images' edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

#: Tilts that are asked, spread evenly.
N_ASKED = 25
#: What a background may differ from place to place, and grow while the thickness of a film doubles,
#: as shares of itself; beside so many standard errors.
DIFFERS, GROWS, ERRORS = 0.15, 0.3, 2.0
#: Thickness of a film at the highest tilt, less that at the lowest, that tells them apart.
LEAST_RANGE = 0.2


def is_background(places: Doubles, angles_deg: Doubles) -> bool:
    """Tell whether what is seen at the edges of images is a background and not matter.

    It is as high on one side as on the other, and as close to the edge as further in, where the
    outline of a specimen rises. At high tilts it is no higher, where a film is thicker.

    Parameters
    ----------
    places : ndarray, float64, (n_tilts, 4)
        Mean intensity above vacuum at the left edge, inside of that, inside of the right edge, and
        at the right edge.
    angles_deg : ndarray, float64, (n_tilts,)
        Tilt angles in degrees.
    """
    level = places.mean(axis=1)
    usual = float(np.sqrt(np.mean(np.square(level))))
    thickness = 1.0 / np.maximum(np.cos(np.deg2rad(angles_deg)), 0.1)
    if len(places) < 3 or usual == 0.0 or np.ptp(thickness) < LEAST_RANGE:
        return False
    for first in range(4):
        for second in range(first):
            apart = places[:, first] - places[:, second]
            error = float(apart.std(ddof=1)) / np.sqrt(len(apart))
            if abs(float(apart.mean())) > DIFFERS * usual + ERRORS * error:
                return False
    return bool(abs(np.polyfit(thickness, level, 1)[0]) < GROWS * usual)


def average_edges(image: NDArray[np.float32], n: int) -> Doubles:
    """Average columns of an image (h, w): n at its left edge, the next n, and so on the right."""
    columns = image.mean(axis=0, dtype=np.float64)
    edges = columns[:n], columns[n : 2 * n], columns[-2 * n : -n], columns[-n:]
    return np.array([edge.mean() for edge in edges])
