"""How well a volume predicts the measured images, tilt by tilt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..normalise import vacuum_level
from ..projector import ParallelBeam, iter_strips
from ..tilt_series import TiltSeries

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Agreement:
    """Sums over the pixels of each tilt, from which every error follows.

    Attributes
    ----------
    predicted, measured : ndarray, float64, (n_tilts,)
        Sums of squares of the volume's projections, and of the images above vacuum.
    product : ndarray, float64, (n_tilts,)
        Sums of the products of both.
    """

    predicted: Doubles
    measured: Doubles
    product: Doubles

    def scale(self, tilts: ArrayLike | None = None) -> float:
        """Return the factor that brings the projections closest to the images of these tilts."""
        at = slice(None) if tilts is None else np.asarray(tilts)
        power = float(np.sum(self.predicted[at]))
        return float(np.sum(self.product[at])) / power if power > 0 else 0.0

    def error(self, tilts: ArrayLike | None = None, scale: float | None = None) -> float:
        """Root mean square error at these tilts, over that of their images above vacuum."""
        at = slice(None) if tilts is None else np.asarray(tilts)
        squares = self._squares(self.scale() if scale is None else scale)
        return float(np.sqrt(np.sum(squares[at]) / max(float(np.sum(self.measured[at])), 1e-30)))

    def by_tilt(self, scale: float | None = None) -> Doubles:
        """Error of each tilt, (n_tilts,), after one scale for all."""
        squares = self._squares(self.scale() if scale is None else scale)
        return np.asarray(np.sqrt(squares / np.maximum(self.measured, 1e-30)))

    def _squares(self, scale: float) -> Doubles:
        squares = scale**2 * self.predicted - 2 * scale * self.product + self.measured
        return np.maximum(squares, 0.0)


def compare_with_images(series: TiltSeries, volume: Floats, first_slice: int = 0) -> Agreement:
    """Compare a volume's projections with the images, a strip of slices at a time.

    Parameters
    ----------
    series : TiltSeries
        The images; tilts that the volume never saw are legal, and the point of the self-check.
    volume : ndarray, float32, (z, y, x)
        In the intensity scale of the series, as the pipeline gives it.
    first_slice : int
        Where along y the volume begins.

    Returns
    -------
    Agreement
    """
    beam = ParallelBeam(
        series.angles_deg, series.width, volume.shape[0], axis_shift_px=series.axis_shift_px
    )
    vacuum = np.float32(vacuum_level(series))
    sums = np.zeros((3, series.n_tilts))
    for strip in iter_strips(volume.shape[1]):
        start, stop = strip.start, strip.stop
        predicted = beam(np.ascontiguousarray(volume[:, start:stop].transpose(0, 2, 1)))
        measured = series.sinograms(first_slice + start, first_slice + stop) - vacuum
        for k, (a, b) in enumerate(
            ((predicted, predicted), (measured, measured), (predicted, measured))
        ):
            sums[k] += np.einsum("tus,tus->t", a, b, dtype=np.float64)
    return Agreement(*sums)
