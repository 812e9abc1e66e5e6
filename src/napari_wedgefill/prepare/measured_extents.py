"""What was measured of each image, inside frames of one exact value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..disk_images import flag_outside
from ..geometry import centre
from ..tilt_series import TiltSeries
from .frame_edges import (
    LOOKS,
    MIXED,
    Extents,
    choose_mixed,
    compare_with_ring,
    is_clear,
    measure_sides,
)

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

#: Rows of an image that tell whether corners have the value of their neighbours.
OUTER_ROWS = [0, 1, -2, -1]
#: Largest share of an image that is a frame: a specimen in an exact vacuum leaves more. Padding may
#: take more still.
LARGEST, PADDED = 0.4, 0.9
#: Share of the images that have a frame on both sides if they were padded. A plate in exact vacuum
#: has one, too, but changes as it is tilted.
NEARLY_ALL = 0.9
#: Share of the measured pixels that may have the frame's value: where it is common, as zero counts
#: are, a patch of them is nothing special.
RARE = 0.05
#: Pixels of a frame, over the shorter side of the image.
SMALLEST = 0.25
#: How far the edge of a frame is from a straight line, in pixels, and how many lines one side of a
#: turned image has: its own and those of the corners above and below.
STRAIGHT, LINES = 1.0, 4


def find_measured(series: TiltSeries) -> tuple[dict[int, Extents], int]:
    """Find what was measured of each image that has a frame.

    Returns
    -------
    dict of int to ndarray
        Extents by image; empty if no image has one, or none that matters.
    int
        Pixels beyond a frame in which it was mixed with them.
    """
    found: dict[int, Extents] = {}
    matters: list[bool] = []
    padded: list[int] = []
    if min(series.height, series.width) < 3:
        return {}, MIXED
    for k in range(series.n_tilts):
        # Mostly there is none, and then a few rows of an image that lies on a disk are enough.
        if not _list_values_at_corners(series.images[k, OUTER_ROWS]):
            continue
        image = np.asarray(series.images[k])
        flags = _find_frame(image)
        if flags is None:
            continue
        found[k] = span(flags)
        if _is_on_both_sides(flags):
            padded.append(k)
        else:
            matters += compare_with_ring(image, flags)
    # An image that was moved lacks something on one side.
    is_padded = len(padded) >= NEARLY_ALL * series.n_tilts
    mixed = _look_at_padding(series, {k: found[k] for k in padded}) if is_padded else None
    matters += [mixed is not None] * len(padded)
    # Of an exact vacuum around a specimen, an edge here and there may look like that of a frame.
    if not matters or np.mean(matters) <= 0.5:
        return {}, MIXED
    return found, mixed or MIXED


def _look_at_padding(series: TiltSeries, measured: Mapping[int, Extents]) -> int | None:
    """Return how many pixels at the edges of padding were mixed; None if it is no padding."""
    tilts = sorted(measured)
    looks = np.unique(np.linspace(0, len(tilts) - 1, LOOKS).round().astype(int))
    sides, is_clear_at = [], []
    for k in (tilts[at] for at in looks):
        image, flags = np.asarray(series.images[k]), flag_outside(measured[k], series.width)
        sides.append(measure_sides(image, measured[k]))
        step = float(np.nan_to_num(abs(sides[-1][..., 1])).mean(axis=1).max())
        is_clear_at.append(is_clear(image, flags, step))
    widths = np.array([_measure_width(extents) for extents in measured.values()])
    return choose_mixed(np.array(sides), widths) if np.mean(is_clear_at) > 0.5 else None


def _measure_width(extents: Extents) -> int:
    """Return the width of the rectangle, in pixels, that holds all that was measured."""
    some = extents[extents[:, 0] < extents[:, 1]]
    return int(some[:, 1].max() - some[:, 0].min())


def _find_frame(image: Floats) -> Flags | None:
    """Return the pixels of an image's frame; None if it has none.

    An image that was moved and then padded has a frame of another value within the padding.
    """
    frame = _find_layer(image)
    if frame is None or not _is_on_both_sides(frame):
        return frame
    rows, columns = (np.flatnonzero(~frame.all(axis=axis)) for axis in (1, 0))
    inside = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if not frame[inside].any() and min(image[inside].shape) >= 3:
        layer = _find_layer(image[inside])
        if layer is not None:
            frame[inside] = layer
    return frame


def _find_layer(image: Floats) -> Flags | None:
    """Return the outermost frame of an image; None if it has none."""
    frame: Flags = np.zeros(image.shape, bool)
    for value in _list_values_at_corners(image):
        patch = _find_patch(image, value)
        rest = ~patch
        common = float(np.mean(image[rest] == value)) if rest.any() else 1.0
        if common <= RARE:
            frame |= patch
    share = float(np.mean(frame))
    largest = PADDED if _is_on_both_sides(frame) else LARGEST
    if not 0 < share <= largest or not _is_straight(frame):
        return None
    return frame


def _is_on_both_sides(frame: Flags) -> bool:
    """Tell whether nothing of a frame's image reaches the left or the right border."""
    return bool(frame[:, 0].all() and frame[:, -1].all())


