"""Resolution: Fourier shell correlation between reconstructions of the odd and the even tilts.

For classical methods only. Two halves that a network completes share what the network believes:
they agree on its invention as readily as on the specimen, and their correlation would call the
invention resolved. TVM's preference for flat regions is shared by its halves too, so its figure
flatters; WBP's, SART's and SIRT's do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from ..methods import METHODS
from ..pipeline.events import Finished
from ..pipeline.fill import choose_field, iter_fill
from ..pipeline.options import FillOptions
from ..pipeline.session import Session
from ..progress import Clock, Progress
from ..tilt_series import TiltSeries
from .metrics import wedge_mask
from .self_check import choose_middle_slices
from .shape import taper

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

THRESHOLDS = (0.5, 0.143)
#: Period of the finest wave that voxels can show, in voxels.
FINEST_PX = 2.0
WARNING = (
    "Shell correlations are given for classical methods only: both halves of a network's volume "
    "share what the network made up, so that their agreement proves nothing; TVM's halves share "
    "its preference for flat regions, which flatters it."
)


@dataclass(frozen=True, eq=False)
class ShellCorrelation:
    """Correlation of two volumes by frequency.

    Attributes
    ----------
    frequency : ndarray, float64, (n_shells,)
        Of each shell, in cycles a voxel, up to 0.5.
    correlation : ndarray, float64, (n_shells,)
        -1 to 1.
    """

    frequency: Doubles
    correlation: Doubles

    def resolution_px(self, threshold: float) -> float:
        """Smallest period, in voxels, up to which the correlation stays above a threshold.

        2, the finest that voxels can show, where it never falls below.
        """
        below = np.flatnonzero(self.correlation < threshold)
        if not below.size:
            return FINEST_PX
        k = int(below[0])
        if k == 0:
            return float(1.0 / self.frequency[0])
        f, c = self.frequency[k - 1 : k + 1], self.correlation[k - 1 : k + 1]
        crossing = f[0] + (c[0] - threshold) / max(c[0] - c[1], 1e-12) * (f[1] - f[0])
        return float(1.0 / crossing)


@dataclass(frozen=True, eq=False)
class Resolution:
    """The last item of `iter_resolution`.

    Attributes
    ----------
    curves : dict of str to ShellCorrelation
        By method.
    pixel_nm : float or None
        Voxel edge; without it periods are in voxels.
    """

    curves: dict[str, ShellCorrelation]
    pixel_nm: float | None

    @property
    def unit(self) -> str:
        """Of the resolutions: "nm", or "voxels" where the voxel size is unknown."""
        return "voxels" if self.pixel_nm is None else "nm"

    def at(self, method: str, threshold: float) -> float:
        """Resolution of a method in `unit`."""
        return self.curves[method].resolution_px(threshold) * (self.pixel_nm or 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the report."""
        return {
            "unit": self.unit,
            "thresholds": list(THRESHOLDS),
            "methods": {
                method: {
                    "resolution": [round(self.at(method, t), 4) for t in THRESHOLDS],
                    "cycles_per_voxel": [round(float(f), 4) for f in curve.frequency],
                    "correlation": [round(float(c), 4) for c in curve.correlation],
                }
                for method, curve in self.curves.items()
            },
            "warning": WARNING,
        }


def correlate_shells(a: Floats, b: Floats, angles_deg: ArrayLike) -> ShellCorrelation:
    """Fourier shell correlation of two volumes over the frequencies that the tilts measured.

    The shells are cylinders around the tilt axis, of one frequency ``sqrt(kx^2 + kz^2)`` each:
    across the axis the tilts decide what is resolved, along it the images themselves do. Spheres
    would mix both, and those of a few slices hold low frequencies across the axis, on which the
    halves always agree, far out along it.

    Parameters
    ----------
    a, b : ndarray, float32, (z, y, x)
        Of one shape, z and x of equal length; slices fade to their borders before the transform.
    angles_deg : array_like, (n_tilts,)
        Measured tilts in degrees. The missing wedge is left out: neither volume knows it.

    References
    ----------
    G. Harauz and M. van Heel, Optik 73, 146-156 (1986); thresholds 0.5, and 0.143 after
    P. B. Rosenthal and R. Henderson, J. Mol. Biol. 333, 721-745 (2003).
    """
    n, last = a.shape[0], a.shape[0] // 2
    kz, kx = scipy.fft.fftfreq(n)[:, None], scipy.fft.fftfreq(a.shape[2])
    radius = np.hypot(kz, kx)
    shell = np.rint(radius * n).astype(np.intp)
    # Beyond half a cycle a voxel there are corners only, and no wedge is marked.
    shell[wedge_mask(n, angles_deg) | (radius > 0.5)] = 0

    def by_shell(values: NDArray[Any]) -> Doubles:
        together = np.sum(values, axis=1, dtype=np.float64)
        return np.asarray(np.bincount(shell.ravel(), together.ravel(), last + 1)[1:], np.float64)

    first, second = _spectra(a), _spectra(b)
    cross = by_shell(np.real(first * np.conj(second)))
    powers = [by_shell(np.square(np.abs(s))) for s in (first, second)]
    correlation = cross / np.maximum(np.sqrt(powers[0] * powers[1]), 1e-30)
    return ShellCorrelation(np.arange(1, last + 1) / n, correlation)


def _spectra(volume: Floats) -> NDArray[np.complex64]:
    """Spectra (kz, y, kx) of the slices of a volume (z, y, x), each without its mean."""
    fade = np.multiply.outer(taper(volume.shape[0]), taper(volume.shape[2]))[:, None]
    mean = np.sum(volume * fade, axis=(0, 2), keepdims=True) / fade.sum()
    return np.asarray(scipy.fft.fft2((volume - mean) * fade, axes=(0, 2)), np.complex64)


def choose_classical(methods: Iterable[str]) -> tuple[str, ...]:
    """Return the methods whose half series can be compared: those that no network makes."""
    return tuple(name for name in methods if not METHODS[name].needs_model)


def iter_resolution(
    series: TiltSeries, options: FillOptions, session: Session | None = None
) -> Iterator[Progress | Resolution]:
    """Reconstruct the odd and the even tilts by every classical method and correlate them.

    Parameters
    ----------
    series : TiltSeries
        Aligned images.
    options : FillOptions
        As for the fill; networks among the methods are left out.
    session : Session, optional
        As for the fill.

    Yields
    ------
    Progress or Resolution
        Progress often; the result last.
    """
    methods = choose_classical(options.methods)
    if not methods or series.n_tilts < 6:
        yield Resolution({}, series.pixel_nm)
        return
    options = replace(options, methods=methods, slices=choose_middle_slices(series, options.slices))
    session, clock = session or Session(), Clock()
    series, options, _ = session.correct(series, options)
    field = choose_field(series, options, session)
    halves: tuple[dict[str, Floats], dict[str, Floats]] = ({}, {})
    for k, half in enumerate(halves):
        tilts = series.tilts(np.arange(k, series.n_tilts, 2))
        session.adopt_field(tilts, field)
        for event in iter_fill(tilts, options, session=session):
            if isinstance(event, Progress):
                stage = f"resolution, {('even', 'odd')[k]} tilts: {event.stage}"
                yield clock.tell(stage, (k + event.fraction) / 2)
            elif isinstance(event, Finished):
                half[event.method] = event.volume.data
    curves = {m: correlate_shells(halves[0][m], halves[1][m], series.angles_deg) for m in methods}
    yield Resolution(curves, series.pixel_nm)
