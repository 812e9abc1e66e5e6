"""The passes of total-variation minimisation on torch tensors, on the device where they live.

The arithmetic is that of `primal_dual`; the projections run in the fused kernels of the projector,
the rest is a few operations in place on arrays of the volume's size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from .primal_dual import gradient_unit

if TYPE_CHECKING:
    from torch import Tensor


class TensorPrimalDual:
    """A volume that approaches the minimum, sweep by sweep; parameters as `PrimalDual`.

    Attributes
    ----------
    x : Tensor, float32, (depth, width, n_slices)
        The volume after the last sweep.
    """

    def __init__(
        self,
        beam: ParallelBeam,
        sinogram: Tensor,
        steps: list[NDArray[np.intp]],
        balance: float,
        x0: Tensor | None,
        nonnegative: bool,
    ) -> None:
        shape = (beam.depth, beam.width, sinogram.shape[2])
        unit = gradient_unit(beam)
        rays = beam(sinogram.new_ones((*shape[:2], 1)))
        seen = beam.T(sinogram.new_ones((beam.n_tilts, beam.width, 1)))
        self.subsets = [
            (
                beam.subset(tilts),
                sinogram[tilts.tolist()],
                1.0 / (balance * rays[tilts.tolist()].clamp(min=1.0)),
            )
            for tilts in steps
        ]
        self.sigma = unit / (balance * 2.0)
        self.tau = balance / (seen + 4.0 * unit)
        self.floor = 0.0 if nonnegative else -np.inf
        self._now = (sinogram.new_zeros(shape) if x0 is None else x0.clone()).clamp_(min=self.floor)
        self.x = self._now
        #: The dual field of the total variation, along z and along x.
        self.p = (sinogram.new_zeros(shape), sinogram.new_zeros(shape))
        #: A.T of the data's dual variable, and that variable by subset.
        self.slope = sinogram.new_zeros(shape)
        self.duals = [measured.new_zeros(measured.shape) for _, measured, _ in self.subsets]

    def sweep(self, weights: Tensor, *, is_last: bool) -> Tensor:
        """Take every step once; arguments and answer as `PrimalDual.sweep`, in tensors."""
        squares = weights.new_zeros(weights.shape)
        for k, (beam, measured, sigma) in enumerate(self.subsets):
            unexplained = beam(self._now).sub_(measured)
            squares += unexplained.square().sum((0, 1))
            new = unexplained.mul_(sigma).add_(self.duals[k]).div_(1.0 + sigma)
            change = beam.T(new - self.duals[k])
            self.duals[k] = new
            if k == len(self.subsets) - 1:
                self.x = self._now if is_last else self._now.clone()
                if is_last:
                    return squares
            self._descend(change, weights)
        return squares

    def _descend(self, change: Tensor, weights: Tensor) -> None:
        """Dual step of the total variation, then the primal step."""
        x, old = self._now, self.p
        new = [p.clone() for p in old]
        new[0][:-1].add_(x[1:] - x[:-1], alpha=self.sigma)
        new[1][:, :-1].add_(x[:, 1:] - x[:, :-1], alpha=self.sigma)
        norm = new[0].square().addcmul_(new[1], new[1]).add_(1e-20).sqrt_()
        scale = (weights / norm).clamp_(max=1.0)
        ahead = [n.mul_(scale).mul(2.0).sub_(o) for n, o in zip(new, old, strict=True)]
        self.p = (new[0], new[1])
        self.slope += change
        downhill = change.mul_(float(len(self.subsets))).add_(self.slope)
        # Minus the divergence: the field that leaves a voxel less the one that comes in.
        downhill.sub_(ahead[0]).sub_(ahead[1])
        downhill[1:].add_(ahead[0][:-1])
        downhill[:, 1:].add_(ahead[1][:, :-1])
        x.sub_(downhill.mul_(self.tau)).clamp_(min=self.floor)
