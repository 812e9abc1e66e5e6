"""Weighted back projection."""

from __future__ import annotations

from functools import partial

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ..geometry import angular_weights
from ..projector import ParallelBeam
from ..projector.arrays import Array


def ramp_response(n: int, window: str = "ramp") -> NDArray[np.float32]:
    """Frequency response of the ramp filter for `n` padded samples, (n // 2 + 1,).

    The ramp is sampled in real space and transformed, because sampling ``|f|`` in Fourier space
    loses the mean of the object.

    Parameters
    ----------
    n : int
        Padded length, at least twice the detector width.
    window : {"ramp", "hann", "cosine"}
        Taper towards the Nyquist frequency; "ramp" is none.

    References
    ----------
    A. C. Kak and M. Slaney, Principles of Computerized Tomographic Imaging (1988), section 3.3.
    """
    lag = np.minimum(np.arange(n), n - np.arange(n))
    kernel = np.zeros(n)
    kernel[0] = 0.25
    odd = lag % 2 == 1
    kernel[odd] = -1.0 / (np.pi * lag[odd]) ** 2
    response = scipy.fft.rfft(kernel).real
    frequency = scipy.fft.rfftfreq(n)
    if window == "hann":
        response *= 0.5 + 0.5 * np.cos(2 * np.pi * frequency)
    elif window == "cosine":
        response *= np.cos(np.pi * frequency)
    elif window != "ramp":
        raise ValueError(f"unknown window {window!r}; use 'ramp', 'hann' or 'cosine'")
    return response.astype(np.float32)


def wbp(beam: ParallelBeam, sinogram: Array, window: str = "ramp") -> Array:
    """Weighted back projection with angular weights for irregular tilt schemes.

    Parameters
    ----------
    beam : ParallelBeam
        The geometry.
    sinogram : ndarray or torch tensor, float32, (n_tilts, width, n_slices)
        Measured path integrals.
    window : {"ramp", "hann", "cosine"}
        Taper of the ramp filter.

    Returns
    -------
    of the sinogram's kind, float32, (depth, width, n_slices)
        Density a voxel. Directions that were not measured count as zero.

    References
    ----------
    G. N. Ramachandran and A. V. Lakshminarayanan, PNAS 68, 2236-2240 (1971).
    """
    return beam.backend_for(sinogram).filter_and_smear(
        beam.rays, sinogram, angular_weights(beam.angles_deg), partial(ramp_response, window=window)
    )
