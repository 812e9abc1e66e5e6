"""Frames: what an alignment moved into the images from outside, and filled with one value.

An aligned stack lacks a strip or a corner in most of its images, another one in each. IMOD fills it
with the image's mean, tomviz and ETSpy with zeros. Images that were padded to a larger size have a
frame on both sides. None of it was measured: zeros beside a vacuum that is not zero make every ray
through them wrong, and would be taken for the vacuum themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..disk_images import DiskImages, Frame
from ..normalise import robust_spread, vacuum_level
from ..projector import ParallelBeam, iter_strips
from ..tilt_series import TiltSeries
from .frame_edges import (
    LOOKS,
    MIXED,
    Extents,
    choose_mixed,
    compare_with_ring,
    grow,
    is_clear,
    measure_sides,
)
from .masked_sart import Slices, reconstruct_masked, width_for

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

#: Rows of an image that tell whether corners have the value of their neighbours.
OUTER_ROWS = [0, 1, -2, -1]
#: Largest share of an image that is a frame: a specimen in an exact vacuum leaves more. Padding may
#: take more still.
LARGEST, PADDED = 0.4, 0.9
#: Share of the measured pixels that may have the frame's value: where it is common, as zero counts
#: are, a patch of them is nothing special.
RARE = 0.05
#: Pixels of a frame, over the shorter side of the image.
SMALLEST = 0.25
#: How far the edge of a frame is from a straight line, in pixels, and how many lines one side of a
#: turned image has: its own and those of the corners above and below.
STRAIGHT, LINES = 1.0, 4
#: A frame cuts the specimen where it would go on with more than this, over the brightest part,
#: and more than noise reaches in any of the pixels, over its own deviation: fifteen are averaged.
SHOWS, BY_CHANCE = 0.05, 1.6
#: Part of the detector at either end that tells whether the specimen leaves the field.
END = 1 / 32
#: Passes over all tilts that predict what a frame hides.
SWEEPS = 8


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames of the images of a series.

    Attributes
    ----------
    by_image : dict of int to Frame
        Images without a frame are not listed.
    shape : tuple of int
        Of the images, (n_tilts, h, w).
    measured : dict of int to ndarray, (h, 2)
        Extents of what lies inside each frame, with what was mixed with it.
    """

    by_image: Mapping[int, Frame] = field(default_factory=dict)
    shape: tuple[int, int, int] = (0, 0, 0)
    measured: Mapping[int, Extents] = field(default_factory=dict)

    @property
    def is_corrected(self) -> bool:
        """Whether there are any."""
        return bool(self.by_image)

    @property
    def share(self) -> float:
        """Share of the series' pixels that was not measured."""
        n_missing = sum(
            self.shape[1] * self.shape[2] - int(np.diff(extents, axis=1).sum())
            for extents in self.measured.values()
        )
        return n_missing / max(float(np.prod(self.shape)), 1.0)

    def correct(self, series: TiltSeries) -> TiltSeries:
        """Return the series with its frames filled."""
        if not self.by_image:
            return series
        images: Any = series.images
        if isinstance(images, DiskImages):
            return replace(series, images=images.with_frames(self.by_image))
        images = images.copy()
        for k, frame in self.by_image.items():
            images[k] = frame.fill(images[k], np.arange(len(images[k])))
        return replace(series, images=images)

    @property
    def sentence(self) -> str:
        """Say in plain words what was found and done."""
        if not self.by_image:
            return "Frames: no image has one."
        return (
            f"Frames: {len(self.by_image)} of {self.shape[0]} images have edges or corners of one "
            f"value, {100 * self.share:.1f} % of all pixels, which were never measured; they were "
            "filled with what the other images say of them."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the report."""
        return {
            "corrected": self.is_corrected,
            "n_images": len(self.by_image),
            "share": round(self.share, 5),
            "sentence": self.sentence,
        }


def find_frames(series: TiltSeries) -> Frames:
    """Find edges and corners of one exact value that differs from what lies beside them.

    Parameters
    ----------
    series : TiltSeries
        Images as they were read.

    Returns
    -------
    Frames
        None where the value is common in the images, as in maps of counts, where the patches are
        large or not cut straight, or where what lies beside them has the same level.
    """
    shape = series.n_tilts, series.height, series.width
    measured, mixed = _find_measured(series)
    if not measured:
        return Frames({}, shape)
    frames = {
        k: _mirror_into(np.asarray(series.images[k]), _leave_out_edge(extents, series.width, mixed))
        for k, extents in measured.items()
    }
    return _predict(series, Frames(frames, shape, measured))


def _find_measured(series: TiltSeries) -> tuple[dict[int, Extents], int]:
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
        found[k] = _span(flags)
        if _is_on_both_sides(flags):
            padded.append(k)
        else:
            matters += compare_with_ring(image, flags)
    # An image that was moved lacks something on one side.
    mixed = _look_at_padding(series, {k: found[k] for k in padded}) if padded else None
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
        image, flags = np.asarray(series.images[k]), _flag(measured[k], series.width)
        sides.append(measure_sides(image, measured[k]))
        step = float(np.nan_to_num(abs(sides[-1][..., 1])).mean(axis=1).max())
        is_clear_at.append(is_clear(image, flags, step))
    widths = np.array([_measure_width(extents) for extents in measured.values()])
    return choose_mixed(np.array(sides), widths) if np.mean(is_clear_at) > 0.5 else None


def _measure_width(extents: Extents) -> int:
    """Return the width of the rectangle, in pixels, that holds all that was measured."""
    some = extents[extents[:, 0] < extents[:, 1]]
    return int(some[:, 1].max() - some[:, 0].min())


def _flag(extents: Extents, width: int) -> Flags:
    """Return the pixels outside of extents, (h, width)."""
    at = np.arange(width)
    return (at < extents[:, :1]) | (at >= extents[:, 1:])


def _mirror_into(image: Floats, extents: Extents) -> Frame:
    """Fill a frame with the mirror image of what lies beside it.

    Vacuum goes on with its noise, where one value would look like an image without any.
    """
    measured = np.flatnonzero(extents[:, 0] < extents[:, 1])
    rows = _fold(np.arange(len(image)), int(measured[0]), int(measured[-1]) + 1)
    whole = np.array(image[rows])
    for row, (first, stop) in zip(whole, extents[rows], strict=True):
        if first > 0 or stop < row.size:
            row[:] = row[_fold(np.arange(row.size), int(first), int(stop))]
    frame = Frame(extents, np.empty(0, np.float32), image.shape[1])
    return replace(frame, values=whole[frame.missing])


def _fold(at: NDArray[np.intp], first: int, stop: int) -> NDArray[np.intp]:
    """Positions inside ``first:stop`` that others are mirrored to, as often as it takes."""
    n = stop - first
    folded = (at - first) % (2 * n)
    return np.asarray(first + np.minimum(folded, 2 * n - 1 - folded), np.intp)


def _predict(series: TiltSeries, frames: Frames) -> Frames:
    """Fill frames that cut the specimen with what all measured pixels predict there."""
    mirrored = frames.correct(series)
    vacuum = np.float32(vacuum_level(mirrored))
    middle = np.asarray(mirrored.images[series.n_tilts // 2])
    peak = float(np.percentile(middle, 99.0)) - float(vacuum)
    n_end = max(2, round(END * series.width))
    values = {k: np.array(frame.values) for k, frame in frames.by_image.items()}
    missing = {k: frame.missing for k, frame in frames.by_image.items()}
    for strip in iter_strips(series.height):
        rows = mirrored.sinograms(strip.start, strip.stop) - vacuum
        measured = np.ones(rows.shape, np.float32)
        for k, flags in missing.items():
            measured[k][flags[strip].T] = 0.0
        unknown, smooth = measured == 0.0, _smooth(rows)
        shows = max(SHOWS * peak, BY_CHANCE * robust_spread(rows - smooth))
        if not unknown.any() or float(np.abs(smooth[unknown]).max()) < shows:
            continue
        # A prediction has no noise, by which the vacuum would be told from the specimen.
        noise = np.where(np.abs(smooth) < shows, rows - smooth, 0.0)
        ends = float(rows[:, :n_end].mean()), float(rows[:, -n_end:].mean())
        predicted = _reproject(series, Slices(rows, measured), max(ends) < SHOWS * peak)
        for k, flags in missing.items():
            at = flags[strip]
            start = np.count_nonzero(flags[: strip.start])
            part = (predicted[k] + noise[k]).T[at] + vacuum
            values[k][start : start + part.size] = part
    filled = {k: replace(frame, values=values[k]) for k, frame in frames.by_image.items()}
    return replace(frames, by_image=filled)


def _smooth(rows: Floats) -> Floats:
    from scipy.ndimage import uniform_filter

    smooth: Floats = uniform_filter(rows, (1, 5, 3), mode="nearest")
    return smooth


def _reproject(series: TiltSeries, slices: Slices, isolated: bool) -> Floats:
    """Rows (n_tilts, width, n_slices) that a reconstruction from the measured pixels predicts."""
    width = width_for(series.width, series.angles_deg, isolated)
    wide = slices.widen(width)
    volume = reconstruct_masked(
        wide,
        series.angles_deg,
        SWEEPS,
        depth=series.width,
        nonnegative=True,
        axis_shift_px=series.axis_shift_px,
    )
    beam = ParallelBeam(series.angles_deg, width, series.width, axis_shift_px=series.axis_shift_px)
    before = (width - series.width) // 2
    predicted: Floats = beam(volume)[:, before : before + series.width]
    return predicted


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
        extents = _span(flags)
        inside = np.arange(flags.shape[1])
        spanned = (inside >= extents[:, :1]) & (inside < extents[:, 1:])
        if (spanned & flags).any():
            return False
    extents = _span(frame)
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


def _span(flags: Flags) -> Extents:
    """First pixel of each row that is not flagged, and one past the last; both 0 without any."""
    free = ~flags
    n = flags.shape[1]
    first = np.where(free.any(axis=1), free.argmax(axis=1), 0)
    stop = np.where(free.any(axis=1), n - free[:, ::-1].argmax(axis=1), 0)
    return np.stack([first, stop], axis=1).astype(np.int64)


def _leave_out_edge(extents: Extents, width: int, mixed: int) -> Extents:
    """Return what was measured of each row, beyond what was mixed with the frame."""
    clear = _span(grow(_flag(extents, width), mixed))
    # Of images with few rows, all may lie within reach of the frame's edge.
    return clear if (clear[:, 0] < clear[:, 1]).any() else extents
