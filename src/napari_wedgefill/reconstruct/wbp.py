"""Weighted back projection."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ..geometry import angular_weights
from ..projector import ParallelBeam
from ..projector.arrays import Array
from ..projector.cpu import back_project
from ..projector.tiles import SinogramTile
from ..projector.vectors import VECTOR, aligned_zeros, vectors
from .fourier_kernel import bit_reversed, filter_pair, roots_of_one


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
    if not isinstance(sinogram, np.ndarray):
        from . import tensors

        return tensors.wbp(beam, sinogram, window)
    sinogram = np.asarray(sinogram, dtype=np.float32)
    n = 1 << max(2, (2 * beam.width - 1).bit_length())
    response, roots = bit_reversed(ramp_response(n, window)), roots_of_one(n)
    # The last tilt of an odd number pairs with a row of zeros, which tiles have room for.
    weights = np.zeros(beam.n_tilts + 1, np.float32)
    weights[:-1] = angular_weights(beam.angles_deg)

    def put_filtered(tile: SinogramTile, tilts: NDArray[np.intp], strip: slice) -> None:
        """Filter two tilts at a time, which stay in the cache meanwhile."""
        room, pitch = aligned_zeros((2 * n * VECTOR,)), tile.padded.shape[1] * tile.lanes
        for tilt in tilts[::2]:
            pair = slice(tilt, min(tilt + 2, beam.n_tilts))
            tile.values[pair] = sinogram[pair, :, strip]
            filter_pair(
                vectors(tile.lanes), tile.padded.reshape(-1), tilt * pitch + tile.lanes, pitch,
                beam.width, weights[tilt : tilt + 2], response, roots, room,
            )  # fmt: skip

    return back_project(beam, sinogram.shape[2], np.ones(beam.n_tilts), put_filtered)
