"""The passes of total-variation minimisation on torch tensors, on the device where they live.

The arithmetic is that of `primal_dual`. The projections run in the fused kernels of the projector;
the rest of a step is one kernel on a GPU, and elsewhere a few operations in place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..projector import ParallelBeam
from .primal_dual import gradient_unit


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
        start = sinogram.new_zeros(shape) if x0 is None else x0.clone().contiguous()
        self._now = start.clamp_(min=self.floor)
        self.x = self._now
        #: What is subtracted from the volume, and the share of the total variation: without and
        #: with the prior. Of each, the dual field along z and along x, (2, depth, width, n_slices).
        self.terms = [term for term in ((None, 1.0 - share), (prior, share)) if term[1] > 0]
        self.fields = [sinogram.new_zeros((2, *shape)) for _ in self.terms]
        self.prior = None if prior is None else prior.contiguous()
        #: The kernel, which takes both terms if there is a prior, and where it puts what is new.
        both = len(self.terms) == 1 + (prior is not None)
        self.step = step_for(sinogram.device) if both else None
        self.spare: list[Tensor] = []
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
        radii = [(part * weights).contiguous() for _, part in self.terms]
        boost = float(len(self.subsets))
        if self.step is None:
            self._descend_in_torch(change, radii, boost)
            return
        if not self.spare:
            self.spare = [torch.empty_like(v) for v in (self._now, *self.fields)]
        self.step(
            self._now, self.fields, self.prior, self.slope, change, self.tau, radii, self.spare,
            sigma=self.sigma, boost=boost, lowest=self.floor,
        )  # fmt: skip
        (self._now, *self.fields), self.spare = self.spare, [self._now, *self.fields]

    def _descend_in_torch(self, change: Tensor, radii: list[Tensor], boost: float) -> None:
        x = self._now
        self.slope += change
        downhill = change.mul_(boost).add_(self.slope)
        for (subtracted, _), radius, field in zip(self.terms, radii, self.fields, strict=True):
            seen = x if subtracted is None else x - subtracted
            ahead = self._advance(seen, radius, field)
            # Minus the divergence: the field that leaves a voxel less the one that comes in.
            downhill.sub_(ahead[0]).sub_(ahead[1])
            downhill[1:].add_(ahead[0][:-1])
            downhill[:, 1:].add_(ahead[1][:, :-1])
        x.sub_(downhill.mul_(self.tau)).clamp_(min=self.floor)

    def _advance(self, seen: Tensor, radius: Tensor, field: Tensor) -> Tensor:
        """Take a dual step of a field in place; return twice the new field less the old one."""
        old = field.clone()
        field[0, :-1].add_(seen[1:] - seen[:-1], alpha=self.sigma)
        field[1, :, :-1].add_(seen[:, 1:] - seen[:, :-1], alpha=self.sigma)
        norm = field[0].square().addcmul_(field[1], field[1]).add_(1e-20).sqrt_()
        field.mul_((radius / norm).clamp_(max=1.0))
        return 2.0 * field - old


def step_for(device: torch.device) -> Any:
    """Return the kernel that does the rest of a step on a device; None if torch does it."""
    if device.type != "cuda":
        return None
    from .triton_primal_dual import descend, works_on

    return descend if works_on(device) else None


def trial_error(device: torch.device, step: Any) -> float:
    """Take two sweeps over a tiny volume with a kernel and without; return the difference."""
    beam = ParallelBeam([-50.0, -20.0, 0.0, 33.0], 11, 9, axis_shift_px=0.4)
    made = torch.Generator().manual_seed(0)
    prior = torch.rand(9, 11, 5, generator=made).to(device)
    rows = 1.5 * beam(prior)
    tilts = [np.array([0, 2]), np.array([1, 3])]
    worst = 0.0
    for near, share in ((None, 0.0), (prior, 0.5)):
        found = []
        for chosen in (step, None):
            solver = TensorPrimalDual(beam, rows, tilts, 0.4, prior, True, near, share)
            solver.step = chosen
            for is_last in (False, True):
                solver.sweep(rows.new_full((5,), 0.2), is_last=is_last)
            found.append(solver.x)
        worst = max(worst, float((found[0] - found[1]).abs().max() / found[1].abs().max()))
    return worst
