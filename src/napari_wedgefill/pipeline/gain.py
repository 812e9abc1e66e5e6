"""One factor per tilt: the brightness of images of which each should hold the same specimen.

Every image of an isolated specimen adds up to the same, its mass, however it is tilted. Where the
sums differ, beam current, detector or dwell time did, and no volume can explain all images at once.
Where the specimen goes on outside the field of view, sums differ by themselves, and nothing is
done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..disk_images import DiskImages
from ..normalise import vacuum_level
from ..tilt_series import TiltSeries

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Rows that are looked at, at most, and the bands that they are summed in: what is a gain is the
#: same in all of them, and how far they differ says how well it is known.
MOST_ROWS, BANDS, FEWEST_BANDS = 256, 8, 3
TOO_FEW = "there are too few rows or tilts to tell"
#: Part of the detector at either end that must be vacuum.
MARGIN = 1 / 24
#: What the ends may show, and how far they may differ from tilt to tilt, over the brightest part
#: of the specimen, where it is isolated.
VACUUM = 0.03
#: A column belongs to the specimen if it is brighter than this, over the brightest part.
SPECIMEN = 0.02
#: Least spread of the factors that matters, and least ratio of that spread to what its uncertainty
#: would make of factors that are all one.
LEAST_SPREAD, SIGNIFICANT = 0.01, 3.0
#: Factors beyond these are no gain: such images are empty or spoiled.
FACTORS = 0.2, 5.0


@dataclass(frozen=True, eq=False)
class TiltGain:
    """What the sums of the images say of their brightness.

    Attributes
    ----------
    reason : str
        Why nothing is corrected; empty where the images are.
    factors : ndarray, float64, (n_tilts,), or None
        Brightness of each image over the usual one, whether or not it is corrected; None where it
        could not be measured.
    levels : ndarray, float64, (n_tilts,), or None
        Vacuum of each image, in the units of the file; None where factors are.
    vacuum : float
        Vacuum of the whole series.
    uncertainty : float or None
        Standard error of a factor; None where they are.
    """

    reason: str
    factors: Doubles | None = None
    levels: Doubles | None = None
    vacuum: float = 0.0
    uncertainty: float | None = None

    @property
    def is_corrected(self) -> bool:
        """Whether the images are to be corrected."""
        return not self.reason

    def correct(self, series: TiltSeries) -> TiltSeries:
        """Return the series with every image as bright as the usual one, or as it is."""
        if self.reason or self.factors is None or self.levels is None:
            return series
        slopes = 1.0 / self.factors
        starts = self.vacuum - self.levels * slopes
        images: Any = series.images
        if isinstance(images, DiskImages):
            images = images.scaled(slopes, starts)
        else:
            images = np.empty(series.images.shape, np.float32)
            for image, out, slope, start in zip(series.images, images, slopes, starts, strict=True):
                np.multiply(image, np.float32(slope), out=out)
                out += np.float32(start)
        return replace(series, images=images)

    @property
    def sentence(self) -> str:
        """Say in plain words what was found and done."""
        if self.reason or self.factors is None:
            return f"Brightness of the images: not changed, {self.reason}."
        low, high = self.factors.min(), self.factors.max()
        return (
            f"Brightness of the images: they differ by factors of {low:.2f} to {high:.2f} though "
            "all show the same isolated specimen, so each was divided by its factor."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the report; null for what could not be measured."""
        factors, error = self.factors, self.uncertainty
        return {
            "corrected": self.is_corrected,
            "factors": None if factors is None else [round(float(f), 5) for f in factors],
            "uncertainty": None if error is None else round(error, 5),
            "sentence": self.sentence,
        }


