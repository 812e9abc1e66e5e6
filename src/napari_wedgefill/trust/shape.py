"""Elongation of a reconstruction along the missing wedge: expected from the tilts, and found."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from ..geometry import widest_gap_deg

Floats = NDArray[np.float32]

#: Slices that are transformed, evenly spread: more change the third digit.
LOOKED_AT = 32
#: Highest frequency that counts, in cycles a voxel; beyond lies what noise there is.
CUTOFF = 0.25


def compute_expected_elongation(angles_deg: ArrayLike) -> float:
    """Elongation along the wedge that the tilt range alone brings, 1 for a full range.

    The point spread function of all directions within +-a is wider along the wedge than across by
    ``sqrt((a + sin a cos a) / (a - sin a cos a))``.

    Parameters
    ----------
    angles_deg : array_like, (n_tilts,)
        Measured tilts in degrees; `a` is half of what the widest gap leaves of 180.

    Returns
    -------
    float
        1.55 for +-60 degrees.

    References
    ----------
    M. Radermacher, J. Electron Microsc. Tech. 9, 359-394 (1988).
    """
    half = np.deg2rad(180.0 - widest_gap_deg(angles_deg)[1]) / 2.0
    product = np.sin(half) * np.cos(half)
    return float(np.sqrt((half + product) / max(half - product, 1e-9)))


def measure_elongation(volume: Floats, angles_deg: ArrayLike) -> float:
    """Elongation of a volume along the wedge, from its own power spectrum.

    The formula of `expected_elongation` is the ratio of two second moments, of the frequencies
    across and along the wedge, over a spectrum that is the same in every measured direction. Here
    the volume's own spectrum takes its place. A round object gives 1 where nothing is elongated;
    an object that is itself longer one way adds its own share, which nothing can tell apart.

    Parameters
    ----------
    volume : ndarray, float32, (z, y, x)
        z and x of equal length; y is the tilt axis.
    angles_deg : array_like, (n_tilts,)
        Measured tilts in degrees; they say where the wedge is.

    Returns
    -------
    float
        Above 1: elongated along the wedge. NaN for a volume without contrast.
    """
    start, extent = widest_gap_deg(angles_deg)
    middle = np.deg2rad(start + extent / 2.0)
    kz, kx = scipy.fft.fftfreq(volume.shape[0])[:, None], scipy.fft.rfftfreq(volume.shape[2])
    within = np.hypot(kz, kx) <= CUTOFF
    # A tilt of t measures frequencies along (kz, kx) = k (sin t, cos t).
    along = np.square(kz * np.sin(middle) + kx * np.cos(middle)) * within
    across = np.square(kx * np.sin(middle) - kz * np.cos(middle)) * within
    power = average_power(volume)
    narrow, wide = float(np.sum(power * along)), float(np.sum(power * across))
    return float(np.sqrt(wide / narrow)) if narrow > 0 else float("nan")


def average_power(volume: Floats) -> NDArray[np.float64]:
    """Mean power of the slices of a volume (z, y, x) over half the frequencies (kz, kx >= 0).

    Each slice fades to its border, so that an object that leaves the field leaves no cross.
    """
    depth, height, width = volume.shape
    fade = np.multiply.outer(taper(depth), taper(width))
    total = np.zeros((depth, width // 2 + 1))
    for y in np.unique(np.linspace(0, height - 1, min(height, LOOKED_AT)).astype(int)):
        image = volume[:, y].astype(np.float64)
        spectrum = scipy.fft.rfft2((image - np.sum(image * fade) / fade.sum()) * fade)
        total += np.square(np.abs(spectrum))
    total[:, 1 : (width + 1) // 2] *= 2.0  # the frequencies of negative kx
    return total


def taper(n: int) -> NDArray[np.float64]:
    """A Hann window that is nowhere zero, (n,); 1 for a single sample."""
    return np.asarray(np.square(np.sin(np.pi * (np.arange(n) + 0.5) / n)))
