"""Power spectra of XZ slices: there the missing wedge is a wedge, and filling it shows."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ...geometry import median_step_deg, widest_gap_deg

Floats = NDArray[np.float32]

#: A gap wider than this many usual steps between tilts is a missing wedge.
WEDGE_STEPS = 2.0
#: Share of the frequencies darker, and brighter, than the colour scale reaches.
CLIPPED_PERCENT = (5.0, 0.02)
#: Part of the strongest frequency's power below which there is only rounding.
FLOOR = 1e-12
#: Keeps the logarithm of an empty slice finite.
LEAST_POWER = 1e-30


def log_power(section: Floats) -> Floats:
    """Return the decimal logarithm of the power spectrum of a slice.

    The mean is removed and a Hann window applied, so that neither the background nor the edges of
    the slice draw a cross over the spectrum.

    Parameters
    ----------
    section : ndarray, float32, (z, x)
        Slice across the tilt axis; what is not a number counts as the mean.

    Returns
    -------
    ndarray, float32, (z, x)
        Zero frequency at index ``(nz // 2, nx // 2)``; frequencies along z downwards, along x to
        the right.
    """
    n_z, n_x = section.shape
    known = np.isfinite(section)
    mean = section[known].mean() if known.any() else np.float32(0.0)
    varying = np.where(known, section - mean, np.float32(0.0))
    window = np.hanning(n_z + 2)[1:-1, None] * np.hanning(n_x + 2)[1:-1]
    half = fft.rfft2(varying * window.astype(np.float32))
    power = half.real**2 + half.imag**2
    power = np.log10(power + max(FLOOR * float(power.max()), LEAST_POWER))
    whole = np.empty(section.shape, np.float32)
    whole[:, : power.shape[1]] = power
    # The other half of a real slice's spectrum is its point reflection.
    n_rest = n_x - power.shape[1]
    rows = -np.arange(n_z) % n_z
    whole[:, power.shape[1] :] = power[rows][:, n_rest:0:-1]
    return fft.fftshift(whole)


def frequency_indices(n: int, voxel: float, frequencies: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sample of a shifted spectrum of `n` at each frequency (cycles a unit); -1 beyond its end."""
    found = np.rint(frequencies * n * abs(voxel)).astype(np.int64) + n // 2
    found[(found < 0) | (found >= n)] = -1
    return found


@lru_cache(maxsize=32)
def wedge_edges_deg(angles_deg: tuple[float, ...]) -> tuple[float, float] | None:
    """Directions between which nothing was measured.

    A projection at tilt t holds the frequencies (x, z) along ``(cos t, sin t)``.

    Parameters
    ----------
    angles_deg : tuple of float
        Tilt angles.

    Returns
    -------
    tuple of float or None
        First and last direction of the gap in degrees, last > first; None where there is no gap.
    """
    if len(angles_deg) < 2:
        return None
    first, gap = widest_gap_deg(angles_deg)
    if gap <= WEDGE_STEPS * median_step_deg(angles_deg):
        return None
    return first, first + gap


def usual_range(spectrum: Floats) -> tuple[float, float]:
    """Contrast limits that suit a spectrum."""
    low, high = np.percentile(spectrum[::3, ::3], (CLIPPED_PERCENT[0], 100 - CLIPPED_PERCENT[1]))
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)
