"""The displacement between two images, to a small fraction of a pixel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom
from scipy.ndimage import shift as spline_shift

from .common_line import parabola_vertex

Floats = NDArray[np.float32]

SMOOTH_PX = 1.0  # removes pixel noise and what a few sweeps cannot reconstruct
NEWTON_STEPS = 4
MAX_NEWTON_PX = 1.0
TAPER_SHARE = 0.08
PHASE_STEPS = 50  # per pixel, that phase correlation tells apart
PHASE_ROUNDS = 5
#: Frequencies with less than this share of the strongest power have phases of noise alone.
EMPTY_SHARE = 1e-2

#: Measures how far (y, x) the first image lies from the second: (moving, fixed, weights, reach_px).
MeasureOffset = Callable[[Floats, Floats, Floats, float], NDArray[np.float64]]


def taper(shape: tuple[int, int]) -> Floats:
    """Weights (h, w) that fall to zero towards the borders over 8 % of each side."""
    sides = []
    for n in shape:
        edge = np.minimum(np.arange(n) + 0.5, n - 0.5 - np.arange(n)) / max(TAPER_SHARE * n, 1.0)
        sides.append(0.5 - 0.5 * np.cos(np.pi * np.minimum(edge, 1.0)))
    return np.asarray(np.outer(*sides), np.float32)


def band_pass(image: Floats, coarse_px: float) -> Floats:
    """Image without pixel noise and without structure wider than `coarse_px` (0 keeps it)."""
    fine = gaussian_filter(image, SMOOTH_PX)
    if coarse_px <= 0:
        return np.asarray(fine, np.float32)
    return np.asarray(fine - gaussian_filter(image, coarse_px), np.float32)


def measure_offset(
    moving: Floats, fixed: Floats, weights: Floats, reach_px: float
) -> NDArray[np.float64]:
    """How far (y, x) the content of `moving` lies from that of `fixed`.

    Parameters
    ----------
    moving, fixed : ndarray, float32, (h, w)
        Band-passed images; their intensity scales may differ.
    weights : ndarray, float32, (h, w)
        Zero where either image is not to be trusted.
    reach_px : float
        Largest displacement looked for.

    Returns
    -------
    ndarray, (2,)
        Pixels; the maximum of the cross-correlation, refined by Gauss-Newton steps on the
        weighted squared difference after the best intensity scale.

    References
    ----------
    M. Guizar-Sicairos, S. T. Thurman and J. R. Fienup, Opt. Lett. 33, 156-158 (2008), for the
    upsampled correlation that the Newton steps replace.
    """
    start = _correlation_peak(moving * weights, fixed * weights, reach_px)
    offset = start.copy()
    for _ in range(NEWTON_STEPS):
        back = spline_shift(moving, -offset, order=3, mode="nearest")
        step = _newton_step(
            np.asarray(back, np.float32), fixed, weights * inside(offset, back.shape)
        )
        offset += step
        if np.abs(step).max() < 1e-3:
            break
    if np.abs(offset - start).max() > 2.0 * MAX_NEWTON_PX:
        return start
    return np.clip(offset, -reach_px, reach_px)


def measure_offset_by_phase(
    moving: Floats, fixed: Floats, weights: Floats, reach_px: float
) -> NDArray[np.float64]:
    """Measure a displacement as `measure_offset`, by phase correlation in steps of 1/50 pixel.

    Only the phases of the spectra count: what is bright or large weighs no more than fine detail,
    so that uneven illumination matters little, and noise more than in cross-correlation.

    Returns
    -------
    ndarray, (2,)
        Pixels; zero where the images agree best further apart than `reach_px`.

    References
    ----------
    M. Guizar-Sicairos, S. T. Thurman and J. R. Fienup, Opt. Lett. 33, 156-158 (2008).
    """
    offset = _phase_peak(moving, fixed, weights)
    # The weights stay where they are, and draw the first result towards zero.
    for _ in range(PHASE_ROUNDS - 1):
        if np.abs(offset).max() > reach_px:
            return np.zeros(2)
        back = spline_shift(moving, -offset, order=3, mode="nearest")
        step = _phase_peak(np.asarray(back, np.float32), fixed, weights)
        offset += step
        if np.abs(step).max() < 1.0 / PHASE_STEPS:
            break
    return offset if np.abs(offset).max() <= reach_px else np.zeros(2)


def _phase_peak(moving: Floats, fixed: Floats, weights: Floats) -> NDArray[np.float64]:
    """Maximum of the phase correlation, among frequencies that hold something."""
    from skimage.registration import phase_cross_correlation

    spectra = [
        scipy.fft.fft2(weights * (image - np.average(image, weights=weights)))
        for image in (fixed, moving)
    ]
    power = np.abs(spectra[0]) * np.abs(spectra[1])
    squares = np.add.outer(*(scipy.fft.fftfreq(n) ** 2 for n in fixed.shape))
    pass_band = np.exp(-2.0 * (np.pi * SMOOTH_PX) ** 2 * squares)
    pass_band *= power > EMPTY_SHARE * power.max()
    # scikit-image's own normalisation would let empty frequencies weigh as much as all others.
    fixed_phases, moving_phases = (
        pass_band * spectrum / np.maximum(np.abs(spectrum), 1e-30) for spectrum in spectra
    )
    back = phase_cross_correlation(
        fixed_phases,
        moving_phases,
        space="fourier",
        upsample_factor=PHASE_STEPS,
        normalization=None,
    )[0]
    return -np.asarray(back, np.float64)


def inside(offset: NDArray[np.float64], shape: tuple[int, ...]) -> Floats:
    """One where an image (h, w) moved back by `offset` (y, x) has pixels of its own, else 0."""
    sides = []
    for n, by in zip(shape, offset, strict=True):
        source = np.arange(n) + by
        sides.append((source >= 0) & (source <= n - 1))
    return np.asarray(np.outer(*sides), np.float32)


def _correlation_peak(moving: Floats, fixed: Floats, reach_px: float) -> NDArray[np.float64]:
    """Maximum of the cross-correlation within reach, with a parabola for the fraction."""
    shape = [scipy.fft.next_fast_len(2 * n, real=True) for n in moving.shape]
    spectrum = scipy.fft.rfft2(moving, shape) * np.conj(scipy.fft.rfft2(fixed, shape))
    surface = scipy.fft.irfft2(spectrum, shape)
    reach = int(np.ceil(reach_px)) + 1
    reach = min(reach, min(moving.shape) - 1)
    lags = np.arange(-reach, reach + 1)
    near = surface[np.ix_(lags, lags)]
    row, column = np.unravel_index(int(np.argmax(near)), near.shape)
    fraction = (
        parabola_vertex(near[:, column], int(row)),
        parabola_vertex(near[row], int(column)),
    )
    return np.array([lags[row] + fraction[0], lags[column] + fraction[1]])


def _newton_step(back: Floats, fixed: Floats, weights: Floats) -> NDArray[np.float64]:
    """Further displacement (y, x) of `back` against `fixed`, and at most one pixel."""
    gain = float((weights * back * fixed).sum()) / max(float((weights * back**2).sum()), 1e-30)
    scaled = back * np.float32(gain)
    # The mean of both gradients makes the step symmetric, and so unbiased by either's blur.
    slopes = [0.5 * (a + b) for a, b in zip(np.gradient(scaled), np.gradient(fixed), strict=True)]
    change = scaled - fixed
    normal = np.array([[float((weights * a * b).sum()) for b in slopes] for a in slopes])
    right = np.array([float((weights * a * change).sum()) for a in slopes])
    normal += 1e-6 * max(np.trace(normal), 1e-30) * np.eye(2)
    step: NDArray[np.float64] = np.clip(
        -np.linalg.solve(normal, right), -MAX_NEWTON_PX, MAX_NEWTON_PX
    )
    return step


def chain_neighbours(
    images: Floats,
    angles_deg: NDArray[np.float64],
    reach_px: float,
    measure: MeasureOffset = measure_offset,
) -> NDArray[np.float64]:
    """Displacements (n_tilts, 2) by a chain of neighbouring tilts from the least tilted outwards.

    For objects that leave the field. Of two neighbours the more tilted is
    stretched across the axis until the foreshortening agrees ("cosine stretch"), and `measure`
    compares the two.

    References
    ----------
    J. Frank, Electron Tomography, 2nd ed. (2006), chapter 5.
    """
    n_tilts, h, w = images.shape
    coarse = w / 12
    weights = taper((h, w))
    passed = [band_pass(image, coarse) for image in images]
    offsets = np.zeros((n_tilts, 2))
    first = int(np.argmin(np.abs(angles_deg)))
    outwards = [(i, i - 1) for i in range(first + 1, n_tilts)]
    outwards += [(i, i + 1) for i in range(first - 1, -1, -1)]
    for tilt, inner in outwards:
        ratio = foreshortening(angles_deg[inner], angles_deg[tilt])
        wide = stretch_to_inner(passed[tilt], angles_deg[inner], angles_deg[tilt])
        found = measure(wide, passed[inner], weights, reach_px)
        offsets[tilt] = offsets[inner] / [1.0, ratio] + found / [1.0, ratio]
    return offsets


def foreshortening(inner_deg: float, outer_deg: float) -> float:
    """Factor by which the outer image must grow to look like the inner one; at most 2."""
    inner, outer = np.abs(np.cos(np.deg2rad([inner_deg, outer_deg])))
    return float(np.clip(inner / max(outer, 1e-3), 1.0, 2.0))


def stretch_to_inner(image: Floats, inner_deg: float, outer_deg: float) -> Floats:
    """Image (h, w) of the outer tilt stretched across the axis to look like the inner one."""
    ratio = foreshortening(inner_deg, outer_deg)
    if ratio == 1.0:
        return image
    w = image.shape[1]
    wide = zoom(image, (1.0, ratio), order=1, mode="nearest", grid_mode=False)
    start = (wide.shape[1] - w) // 2
    return np.ascontiguousarray(wide[:, start : start + w])
