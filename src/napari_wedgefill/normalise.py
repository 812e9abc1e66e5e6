"""Intensities: what counts as vacuum, and what counts as one."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from .tilt_series import TiltSeries

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Pixels a tilt that are looked at; more change nothing.
_SAMPLE = 65536
#: Tilts that are asked how noise is correlated, and how many times that of neighbouring pixels the
#: noise between tilts must be to count as correlated.
_FEW_TILTS, _CORRELATED = 16, 1.3
#: The darkest hundredth of the pixels lies so many standard deviations below their mean.
_BELOW = 2.33


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


@dataclass(frozen=True)
class Vacuum:
    """What a series shows where there is nothing.

    Attributes
    ----------
    level : float
        Intensity, the detector's offset, in the units of the file.
    shared_noise : float
        Standard deviation of noise that neighbouring pixels share, in the units of the file; 0
        where they share none, and where the specimen leaves no vacuum to see it in.
    smoothness : float
        How many times the noise is what neighbouring pixels show of it; 1 where they share none.
    """

    level: float
    shared_noise: float = 0.0
    smoothness: float = 1.0


def vacuum_level(series: TiltSeries) -> float:
    """Estimate the intensity of vacuum; see `measure_vacuum`."""
    return measure_vacuum(series).level


def measure_vacuum(series: TiltSeries) -> Vacuum:
    """Estimate the intensity of vacuum and its noise.

    The darkest pixels of each tilt are vacuum where the object is isolated: a constant. Where the
    object fills every image they are its thinnest parts, and grow as ``1 / cos t``: what is left
    when that is taken away is the offset.
    """
    lows, noises = np.array([_dark_level(image) for image in series.images]).T
    dark = lows + _BELOW * noises
    thickness = 1.0 / np.maximum(np.cos(np.deg2rad(series.angles_deg)), 0.1)
    bright = float(np.percentile(_few_pixels(series), 99))
    constant = float(np.median(dark))
    if np.ptp(thickness) >= 0.2:
        slope, offset = np.polyfit(thickness, dark, 1)
        unexplained = float(np.std(dark - offset - slope * thickness))
        if slope > 0.05 * (bright - constant) and slope > 2.0 * unexplained:
            return Vacuum(float(offset))
    times, shared = _measure_shared_noise(series)
    if shared > 0.0:
        constant = float(np.median(lows + _BELOW * times * noises))
    return Vacuum(constant, shared, times)


def _measure_shared_noise(series: TiltSeries) -> tuple[float, float]:
    """Compare the noise of the vacuum from tilt to tilt with that from pixel to pixel.

    Neighbours in smoothed or interpolated images share their noise, and their differences show too
    little of it; images were exposed one by one and share none.

    Returns
    -------
    float
        How many times the noise is what neighbouring pixels show of it.
    float
        Its standard deviation; 0 where neighbours share none.
    """
    n, height, width = series.images.shape
    if n < 3 or height < 3 or width < 5:
        return 1.0, 0.0
    middles = np.unique(np.linspace(1, n - 2, min(n - 2, _FEW_TILTS)).astype(int))
    found = []
    for k in middles:
        rows = [_take_rows(series.images[int(at)]) for at in (k - 1, k, k + 1)]
        found.append(_compare_noises(*rows))
    between, along, wider = (float(noise) for noise in np.median(np.array(found), axis=0))
    # The edge of a specimen differs between tilts, too, but not more so between every other pixel.
    if along <= 0.0 or min(between, wider) <= _CORRELATED * along:
        return 1.0, 0.0
    return between / along, between


def _compare_noises(before: Doubles, here: Doubles, after: Doubles) -> tuple[float, ...]:
    """Noise of the darkest pixels between tilts, of neighbours, and of every other pixel."""
    # Chosen by the mean of three, which noise makes independent of their second difference.
    smooth = (before + here + after) / 3.0
    dark = smooth <= np.percentile(smooth, 20.0)
    between = (before - 2.0 * here + after)[dark]
    between = between - np.median(between)  # tilts may differ in brightness
    along = np.diff(here, n=2, axis=1)
    wider = here[:, :-4] - 2.0 * here[:, 2:-2] + here[:, 4:]
    inner = dark[:, 1:-1]
    if not inner[:, 1:-1].any():
        return 0.0, 0.0, 0.0
    return (
        robust_spread(between) / np.sqrt(6.0),
        robust_spread(along[inner]) / np.sqrt(6.0),
        robust_spread(wider[inner[:, 1:-1]]) / np.sqrt(6.0),
    )


def robust_spread(values: Floats | Doubles) -> float:
    """Standard deviation about zero, from the median."""
    return 1.4826 * float(np.median(np.abs(values)))


def _few_pixels(series: TiltSeries) -> Floats:
    """Return about eight images of the series, of large ones only some rows."""
    step = max(1, int(np.sqrt(series.height * series.width / _SAMPLE)))
    rows: Floats = series.images[:: max(1, series.n_tilts // 8), ::step]
    return rows


def _dark_level(image: Floats) -> tuple[float, float]:
    """Level of the darkest hundredth of an image, and the noise of dark pixels."""
    rows = _take_rows(image)
    low = float(np.percentile(rows, 1.0))
    return (low, _dark_noise(rows)) if min(rows.shape) >= 3 else (low, 0.0)


def _take_rows(image: Floats) -> Doubles:
    step = max(1, int(np.sqrt(image.size / _SAMPLE)))
    return image[::step].astype(np.float64)


def _dark_noise(rows: Doubles) -> float:
    left, middle, right = rows[:, :-2], rows[:, 1:-1], rows[:, 2:]
    # Chosen by the mean of three, which white noise makes independent of their second difference:
    # pixels chosen for being dark themselves would show almost twice the noise there is.
    smooth = (left + middle + right) / 3.0
    second = left - 2.0 * middle + right
    dark = second[smooth <= np.percentile(smooth, 20.0)]
    return robust_spread(dark) / np.sqrt(6.0) if dark.size else 0.0
