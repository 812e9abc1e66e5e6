"""One contrast for volumes that are looked at side by side; neither Qt nor napari in here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Part of the voxels left saturated at either end of the shared contrast.
SATURATED_PERCENT = 0.2
#: Voxels that belong to the specimen, over the contrast of all voxels; and part of these left
#: saturated. A specimen may fill so little of its field that its bright half is 0.2 % of it.
MATTER, SATURATED_MATTER_PERCENT = 0.1, 0.5
#: Voxels looked at in each volume.
LOOKED_AT = 500_000


def share_contrast(volumes: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """Contrast limits for volumes that share an intensity scale.

    Some voxels spread over each volume are looked at, since all of them would take seconds. The
    range is the median over the volumes, so that one method's overshoot does not dim the others.
    """
    ends = []
    for volume in volumes:
        step = max(1, round((volume.size / LOOKED_AT) ** (1 / 3)))
        # A single slice is not thinned along y.
        seen = volume[::step, :: min(step, volume.shape[1]), ::step]
        low, high = np.percentile(seen, (SATURATED_PERCENT, 100 - SATURATED_PERCENT))
        matter = seen[seen > low + MATTER * (high - low)]
        if matter.size:
            high = max(high, np.percentile(matter, 100 - SATURATED_MATTER_PERCENT))
        ends.append((low, high))
    low, high = np.median(np.array(ends), axis=0)
    if not high > low:
        return float(low), float(low) + 1.0
    return float(low), float(high)
