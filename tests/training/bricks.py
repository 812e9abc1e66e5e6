"""A volume of one's own to train on."""

from __future__ import annotations

import numpy as np


def brick(
    edges: tuple[int, int, int] = (12, 20, 28), box: int = 40, empty: float = 0.0, full: float = 1.0
) -> np.ndarray:
    """Return a brick in the middle of a cube, (z, y, x)."""
    volume = np.full((box, box, box), empty, np.float32)
    middle = tuple(slice((box - n) // 2, (box + n) // 2) for n in edges)
    volume[middle] = full
    return volume
