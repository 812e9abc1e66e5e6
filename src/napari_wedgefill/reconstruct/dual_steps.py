"""How far the data's dual variable goes in a step of total-variation minimisation.

A step takes a few tilts. With diagonal preconditioning it may go only as far as the slice that all
of them see alike, the uniform one, allows. But tilts that are an angle apart share no more than
what varies slowly along the detector: in Fourier space their slices meet at the origin alone. So
only the lowest frequencies of a row go as slowly as that, and all the others `FASTER`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam

Floats = NDArray[np.float32]

#: How much further than with diagonal preconditioning; more, and single tilts would be the limit.
FASTER = 4.0
#: Cosines along the detector that are held back, at most; tilts so near to each other that they
#: share more are not taken faster.
MOST_COMMON = 12


def dual_steps(beam: ParallelBeam, balance: float, faster: float = FASTER) -> tuple[Floats, Floats]:
    """Preconditioner ``diag(rates) - C.T C`` of the rows that a step takes, tilt by tilt.

    The dual variable y of a row changes by it times ``A x - b - y``. With the primal steps of
    `PrimalDual`, its product with the projections has a norm below one over the number of steps
    in a sweep, as convergence asks for.

    Parameters
    ----------
    beam : ParallelBeam
        Of the tilts of the step.
    balance : float
        Ratio of the primal to the dual step.
    faster : float
        How much further than with diagonal preconditioning, which is 1.

    Returns
    -------
    rates : ndarray, float32, (n_tilts, width)
        For what the tilts do not share.
    common : ndarray, float32, (n_tilts, n_common, width)
        The rows of C: what they share is held back to a rate `faster` times lower.

    Raises
    ------
    ValueError
        If `faster` is below one.

    References
    ----------
    T. Pock and A. Chambolle, ICCV 2011, 1762-1769; A. Chambolle, M. J. Ehrhardt, P. Richtarik and
    C.-B. Schoenlieb, SIAM J. Optim. 28, 2783-2808 (2018), theorem 4.3.
    """
    if faster < 1.0:
        raise ValueError(f"faster = {faster}; 1 is as far as diagonal preconditioning goes")
    lengths = beam.ray_lengths[:, :, 0].astype(np.float64)
    n_common = _n_common(beam)
    faster = faster if n_common <= MOST_COMMON else 1.0
    sigma = faster / (balance * np.maximum(lengths, 1.0))
    rates = sigma / (1.0 + sigma)
    if faster == 1.0 or n_common == 0:
        return rates.astype(np.float32), np.zeros((beam.n_tilts, 0, beam.width), np.float32)
    u = (np.arange(beam.width) + 0.5) / beam.width
    cosines = np.cos(np.pi * u[:, None] * np.arange(min(n_common, beam.width)))
    root = np.sqrt(rates)[:, :, None]
    # What the projections make of a slice is a row times the lengths of its rays.
    directions, _ = np.linalg.qr(root * lengths[:, :, None] * cosines)
    common = np.sqrt(1.0 - 1.0 / faster) * root * directions
    return rates.astype(np.float32), np.ascontiguousarray(common.swapaxes(1, 2), np.float32)


def _n_common(beam: ParallelBeam) -> int:
    """Cosines along the detector that tilts share: none, if there is one tilt only.

    Two rays meet in the slice over a stretch of the detector as wide as the slice is deep, or as
    wide as the detector, times the sine of the angle between them.
    """
    if beam.n_tilts < 2:
        return 0
    sorted_deg = np.sort(beam.angles_deg % 180.0)
    gaps = np.diff(np.append(sorted_deg, sorted_deg[0] + 180.0))
    apart = np.sin(np.deg2rad(min(gaps.min(), 90.0))) * min(1.0, beam.depth / beam.width)
    return 1 + int(np.ceil(1.0 / max(apart, 1e-6)))
