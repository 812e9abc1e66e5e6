"""Figures of merit of a volume against a known truth.

Methods differ in scale and offset, which no microscopist reads; all figures are taken after one
least-squares scale and offset, with the data range of the truth.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import ArrayLike, NDArray

from ..geometry import widest_gap_deg

Floats = NDArray[np.float32]


def fitted(volume: Floats, truth: Floats) -> Floats:
    """`volume` after the scale and offset that bring it closest to `truth` (same shapes)."""
    v, t = volume.astype(np.float64).ravel(), truth.astype(np.float64).ravel()
    variance = float(np.var(v))
    scale = float(np.mean((v - v.mean()) * (t - t.mean()))) / variance if variance > 0 else 0.0
    return np.asarray((volume - v.mean()) * scale + t.mean(), np.float32)


def psnr(volume: Floats, truth: Floats) -> float:
    """Peak signal to noise ratio in decibels, with the data range of the truth."""
    error = float(np.mean(np.square(fitted(volume, truth) - truth, dtype=np.float64)))
    return float(20 * np.log10(np.ptp(truth)) - 10 * np.log10(max(error, 1e-20)))


def ssim(volume: Floats, truth: Floats, window: int = 7) -> float:
    """Mean structural similarity of the slices of a stack (z, x, y), 1 for equality.

    References
    ----------
    Z. Wang et al., IEEE Trans. Image Processing 13, 600-612 (2004).
    """
    a, b = fitted(volume, truth).astype(np.float64), truth.astype(np.float64)
    size = (window, window, 1)

    def mean(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(scipy.ndimage.uniform_filter(x, size))

    mean_a, mean_b = mean(a), mean(b)
    unbiased = window**2 / (window**2 - 1)
    var_a, var_b = (unbiased * (mean(x * x) - m * m) for x, m in ((a, mean_a), (b, mean_b)))
    covariance = unbiased * (mean(a * b) - mean_a * mean_b)
    c1, c2 = ((k * np.ptp(b)) ** 2 for k in (0.01, 0.03))
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return float(similarity.mean())


def wedge_correlation(volume: Floats, truth: Floats, angles_deg: ArrayLike) -> float:
    """Fourier correlation with the truth over the frequencies that no tilt measured.

    Parameters
    ----------
    volume, truth : ndarray, float32, (z, x, y)
        Square slices.
    angles_deg : array_like
        Measured tilts in degrees.

    Returns
    -------
    float
        1 for equality, 0 for what the measurements alone say of the wedge.
    """
    inside = wedge_mask(truth.shape[0], angles_deg)
    spectra = [scipy.fft.fft2(v.astype(np.float64), axes=(0, 1))[inside] for v in (volume, truth)]
    cross = float(np.real(np.vdot(spectra[0], spectra[1])))
    power = float(np.linalg.norm(spectra[0]) * np.linalg.norm(spectra[1]))
    return cross / power if power > 0 else 0.0


def wedge_mask(n: int, angles_deg: ArrayLike) -> NDArray[np.bool_]:
    """Frequencies (kz, kx) of an n x n transform inside the missing wedge, up to Nyquist.

    A tilt of t measures the line of frequencies along ``(kz, kx) = k (sin t, cos t)``.
    """
    start, extent = widest_gap_deg(angles_deg)
    k = scipy.fft.fftfreq(n)
    direction = np.rad2deg(np.arctan2(k[:, None], k[None, :]))
    beyond = np.mod(direction - start, 180.0)
    radius = np.hypot(k[:, None], k[None, :])
    # Half a frequency step from the border, a measured tilt still has its say.
    margin = np.rad2deg(1.0 / (n * np.maximum(radius, 1.0 / n)))
    return np.asarray(
        (beyond > margin) & (beyond < extent - margin) & (radius > 0) & (radius <= 0.5)
    )