def _list_values_at_corners(image: Floats) -> list[np.float32]:
    """List the values of corners whose neighbours have them too: every frame has a corner."""
    values: set[np.float32] = set()
    for y, inner_y in ((0, 1), (-1, -2)):
        for x, inner_x in ((0, 1), (-1, -2)):
            value = image[y, x]
            if image[inner_y, x] == value or image[y, inner_x] == value:
                values.add(value)
    return sorted(values)


def _find_patch(image: Floats, value: np.float32) -> Flags:
    """Return all patches of a value that hold a corner, without the smallest ones."""
    from scipy.ndimage import label

    labels, _ = label(image == value)
    patch: Flags = np.zeros(image.shape, bool)
    for number in {int(labels[y, x]) for y in (0, -1) for x in (0, -1)} - {0}:
        one = labels == number
        if np.count_nonzero(one) >= max(3.0, SMALLEST * min(image.shape)):
            patch |= one
    return patch


def _is_straight(frame: Flags) -> bool:
    """Tell whether what was measured is in one piece along rows and columns, with straight edges.

    It is the image's rectangle, moved and turned.
    """
    for flags in (frame, frame.T):
        extents = span(flags)
        inside = np.arange(flags.shape[1])
        spanned = (inside >= extents[:, :1]) & (inside < extents[:, 1:])
        if (spanned & flags).any():
            return False
    extents = span(frame)
    for side, border in ((0, 0), (1, frame.shape[1])):
        at = extents[:, side]
        rows = np.flatnonzero((extents[:, 0] < extents[:, 1]) & (at != border))
        if _count_lines(rows, at[rows]) > LINES:
            return False
    return True


def _count_lines(rows: NDArray[np.intp], at: NDArray[np.int64]) -> int:
    """Straight lines that it takes to pass through positions, by halving at the furthest one.

    References
    ----------
    D. H. Douglas and T. K. Peucker, Cartographica 10, 112-122 (1973).
    """
    if rows.size < 3:
        return 1
    steep = abs(float(at[-1] - at[0]) / float(rows[-1] - rows[0]))
    apart = np.abs(at - np.interp(rows, rows[[0, -1]], at[[0, -1]]))
    worst = int(np.argmax(apart))
    if apart[worst] <= STRAIGHT + steep:  # a row is one step of a flat edge
        return 1
    first = _count_lines(rows[: worst + 1], at[: worst + 1])
    return first + _count_lines(rows[worst:], at[worst:])


def span(flags: Flags) -> Extents:
    """First pixel of each row that is not flagged, and one past the last; both 0 without any."""
    free = ~flags
    n = flags.shape[1]
    first = np.where(free.any(axis=1), free.argmax(axis=1), 0)
    stop = np.where(free.any(axis=1), n - free[:, ::-1].argmax(axis=1), 0)
    return np.stack([first, stop], axis=1).astype(np.int64)


@dataclass(frozen=True)
class Inside:
    """What was measured of all images that were padded, first and past-the-last of each.

    Attributes
    ----------
    rows, columns : tuple of int
        Of the images as they are.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]

    def cut(self, series: TiltSeries) -> TiltSeries:
        """Return the series of these pixels; the tilt axis keeps its place in the object."""
        (top, bottom), (left, right) = self.rows, self.columns
        axis_u = centre(series.width) + series.axis_shift_px - left
        images = np.ascontiguousarray(series.array()[:, top:bottom, left:right])
        return replace(series, images=images, axis_shift_px=axis_u - centre(right - left))


def find_inside(series: TiltSeries) -> Inside | None:
    """Find the rectangle outside of which no image was measured; None if it is the whole image."""
    measured, mixed = find_measured(series)
    if len(measured) < series.n_tilts:
        return None
    # The few pixels that interpolation may have mixed are worth keeping; where nothing is missing,
    # nothing was mixed.
    mixed = 0 if mixed <= MIXED else mixed
    seen = np.any([~flag_outside(extents, series.width) for extents in measured.values()], axis=0)
    inside = []
    for n, axis in ((series.height, 1), (series.width, 0)):
        at = np.flatnonzero(seen.any(axis=axis))
        first, stop = int(at[0]), int(at[-1]) + 1
        inside.append((first + mixed * (first > 0), stop - mixed * (stop < n)))
    rows, columns = inside
    if (rows, columns) == ((0, series.height), (0, series.width)):
        return None
    return Inside(rows, columns) if rows[0] < rows[1] and columns[0] < columns[1] else None
