"""Total-variation minimisation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from .fused import primal_step, shrink_gradient
from .sweeps import Sweep

Floats = NDArray[np.float32]


def noise_level(sinogram: Floats) -> float:
    """Estimate the standard deviation of the noise of a sinogram (n_tilts, width, n_slices).

    The second difference along both image axes removes what is smooth; the median ignores edges.
    With fewer than three slices the difference runs along the detector alone.

    References
    ----------
    J. Immerkaer, Computer Vision and Image Understanding 64, 300-302 (1996).
    """
    if sinogram.shape[1] < 3:
        return 0.0
    second, gain = np.diff(sinogram, n=2, axis=1), np.sqrt(6.0)
    if sinogram.shape[2] >= 3:
        second, gain = np.diff(second, n=2, axis=2), 6.0
    return float(1.4826 * np.median(np.abs(second)) / gain)


def iter_tvm(
    beam: ParallelBeam,
    sinogram: Floats,
    n_sweeps: int = 100,
    *,
    weight: float | Floats,
    balance: float = 0.3,
    x0: Floats | None = None,
    nonnegative: bool = True,
) -> Iterator[Sweep]:
    """Minimise ``1/2 |A x - b|^2 + weight TV(x)`` with isotropic TV in each slice.

    The primal-dual method of Chambolle and Pock with diagonal preconditioning.

    Parameters
    ----------
    beam : ParallelBeam
        The geometry.
    sinogram : ndarray, float32, (n_tilts, width, n_slices)
        Measured path integrals.
    n_sweeps : int
        Iterations.
    weight : float or ndarray, (n_slices,)
        Weight of the total variation, in units of the sinogram; one for all slices, or one each.
    balance : float
        Ratio of the primal to the dual step; affects the speed of convergence only. The default
        gets furthest in a hundred iterations when densities are of order one.
    x0 : ndarray, float32, (depth, width, n_slices), optional
        Where to start; zero by default. Not modified.
    nonnegative : bool
        Constrain the densities to be at least zero.

    Yields
    ------
    Sweep
        After each iteration.

    References
    ----------
    T. Pock and A. Chambolle, ICCV 2011, 1762-1769.
    """
    shape = (beam.depth, beam.width, sinogram.shape[2])
    x = np.zeros(shape, np.float32) if x0 is None else np.array(x0, np.float32, order="C")
    extrapolated = x.copy()
    weights = np.broadcast_to(np.asarray(weight, np.float32), shape[2:]).copy()
    p = np.zeros((2, *shape), np.float32)
    q = np.zeros_like(sinogram)
    # Row and column sums of |A| stacked on the gradient (2 a row, 4 a column), the gradient scaled
    # by `unit` so that neither operator dwarfs the other; `p` absorbs the scale.
    unit = float(np.sqrt(beam.n_tilts))
    sigma_data = (1.0 / (balance * np.maximum(beam.ray_lengths, 1.0))).astype(np.float32)
    sigma_tv = unit / (balance * 2.0)
    tau = (balance / (beam.voxel_coverage + 4.0 * unit)).astype(np.float32)
    for sweep in range(n_sweeps):
        residual = beam(extrapolated)
        residual -= sinogram
        residual *= sigma_data
        q += residual
        q /= 1.0 + sigma_data
        shrink_gradient(p, extrapolated, sigma_tv, weights)
        primal_step(x, extrapolated, p, beam.T(q), tau, nonnegative)
        yield Sweep(sweep + 1, n_sweeps, x)
