"""From a slice to the colours of a panel's pixels: pick voxels, then look up their colour.

Only the voxels that a panel shows are touched, so that the cost follows the screen and not the
volume: a slice across the rows of memory (YZ) costs a cache miss for every voxel.
"""

from __future__ import annotations

from functools import lru_cache

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]
#: 256 colours, uint32, 0xAARRGGBB.
Table = NDArray[np.uint32]

#: Colour maps on offer, as napari names them.
COLOURMAPS = ("gray", "gray_r", "viridis", "magma", "inferno", "turbo")
#: Name of the table of differences: blue below zero, white at zero, red above.
DIFFERENCE = "difference"
_DIVERGING = ((0.23, 0.30, 0.75), (0.97, 0.97, 0.97), (0.71, 0.02, 0.15))

# One signature for slices of any layout, writable or not: compiled once, then found in the cache.
_SLICE = types.Array(types.float32, 2, "A", readonly=True)
_VALUES = types.Array(types.float32, 2, "C", readonly=True)
_TABLE = types.Array(types.uint32, 1, "C", readonly=True)
_OPTIONS = {"nogil": True, "cache": True}


@numba.njit([types.float32[:, ::1](_SLICE, types.int64[::1], types.int64[::1])], **_OPTIONS)
def gather(section: Floats, rows: Indices, columns: Indices) -> Floats:
    """Pick ``section[rows][:, columns]``; NaN where an index is negative."""
    out = np.empty((rows.size, columns.size), np.float32)
    for i in range(rows.size):
        row = rows[i]
        if row < 0:
            out[i] = np.nan
            continue
        for j in range(columns.size):
            column = columns[j]
            out[i, j] = section[row, column] if column >= 0 else np.nan
    return out


@numba.njit(
    [types.uint32[:, ::1](_VALUES, types.float64, types.float64, _TABLE, types.int64)],
    **_OPTIONS,
)
def shade(
    values: Floats, low: float, high: float, table: Table, outside: int
) -> NDArray[np.uint32]:
    """Colour values, from the table's first colour at `low` to its last at `high`.

    Parameters
    ----------
    values : ndarray, float32, (h, w)
        Intensities; NaN has no colour.
    low, high : float
        Contrast limits, ``high > low``.
    table : ndarray, uint32, (256,)
        Colours.
    outside : int
        Colour of NaN.

    Returns
    -------
    ndarray, uint32, (h, w)
        Colours, 0xAARRGGBB.
    """
    out = np.empty(values.shape, np.uint32)
    per_step = np.float32(256.0 / (high - low))
    start = np.float32(low)
    last = np.float32(255.0)
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            step = (values[i, j] - start) * per_step
            if np.isnan(step):
                out[i, j] = np.uint32(outside)
            else:
                out[i, j] = table[int(min(max(step, np.float32(0.0)), last))]
    return out


@lru_cache(maxsize=16)
def table(name: str) -> Table:
    """Return the 256 colours of a napari colour map, or of `DIFFERENCE`."""
    ramp = np.linspace(0, 1, 256)
    if name == DIFFERENCE:
        colours = np.stack(
            [np.interp(ramp, (0, 0.5, 1), channel) for channel in zip(*_DIVERGING, strict=True)],
            axis=1,
        )
    else:
        from napari.utils.colormaps import ensure_colormap

        colours = ensure_colormap(name).map(ramp)[:, :3]
    red, green, blue = np.rint(255 * colours.T).astype(np.uint32)
    found = np.uint32(0xFF000000) | red << np.uint32(16) | green << np.uint32(8) | blue
    found.flags.writeable = False
    return found
