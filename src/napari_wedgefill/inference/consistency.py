"""Bringing the networks' volume back to agreement with what was measured."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ..geometry import widest_gap_deg
from ..projector import ParallelBeam
from ..projector.arrays import Array, alike, namespace
from ..reconstruct import iter_tvm, last
from ..reconstruct.tvm import rms

Floats = NDArray[np.float32]

#: Passes of TVM over what is left unexplained.
SWEEPS = 20
#: Frequency steps beyond the outermost tilts over which the measurements' say fades.
FADE = 2.0


def restore_consistency(beam: ParallelBeam, sinogram: Array, volume: Array, tvm: Array) -> Array:
    """Bring a volume back to agreement with the measurements, as far as they are signal.

    How much of a slice's disagreement is signal follows from its TVM: what that leaves unexplained
    counts as noise, and would only come back as noise. That share of the way, the volume takes
    TVM's frequencies in the directions that were measured and keeps its own in the missing wedge.
    The same share of what is then left is reconstructed by TVM and added: the change with the
    fewest edges. With noise almost nothing happens; without noise and without a wedge, TVM comes
    back.

    Parameters
    ----------
    beam : ParallelBeam
        The measured geometry.
    sinogram : ndarray or torch tensor, float32, (n_tilts, width, n_slices)
        Measured rows.
    volume, tvm : of the same kind, float32, (depth, width, n_slices)
        The network's volume, and the TVM of the same rows.

    Returns
    -------
    of the same kind, float32, (depth, width, n_slices)
        At or above zero.

    References
    ----------
    G.-H. Chen, J. Tang and S. Leng, Med. Phys. 35, 660-663 (2008): a prior image, and total
    variation of what the measurements add to it.
    """
    noise = rms(sinogram - beam(tvm))
    share = _signal(sinogram - beam(volume), noise)
    known = measured_directions(beam.depth, beam.width, beam.angles_deg)
    closer = volume + _kept(tvm - volume, known, share)
    residual = sinogram - beam(closer)
    residual *= _signal(residual, noise)
    closer += last(iter_tvm(beam, residual, SWEEPS, nonnegative=False))
    return namespace(closer).clip(closer, 0.0, None)


def _signal(residual: Array, noise: Array) -> Array:
    """Share of the residual's power that noise does not explain, 0 to 1, (n_slices,)."""
    xp = namespace(residual)
    power = xp.clip(xp.square(rms(residual)), 1e-20, None)
    return xp.clip(1.0 - xp.square(noise) / power, 0.0, 1.0)


def _kept(volume: Array, known: Floats, share: Array) -> Array:
    """Keep the known frequencies of a volume's slices, and of each slice its share."""
    mask = alike(known[:, : volume.shape[1] // 2 + 1, None], volume) * share
    if isinstance(volume, np.ndarray):
        spectrum = scipy.fft.rfft2(volume, axes=(0, 1))
        spectrum *= mask
        return scipy.fft.irfft2(spectrum, volume.shape[:2], axes=(0, 1)).astype(np.float32)
    fft = namespace(volume).fft
    return fft.irfft2(fft.rfft2(volume, dim=(0, 1)).mul_(mask), volume.shape[:2], dim=(0, 1))


def measured_directions(depth: int, width: int, angles_deg: NDArray[np.float64]) -> Floats:
    """How far each frequency of a slice lies within the measured range of directions.

    Returns
    -------
    ndarray, float32, (depth, width)
        1 where tilts measured, falling to 0 over a few steps of frequency into the missing wedge;
        in the order of the fast Fourier transform.
    """
    start, extent = widest_gap_deg(angles_deg)
    kz, kx = scipy.fft.fftfreq(depth)[:, None], scipy.fft.fftfreq(width)[None, :]
    beyond = np.mod(np.rad2deg(np.arctan2(kz, kx)) - start, 180.0)
    into = np.where(beyond < extent, np.minimum(beyond, extent - beyond), 0.0)
    steps = np.hypot(kz, kx) * np.sin(np.deg2rad(into)) * max(depth, width)
    return np.clip(1.0 - steps / FADE, 0.0, 1.0).astype(np.float32)
