"""A background that rises from one side of the images to the other.

Stray light, a detector that is not flat, or a subtraction gone wrong adds a plane to an image. On
both sides of an isolated specimen there is vacuum, and what it shows is a plane. What goes on
outside the field of view is left alone: a film that is thicker on one side is no background.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..disk_images import DiskImages, subtract_slope
from ..tilt_series import TiltSeries
from .gain import FEWEST_BANDS, MARGIN, TOO_FEW, VACUUM, sum_bands

Doubles = NDArray[np.float64]

#: Rise over the field, as a share of the brightest part of the specimen, that matters, and its
#: ratio to its uncertainty.
LEAST_RISE, SIGNIFICANT = 0.01, 5.0
#: Spread of the rises over their errors up to which all images have the same.
ALIKE = 2.0
#: What the plane leaves of the vacuum at both ends, over the brightest part of the specimen.
LEFT_OVER = 0.01
#: Columns of either end are looked at in so many pieces: vacuum rises by the same in each.
PIECES = 3


@dataclass(frozen=True, eq=False)
class Slope:
    """Rise of the background of each image.

    Attributes
    ----------
    reason : str
        Why nothing is corrected; empty where the images are.
    rises : ndarray, float64, (n_tilts, 2), or None
        In the units of the file, per row and per column; None where it could not be measured.
    share : float or None
        Typical rise over the width, over the brightest part of the specimen.
    """

    reason: str
    rises: Doubles | None = None
    share: float | None = None

    @property
    def is_corrected(self) -> bool:
        """Whether the images are to be corrected."""
        return not self.reason

    def correct(self, series: TiltSeries) -> TiltSeries:
        """Return the series with level backgrounds, or as it is."""
        if self.reason or self.rises is None:
            return series
        images: Any = series.images
        if isinstance(images, DiskImages):
            return replace(series, images=images.without_slopes(self.rises))
        y = np.arange(series.height, dtype=np.float64) - (series.height - 1) / 2
        level = np.empty(images.shape, np.float32)
        for image, rise, out in zip(images, self.rises, level, strict=True):
            out[:] = subtract_slope(image, rise, y)
        return replace(series, images=level)

    @property
    def sentence(self) -> str:
        """Say in plain words what was found and done."""
        if self.reason or self.share is None:
            return f"Slope of the background: not changed, {self.reason}."
        return (
            "Slope of the background: beside the specimen the images rise from one side to the "
            f"other by {100 * self.share:.1f} % of its brightest part, so a plane was subtracted "
            "from each."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the report; null for what could not be measured."""
        rises = self.rises
        return {
            "corrected": self.is_corrected,
            "rise_per_row": None if rises is None else [float(f"{r:.6g}") for r in rises[:, 0]],
            "rise_per_column": None if rises is None else [float(f"{r:.6g}") for r in rises[:, 1]],
            "share": None if self.share is None else round(self.share, 5),
            "sentence": self.sentence,
        }


def find_slope(series: TiltSeries, bands: Doubles | None = None) -> Slope:
    """Fit a plane to the vacuum at both ends of the detector, where both ends are vacuum.

    Parameters
    ----------
    series : TiltSeries
        Aligned images, the tilt axis along y; the specimen may go on outside along y.
    bands : ndarray, float64, (n_tilts, n_bands, width), optional
        Its `sum_bands`, where they are there already.

    Returns
    -------
    Slope
        With the reason where nothing is to be corrected: the specimen is not isolated, or there is
        no slope beyond doubt.
    """
    bands = sum_bands(series) if bands is None else bands
    n_tilts, n_bands, width = bands.shape
    if min(n_bands, n_tilts) < FEWEST_BANDS:
        return Slope(TOO_FEW)
    n = max(PIECES, round(MARGIN * width))
    x, places = _place_pieces(width, n)
    ends = np.stack([bands[:, :, at].mean(axis=2) for at in places], axis=2)
    y = (np.arange(n_bands) - (n_bands - 1) / 2) * series.height / n_bands
    planes, left = _fit_planes(ends, y, x)
    columns = np.arange(width) - (width - 1) / 2
    above = bands.mean(axis=1) - planes[:, :1] - planes[:, 2:] * columns
    peak = float(np.percentile(above, 99.0))
    outside = Slope("for it cannot be told from the specimen")
    if peak <= 0 or float(np.percentile(above, 1.0)) < -VACUUM * peak:
        return outside
    if float(np.abs(left.mean(axis=1)).max()) > LEFT_OVER * peak or _grows(
        planes[:, 0], series.angles_deg, peak
    ):
        return outside
    errors = _estimate_errors(left, y, x)
    rises = _share_where_alike(planes[:, 1:], errors)
    spans = rises * (series.height, width)
    share = float(_take_rms(spans).max()) / peak
    doubt = float((_take_rms(errors) * (series.height, width)).max()) / peak
    if share < max(LEAST_RISE, SIGNIFICANT * doubt):
        return Slope("for it is level within what can be told", rises, share)
    return Slope("", rises, share)


def _place_pieces(width: int, n: int) -> tuple[Doubles, list[NDArray[np.intp]]]:
    """Return pieces of the columns at both ends: their middles, from the centre, and indices."""
    columns = np.arange(width)
    places = [*np.array_split(columns[:n], PIECES), *np.array_split(columns[-n:], PIECES)]
    return np.array([at.mean() for at in places]) - (width - 1) / 2, places


def _fit_planes(ends: Doubles, y: Doubles, x: Doubles) -> tuple[Doubles, Doubles]:
    """Fit level, rise per row and rise per column to ends (n_tilts, n_bands, n_pieces).

    Returns
    -------
    ndarray, (n_tilts, 3)
        The planes.
    ndarray, (n_tilts, n_bands, n_pieces)
        What they leave.
    """
    rows, columns = np.meshgrid(y, x, indexing="ij")
    design = np.stack([np.ones(rows.size), rows.ravel(), columns.ravel()], axis=1)
    values = ends.reshape(len(ends), -1).T
    planes = np.linalg.lstsq(design, values, rcond=None)[0]
    left = np.asarray((values - design @ planes).T.reshape(ends.shape), np.float64)
    return np.asarray(planes.T, np.float64), left


def _estimate_errors(left: Doubles, y: Doubles, x: Doubles) -> Doubles:
    """Return the standard errors (n_tilts, 2) of the rises, from what the planes leave."""
    noise = left.reshape(len(left), -1).std(axis=1)
    n_pieces, n_bands = x.size, y.size
    powers = np.array([np.square(y).sum() * n_pieces, np.square(x).sum() * n_bands])
    return np.asarray(noise[:, None] / np.sqrt(powers))


def _share_where_alike(rises: Doubles, errors: Doubles) -> Doubles:
    """Give all images their median rise (n_tilts, 2) along an axis where they differ by chance."""
    usual = np.median(rises, axis=0)
    differ = _take_rms(rises - usual) > ALIKE * _take_rms(errors)
    return np.asarray(np.where(differ, rises, usual))


def _take_rms(values: Doubles) -> Doubles:
    return np.asarray(np.sqrt(np.mean(np.square(values), axis=0)))


def _grows(levels: Doubles, angles_deg: Doubles, peak: float) -> bool:
    """Tell whether the level between both ends grows with the path through a film."""
    path = 1.0 / np.maximum(np.cos(np.deg2rad(angles_deg)), 0.1)
    if np.ptp(path) < 0.2:
        return False
    return bool(np.polyfit(path, levels, 1)[0] * np.ptp(path) > VACUUM * peak)