def find_gain(series: TiltSeries, bands: Doubles | None = None) -> TiltGain:
    """Estimate one factor per tilt from the sums of the images of an isolated specimen.

    Parameters
    ----------
    series : TiltSeries
        Aligned images, the tilt axis along y; the specimen may go on outside along y.
    bands : ndarray, float64, (n_tilts, n_bands, width), optional
        Its `sum_bands`, where they are there already.

    Returns
    -------
    TiltGain
        With the reason where nothing is to be corrected: the specimen is not isolated, the images
        are alike, their sums are too uncertain, or displacements along y explain them as well.
    """
    profiles = sum_bands(series) if bands is None else bands
    n_tilts, n_bands, width = profiles.shape
    if min(n_bands, n_tilts) < FEWEST_BANDS:
        return TiltGain(TOO_FEW)
    n = max(2, round(MARGIN * width))
    ends = np.stack([profiles[:, :, :n].mean(2), profiles[:, :, -n:].mean(2)])
    vacuum = vacuum_level(series)
    peak = float(np.percentile(np.abs(profiles.mean(1) - vacuum), 99.0))
    if not _is_vacuum(ends, vacuum, peak):
        return TiltGain("for the specimen goes on outside the field of view")
    left, right = np.median(ends, axis=2)
    along = np.linspace(0.0, 1.0, width)
    specimen = profiles - ((1.0 - along) * left[:, None] + along * right[:, None])[:, None]
    columns = np.abs(specimen.mean(1)).max(0) > SPECIMEN * peak
    masses = specimen[:, :, columns].sum(2)
    factors, errors = _compare_masses(masses)
    if not (
        np.isfinite(factors).all() and FACTORS[0] < factors.min() <= factors.max() < FACTORS[1]
    ):
        return TiltGain("for some of them show too little to compare")
    spread, error = float(np.std(factors)), float(np.sqrt(np.mean(errors**2)))
    levels = (left + right) / 2
    reason = ""
    if spread < LEAST_SPREAD or spread < SIGNIFICANT * error:
        reason = "for they are alike within what can be told"
    else:
        moved = float(np.sqrt(np.mean((_compare_beside_shifts(masses) - factors) ** 2)))
        if moved > spread / SIGNIFICANT:
            reason = "for they may only be displaced along the tilt axis: align them"
    return TiltGain(reason, factors, levels, vacuum, error)


def sum_bands(series: TiltSeries) -> Doubles:
    """Mean intensity (n_tilts, n_bands, width) over bands of rows."""
    step = -(-series.height // MOST_ROWS)
    return np.stack([_average_rows(image) for image in _iter_rows(series, step)])


def _iter_rows(series: TiltSeries, step: int) -> Iterator[Floats]:
    for k in range(series.n_tilts):
        yield series.images[k, ::step]


def _average_rows(image: Floats) -> Doubles:
    edges = np.unique(np.linspace(0, len(image), min(BANDS, len(image)) + 1).astype(int))
    sums = np.add.reduceat(image.astype(np.float64), edges[:-1], axis=0)
    return np.asarray(sums / np.diff(edges)[:, None])


def _is_vacuum(ends: Doubles, vacuum: float, peak: float) -> bool:
    """Tell whether both ends (2, n_tilts, n_bands) of the detector show vacuum at every tilt."""
    if peak <= 0:
        return False
    over = np.abs(ends.mean(2) - vacuum) / peak
    differ = np.abs(ends.mean(2) - np.median(ends)) / peak
    return bool(over.max() < VACUUM and differ.max() < VACUUM)


def _compare_masses(masses: Doubles) -> tuple[Doubles, Doubles]:
    """Factor of each tilt and its standard error, from masses (n_tilts, n_bands)."""
    usual = np.median(masses, axis=0)
    weights = np.abs(usual) / max(float(np.abs(usual).sum()), 1e-30)
    ratios = masses / np.where(usual == 0, np.inf, usual)
    factors = ratios @ weights
    scatter = np.square(ratios - factors[:, None]) @ weights
    # As many bands count as hold much of the mass.
    n_counting = 1.0 / max(float(np.sum(weights**2)), 1e-30)
    errors = np.sqrt(scatter / max(n_counting - 1.0, 0.5))
    middle = float(np.median(factors)) or np.nan  # no mass, no factor
    return factors / middle, errors / abs(middle)


def _compare_beside_shifts(masses: Doubles) -> Doubles:
    """Factor of each tilt where each image may also be displaced along y.

    A specimen that is thicker towards one end and moves along the axis changes its sums too. A
    small displacement adds a multiple of the gradient along y, which is fitted beside the factor.
    """
    usual = np.median(masses, axis=0)
    parts = np.stack([usual, np.gradient(usual)], axis=1)
    factors = np.linalg.lstsq(parts, masses.T, rcond=None)[0][0]
    return np.asarray(factors / (float(np.median(factors)) or np.nan))
