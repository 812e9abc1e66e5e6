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
        prior: Tensor | None = None,
        share: float = 0.0,
        dual: Tensor | None = None,
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
        self.sigma = unit / (balance * (2.0 if prior is None else 4.0))
        self.tau = balance / (seen + 4.0 * unit)
        self.floor = 0.0 if nonnegative else -np.inf
        self._now = (sinogram.new_zeros(shape) if x0 is None else x0.clone()).clamp_(min=self.floor)
        self.x = self._now
        #: For the volume and for its difference from the prior: what is subtracted, the share of
        #: the total variation, and its dual field along z and along x.
        self.terms: list[tuple[Tensor | None, float, list[Tensor]]] = [
            (subtracted, part, [sinogram.new_zeros(shape) for _ in range(2)])
            for subtracted, part in ((None, 1.0 - share), (prior, share))
            if part > 0
        ]
        #: The data's dual variable, whole and by subset, and what A.T makes of it.
        self.dual = dual
        begun = sinogram.new_zeros(sinogram.shape) if dual is None else dual
        self.tilts = [tilts.tolist() for tilts in steps]
        self.duals = [begun[tilts] for tilts in self.tilts]
        self.slope = sinogram.new_zeros(shape) if dual is None else beam.T(dual)

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
                    self._keep_duals()
                    return squares
            self._descend(change, weights)
        return squares

    def _keep_duals(self) -> None:
        if self.dual is not None:
            for tilts, part in zip(self.tilts, self.duals, strict=True):
                self.dual[tilts] = part

    def _descend(self, change: Tensor, weights: Tensor) -> None:
        """Dual step of the total variation, then the primal step."""
        x = self._now
        self.slope += change
        downhill = change.mul_(float(len(self.subsets))).add_(self.slope)
        for subtracted, part, field in self.terms:
            seen = x if subtracted is None else x - subtracted
            ahead = self._advance(seen, part * weights, field)
            # Minus the divergence: the field that leaves a voxel less the one that comes in.
            downhill.sub_(ahead[0]).sub_(ahead[1])
            downhill[1:].add_(ahead[0][:-1])
            downhill[:, 1:].add_(ahead[1][:, :-1])
        x.sub_(downhill.mul_(self.tau)).clamp_(min=self.floor)

    def _advance(self, seen: Tensor, radii: Tensor, field: list[Tensor]) -> list[Tensor]:
        """Take a dual step of a field in place; return twice the new field less the old one."""
        old = [part.clone() for part in field]
        field[0][:-1].add_(seen[1:] - seen[:-1], alpha=self.sigma)
        field[1][:, :-1].add_(seen[:, 1:] - seen[:, :-1], alpha=self.sigma)
        norm = field[0].square().addcmul_(field[1], field[1]).add_(1e-20).sqrt_()
        scale = (radii / norm).clamp_(max=1.0)
        return [new.mul_(scale).mul(2.0).sub_(o) for new, o in zip(field, old, strict=True)]
