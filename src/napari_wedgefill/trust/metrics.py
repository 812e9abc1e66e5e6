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


def fit_intensities(volume: Floats, truth: Floats) -> Floats:
    """`volume` after the scale and offset that bring it closest to `truth` (same shapes)."""
    v, t = volume.astype(np.float64).ravel(), truth.astype(np.float64).ravel()
    variance = float(np.var(v))
    scale = float(np.mean((v - v.mean()) * (t - t.mean()))) / variance if variance > 0 else 0.0
    return np.asarray((volume - v.mean()) * scale + t.mean(), np.float32)


def psnr(volume: Floats, truth: Floats) -> float:
    """Peak signal to noise ratio in decibels, with the data range of the truth."""
    error = float(np.mean(np.square(fit_intensities(volume, truth) - truth, dtype=np.float64)))
    return float(20 * np.log10(np.ptp(truth)) - 10 * np.log10(max(error, 1e-20)))


def ssim(volume: Floats, truth: Floats, window: int = 7) -> float:
    """Mean structural similarity of the slices of a stack (z, x, y), 1 for equality.

    References
    ----------
    Z. Wang et al., IEEE Trans. Image Processing 13, 600-612 (2004).
    """
    a, b = fit_intensities(volume, truth).astype(np.float64), truth.astype(np.float64)
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


def otsu_threshold(volume: Floats, n_bins: int = 256) -> float:
    """Value that splits the voxels into two classes of least variance within each.

    Parameters
    ----------
    volume : ndarray, float32, any shape
        Densities.
    n_bins : int
        Bins of the histogram between the least and the greatest density.

    Returns
    -------
    float
        In the units of the volume; voxels above it are the denser class. A volume of one value is
        its own threshold.

    References
    ----------
    N. Otsu, IEEE Trans. Systems, Man, and Cybernetics 9, 62-66 (1979).
    """
    low, high = float(volume.min()), float(volume.max())
    if not high > low:
        return low
    return split_counts(*np.histogram(volume, n_bins, (low, high)))


def split_counts(counts: NDArray[np.int64], edges: NDArray[np.float64]) -> float:
    """Otsu's threshold of a histogram.

    Parameters
    ----------
    counts : ndarray, int64, (n_bins,)
        Voxels of each bin.
    edges : ndarray, float64, (n_bins + 1,)
        Ends of the bins, ascending.

    Returns
    -------
    float
        The edge with the largest variance between what lies below and above it.
    """
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1]
    above = counts.sum() - below
    total = np.cumsum(counts * middles)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = total[:-1] / below - (total[-1] - total[:-1]) / above
        between = np.nan_to_num(below * above * apart**2)
    # Empty bins between two classes split them equally well: the middle of those is the threshold.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-9))
    return float((edges[best[0] + 1] + edges[best[-1] + 1]) / 2)


def dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Overlap of two masks of the same shape: 1 for equality, 0 where they share no voxel.

    References
    ----------
    L. R. Dice, Ecology 26, 297-302 (1945).
    """
    size = int(np.count_nonzero(found)) + int(np.count_nonzero(truth))
    return 2 * int(np.count_nonzero(found & truth)) / size if size else 1.0


def elongation(volume: Floats, centre: tuple[float, float, float], radius: float) -> float:
    """How much longer a sphere became along z than along x; 1 where it stayed round.

    In the slice through its centre, what rises above the half-way level between the sphere and
    its surroundings, and hangs together with the centre, is measured by its second moments.

    Parameters
    ----------
    volume : ndarray, float32, (z, x, y)
        A stack of slices.
    centre : tuple of float
        Index (z, x, y) of the sphere's centre.
    radius : float
        The sphere's true radius in voxels.

    Returns
    -------
    float
        Root of the ratio of the second moments along z and x; nan where the sphere was lost.

    References
    ----------
    M. Radermacher, Journal of Electron Microscopy Technique 9, 359-394 (1988).
    """
    z, x, y = centre
    # Interpolated to quarters of a voxel, the outline of a small sphere is smooth.
    n = int(np.ceil(12 * radius))
    offset = np.arange(-n, n + 1) / 4.0
    dz, dx = offset[:, None], offset[None, :]
    at = np.broadcast_arrays(z + dz, x + dx)
    image = scipy.ndimage.map_coordinates(volume[:, :, round(y)], at, order=1, mode="nearest")
    distance = np.hypot(dz, dx)
    inside = image[distance < max(radius / 2, 1.0)]
    around = image[(distance > 2 * radius) & (distance < 3 * radius)]
    level = (float(inside.mean()) + float(np.median(around))) / 2
    labels = scipy.ndimage.label((image > level) & (distance < 3 * radius))[0]
    if labels[n, n] == 0:
        return float("nan")
    iz, ix = np.nonzero(labels == labels[n, n])
    spread = float(np.std(offset[ix]))
    return float(np.std(offset[iz])) / spread if spread > 0 else float("nan")
