"""How many neighbouring slices are worked on together."""

from __future__ import annotations

import math
from collections.abc import Iterator

#: Slices in a full strip. Wider strips share the index arithmetic further, until rows leave the
#: second-level cache.
LANES = 64
#: Slices below which a strip is never cut: what the processor's vectors hold.
FEWEST_LANES = 16


def strip_width(depth: int, width: int, limit_bytes: float = math.inf) -> int:
    """Slices that are best taken together: a full strip, or less where slices are large.

    Parameters
    ----------
    depth, width : int
        Voxels of a slice.
    limit_bytes : float
        Most bytes of float32 that a volume of the strip may take; no limit by default. Where not
        even the narrowest strip fits, that is what is returned.
    """
    lanes = LANES
    while lanes > FEWEST_LANES and 4 * depth * width * lanes > limit_bytes:
        lanes //= 2
    return lanes


def iter_strips(n_slices: int, lanes: int = LANES) -> Iterator[slice]:
    """Cut `n_slices` into strips of `lanes` and a rest."""
    return (slice(s, min(s + lanes, n_slices)) for s in range(0, n_slices, lanes))
