"""The passes of total-variation minimisation on torch tensors, on the device where they live.

The arithmetic is that of `primal_dual`. The projections run in the fused kernels of the projector;
the rest of a step is one kernel on a GPU, and elsewhere a few operations in place.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..projector import ParallelBeam
from ..projector.triton_support import triton_kernels_for
from .dual_steps import FASTER, dual_steps
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
        faster: float = FASTER,
    ) -> None:
        shape = (beam.depth, beam.width, sinogram.shape[2])
        unit = gradient_unit(beam)
        seen = beam.T(sinogram.new_ones((beam.n_tilts, beam.width, 1)))
        self.subsets = []
        for tilts in steps:
            some = beam.subset(tilts)
            parts = dual_steps(some, balance, faster)
            dual_step = [torch.from_numpy(part).to(seen) for part in parts]
            self.subsets.append((some, sinogram[tilts.tolist()], dual_step))
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
        for k, (beam, measured, (rates, common)) in enumerate(self.subsets):
            unexplained = beam(self._now).sub_(measured)
            squares += unexplained.square().sum((0, 1))
            ahead = unexplained.sub_(self.duals[k])
            step = rates[:, :, None] * ahead - common.mT @ (common @ ahead)
            change = beam.T(step)
            self.duals[k] += step
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
        given = self._now, self.fields, self.slope, change, self.tau, radii
        if self.step is None:
            priors = [prior for prior, _ in self.terms]
            descend_in_torch(*given, priors, sigma=self.sigma, boost=boost, lowest=self.floor)
            return
        if not self.spare:
            self.spare = [torch.empty_like(v) for v in (self._now, *self.fields)]
        self.step(*given, self.prior, self.spare, sigma=self.sigma, boost=boost, lowest=self.floor)
        (self._now, *self.fields), self.spare = self.spare, [self._now, *self.fields]


def descend_in_torch(
    x: Tensor,
    fields: list[Tensor],
    slope: Tensor,
    change: Tensor,
    tau: Tensor,
    radii: list[Tensor],
    priors: list[Tensor | None],
    *,
    sigma: float,
    boost: float,
    lowest: float,
) -> None:
    """Take the step of `triton_primal_dual.descend` in place; `priors` has one for each field.

    `change` is used up.
    """
    slope += change
    downhill = change.mul_(boost).add_(slope)
    for prior, radius, field in zip(priors, radii, fields, strict=True):
        ahead = _advance(x if prior is None else x - prior, radius, field, sigma)
        # Minus the divergence: the field that leaves a voxel less the one that comes in.
        downhill.sub_(ahead[0]).sub_(ahead[1])
        downhill[1:].add_(ahead[0][:-1])
        downhill[:, 1:].add_(ahead[1][:, :-1])
    x.sub_(downhill.mul_(tau)).clamp_(min=lowest)


def _advance(seen: Tensor, radius: Tensor, field: Tensor, sigma: float) -> Tensor:
    """Take a dual step of a field in place; return twice the new field less the old one."""
    old = field.clone()
    field[0, :-1].add_(seen[1:] - seen[:-1], alpha=sigma)
    field[1, :, :-1].add_(seen[:, 1:] - seen[:, :-1], alpha=sigma)
    norm = field[0].square().addcmul_(field[1], field[1]).add_(1e-20).sqrt_()
    field.mul_((radius / norm).clamp_(max=1.0))
    return 2.0 * field - old


@cache
def step_for(device: torch.device) -> Any:
    """Return the kernel that does the rest of a step on a device; None if torch does it.

    The first call on a device compiles it for a tiny volume and compares it with torch.
    """
    if triton_kernels_for(device) is None:
        return None
    from .triton_primal_dual import descend

    try:
        return descend if trial_error(device, descend) < 1e-4 else None
    # A broken toolchain raises whatever it likes; torch does the step then.
    except Exception:
        return None


def trial_error(device: torch.device, step: Any) -> float:
    """Take a step on a tiny random volume with a kernel and without; return the difference."""
    made = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=made).to(device)

    worst = 0.0
    for n_fields in (1, 2):
        x, prior, slope, change = (draw(9, 11, 5) for _ in range(4))
        fields = [draw(2, 9, 11, 5) - 0.5 for _ in range(n_fields)]
        for field in fields:  # as it is wherever a solver began: nothing leaves the volume
            field[0, -1], field[1, :, -1] = 0.0, 0.0
        tau, radii = 0.1 * draw(9, 11, 1), [0.5 * draw(5) for _ in range(n_fields)]
        near = prior if n_fields == 2 else None
        settings = {"sigma": 0.4, "boost": 2.0, "lowest": 0.0}
        out = [torch.empty_like(v) for v in (x, *fields)]
        kept = slope.clone()
        step(x, fields, slope, change, tau, radii, near, out, **settings)
        priors = [None, near][:n_fields]
        descend_in_torch(x, fields, kept, change, tau, radii, priors, **settings)
        for found, expected in zip((*out, slope), (x, *fields, kept), strict=True):
            worst = max(worst, float((found - expected).abs().max() / expected.abs().max()))
    return worst
