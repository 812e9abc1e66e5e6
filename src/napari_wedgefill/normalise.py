"""Intensities: what counts as vacuum, and what counts as one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .tilt_series import TiltSeries

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Pixels a tilt that are looked at; more change nothing.
_SAMPLE = 65536
#: Tilts that are asked how noise is correlated.
_FEW_TILTS = 16
#: Distances in pixels at which noise is looked at; how little it may grow from one to the next
#: where all of it is seen; and how many times that of neighbours it must be to count as correlated.
_LAGS = (1, 2, 4, 8, 16)
_SATURATED, _CORRELATED = 1.2, 1.3
#: Least width of the field over such a distance: the shape of an object is not to count as noise.
_FIELD = 12


@dataclass(frozen=True)
class Normalisation:
    """An invertible change of intensities: ``normalised = (measured - offset) / scale``.

    Attributes
    ----------
    offset : float
        Intensity of vacuum, in the units of the file.
    scale : float
        Density that counts as one, in the units of the file a voxel.
    """

    offset: float
    scale: float

    def apply(self, sinogram: Floats) -> Floats:
        """Path integrals (any shape) in units of the density scale."""
        return np.asarray((sinogram - np.float32(self.offset)) / np.float32(self.scale), np.float32)

    def restore(self, volume: Floats, out: Floats | None = None) -> Floats:
        """Densities (any shape) in the units of the file a voxel, in `out` where it is given."""
        restored: Floats = np.multiply(volume, np.float32(self.scale), out=out)
        return restored

    def to_dict(self) -> dict[str, float]:
        """Plain values, for the report."""
        return asdict(self)


def vacuum_level(series: TiltSeries) -> float:
    """Estimate the intensity of vacuum, the detector's offset.

    The darkest pixels of each tilt are vacuum where the object is isolated: a constant. Where the
    object fills every image they are its thinnest parts, and grow as ``1 / cos t``: what is left
    when that is taken away is the offset.
    """
    # Smoothing and interpolation were the same for all images: one image alone does not tell.
    lag = _choose_distance(series)
    dark = np.array([_dark_level(image, lag) for image in series.images])
    thickness = 1.0 / np.maximum(np.cos(np.deg2rad(series.angles_deg)), 0.1)
    constant = float(np.median(dark))
    bright = float(np.percentile(_few_pixels(series), 99))
    if np.ptp(thickness) < 0.2:
        return constant
    slope, offset = np.polyfit(thickness, dark, 1)
    unexplained = float(np.std(dark - offset - slope * thickness))
    fills_the_view = slope > 0.05 * (bright - constant) and slope > 2.0 * unexplained
    return float(offset) if fills_the_view else constant


def _few_pixels(series: TiltSeries) -> Floats:
    """Return about eight images of the series, of large ones only some rows."""
    step = max(1, int(np.sqrt(series.height * series.width / _SAMPLE)))
    rows: Floats = series.images[:: max(1, series.n_tilts // 8), ::step]
    return rows


def _dark_level(image: Floats, lag: int) -> float:
    """Level of the darkest hundredth of an image, raised by what noise took from it."""
    rows = _take_rows(image)
    low = float(np.percentile(rows, 1.0))
    return low + 2.33 * _compare_at_distance(rows, lag) if min(rows.shape) >= 3 else low


def _take_rows(image: Floats) -> Doubles:
    step = max(1, int(np.sqrt(image.size / _SAMPLE)))
    return image[::step].astype(np.float64)


def _choose_distance(series: TiltSeries) -> int:
    """Return how far apart pixels lie, in pixels, whose differences show all of the noise.

    Neighbours in smoothed or interpolated images share their noise, and their differences show
    too little of it; pixels further apart show all. Differences that go on growing with distance
    are no noise but the specimen's texture, and do not count.
    """
    lags = [lag for lag in _LAGS if series.width > _FIELD * lag]
    if len(lags) < 2 or series.height < 3:
        return 1
    every = max(1, series.n_tilts // _FEW_TILTS)
    found = [
        [_compare_at_distance(_take_rows(image), lag) for lag in lags]
        for image in series.images[::every]
    ]
    noises = np.median(found, axis=0)
    for (lag, near), (_, far) in pairwise(zip(lags, noises, strict=True)):
        if far < _SATURATED * near:
            return lag if near > _CORRELATED * noises[0] else 1
    return 1


def _compare_at_distance(rows: Doubles, lag: int) -> float:
    left, middle, right = rows[:, : -2 * lag], rows[:, lag:-lag], rows[:, 2 * lag :]
    # Chosen by the mean of three, which white noise makes independent of their second difference:
    # pixels chosen for being dark themselves would show almost twice the noise there is.
    smooth = (left + middle + right) / 3.0
    second = left - 2.0 * middle + right
    dark = np.abs(second[smooth <= np.percentile(smooth, 20.0)])
    return 1.4826 * float(np.median(dark)) / np.sqrt(6.0) if dark.size else 0.0
