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

from ..disk_images import DiskImages, Frame, flag_outside
from ..normalise import robust_spread, vacuum_level
from ..projector import ParallelBeam, iter_strips
from ..tilt_series import TiltSeries
from .frame_edges import SAME_WIDTH, Extents, grow
from .masked_sart import Slices, reconstruct_masked, width_for
from .measured_extents import find_measured, span

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

#: A frame cuts the specimen where it would go on with more than this, over the brightest part,
#: and more than noise reaches in any of the pixels, over its own deviation: fifteen are averaged.
SHOWS, BY_CHANCE = 0.05, 1.6
#: Part of the detector at either end that tells whether the specimen leaves the field.
END = 1 / 32
#: From where on the middle of what was measured is not that of the images, in pixels.
OFF_AXIS_PX = 2.0
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
    axis_shift_px : float
        Of the series.
    """

    by_image: Mapping[int, Frame] = field(default_factory=dict)
    shape: tuple[int, int, int] = (0, 0, 0)
    measured: Mapping[int, Extents] = field(default_factory=dict)
    axis_shift_px: float = 0.0

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
        told = (
            f"Frames: {len(self.by_image)} of {self.shape[0]} images have edges or corners of one "
            f"value, {100 * self.share:.1f} % of all pixels, which were never measured; they were "
            "filled with what the other images say of them."
        )
        if not self.is_off_axis:
            return told
        middle = f"{self.middle_px:g}"
        return (
            f"{told} What was measured lies {middle} px from the middle of every image, where the "
            "tilt axis is taken to be: if the images were padded after they were aligned, give it "
            f"with --axis-shift {middle}."
        )

    @property
    def middle_px(self) -> float:
        """Middle of what was measured from that of the images, in pixels along x.

        0 where it is not the same in all images.
        """
        if len(self.measured) < self.shape[0]:
            return 0.0
        spans = [extents[extents[:, 0] < extents[:, 1]] for extents in self.measured.values()]
        ends = np.array([(span[:, 0].min(), span[:, 1].max()) for span in spans])
        if np.ptp(ends, axis=0).max() > SAME_WIDTH:
            return 0.0
        return float(np.median(ends.sum(axis=1)) - self.shape[2]) / 2

    @property
    def is_off_axis(self) -> bool:
        """Whether the tilt axis is taken to be where it would not be if padding moved it."""
        return self.axis_shift_px == 0.0 and abs(self.middle_px) >= OFF_AXIS_PX

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
    measured, mixed = find_measured(series)
    if not measured:
        return Frames({}, shape)
    frames = {
        k: _mirror_into(np.asarray(series.images[k]), _leave_out_edge(extents, series.width, mixed))
        for k, extents in measured.items()
    }
    return _predict(series, Frames(frames, shape, measured, series.axis_shift_px))


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


def _leave_out_edge(extents: Extents, width: int, mixed: int) -> Extents:
    """Return what was measured of each row, beyond what was mixed with the frame."""
    clear = span(grow(flag_outside(extents, width), mixed))
    # Of images with few rows, all may lie within reach of the frame's edge.
    return clear if (clear[:, 0] < clear[:, 1]).any() else extents
