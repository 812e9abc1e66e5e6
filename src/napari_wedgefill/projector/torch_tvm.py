"""The sweeps of total-variation minimisation of tensors.

The arithmetic is that of `ProcessorTvm`; a backend does the parts of a step (`TorchBackend`). All
that a pass reads and writes is there before it begins, and none of it decides what comes next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .backend import Rays, TvmProblem
from .torch_replay import Replay

if TYPE_CHECKING:
    from .torch_backend import TorchBackend


@dataclass(frozen=True, eq=False)
class TvmState:
    """A volume and its dual variables in total-variation minimisation.

    Attributes
    ----------
    x, slope : Tensor, float32, (depth, width, n_slices)
        The volume, and the back projected dual variable of the data.
    fields : list of Tensor, float32, (2, depth, width, n_slices)
        Dual fields along z and along x: that of the volume, that of its difference from a prior.
    priors : list of Tensor or None
        What is subtracted from the volume for each field.
    """

    x: Tensor
    fields: list[Tensor]
    slope: Tensor
    priors: list[Tensor | None]


@dataclass(frozen=True, eq=False)
class TvmSizes:
    """How far a step of total-variation minimisation goes.

    Attributes
    ----------
    tau : Tensor, float32, (depth, width, 1)
        Primal step of each voxel.
    sigma : float
        Dual step of the gradient.
    boost : float
        How many steps a sweep has, by which the change of the slope counts more.
    lowest : float
        Least density.
    """

    tau: Tensor
    sigma: float
    boost: float
    lowest: float


@dataclass(frozen=True, eq=False)
class DualRows:
    """The tilts of a step, and what becomes of their dual variable.

    Attributes
    ----------
    rays : Rays
        Of these tilts.
    measured, dual : Tensor, float32, (n_tilts, width, n_slices)
        Path integrals, and the dual variable of the data, which each step updates.
    rates : Tensor, float32, (n_tilts, width)
        See `backend.DualStep`.
    common : Tensor, float32, (n_tilts, n_common, width)
        See there.
    ahead, change : Tensor, float32, (n_tilts, width, n_slices)
        Room for ``A x - measured - dual``, and for what the preconditioner makes of it.
    """

    rays: Rays
    measured: Tensor
    dual: Tensor
    rates: Tensor
    common: Tensor
    ahead: Tensor
    change: Tensor


class TorchTvm:
    """The sweeps of total-variation minimisation; see `TvmSweeps`.

    Volume and fields go to and fro between two states, so that a kernel may read the old ones while
    it writes the new ones; so the volume that a sweep shows is there until the next one.
    """

    def __init__(self, backend: TorchBackend, problem: TvmProblem) -> None:
        sinogram, prior = problem.sinogram, problem.prior
        shape = (problem.rays.depth, problem.rays.width, sinogram.shape[2])
        self.backend = backend
        tau = torch.from_numpy(problem.tau).to(sinogram)
        self.sizes = TvmSizes(tau, problem.sigma, float(len(problem.steps)), problem.lowest)
        #: The data's dual variable, whole; and step by step.
        self.dual = problem.dual
        self.tilts = [step.tilts for step in problem.steps]
        self.rows = _begin_rows(problem)
        #: What is subtracted from the volume, and the share of the total variation: without and
        #: with the prior.
        both = ((None, 1.0 - problem.share), (prior, problem.share))
        terms = [term for term in both if term[1] > 0]
        self.shares = [share for _, share in terms]
        self.radii = [sinogram.new_empty(shape[2]) for _ in terms]
        x0 = problem.x0
        start = sinogram.new_zeros(shape) if x0 is None else x0.clone().contiguous()
        begun = TvmState(
            start.clamp_(min=problem.lowest),
            [sinogram.new_zeros((2, *shape)) for _ in terms],
            sinogram.new_zeros(shape)
            if problem.dual is None
            else backend.back_project(problem.rays, problem.dual),
            [None if near is None else near.contiguous() for near, _ in terms],
        )
        other = replace(
            begun,
            x=torch.empty_like(begun.x),
            fields=[torch.empty_like(field) for field in begun.fields],
        )
        #: Both states, and in which of them the volume now is.
        self.states, self.now = (begun, other), 0
        self.x = begun.x
        self.change = torch.empty_like(begun.x)
        n_slots = max(backend.count_slots(rows.rays, begun.x) for rows in self.rows)
        self.squares = sinogram.new_zeros((n_slots, shape[2]))
        self.passes = [
            Replay(partial(self._take_steps, a, b), sinogram.device)
            for a, b in (self.states, self.states[::-1])
        ]

    def sweep(self, weights: Tensor, *, is_last: bool) -> Tensor:
        """Take every step once; see `TvmSweeps`."""
        for radius, share in zip(self.radii, self.shares, strict=True):
            torch.mul(weights, share, out=radius)
        if is_last:
            self._take_steps(self.states[self.now], self.states[1 - self.now], is_last=True)
            self.x = self.states[(self.now + len(self.rows) - 1) % 2].x
            self._keep_duals()
        else:
            self.passes[self.now]()
            self.now = (self.now + len(self.rows)) % 2
            self.x = self.states[1 - self.now].x  # before its last step down
        return self.squares.sum(0)

    def _take_steps(self, now: TvmState, other: TvmState, *, is_last: bool = False) -> None:
        """Launch every step of a sweep; the last one ends where no other will see what follows."""
        self.squares.zero_()
        for k, rows in enumerate(self.rows):
            self.backend.step_dual(rows, now.x, self.squares)
            if is_last and k == len(self.rows) - 1:
                return
            self.backend.back_project_into(rows.rays, rows.change, self.change)
            out = [other.x, *other.fields]
            self.backend.descend_tvm(now, self.change, self.radii, self.sizes, out)
            now, other = other, now

    def _keep_duals(self) -> None:
        if self.dual is not None:
            for tilts, rows in zip(self.tilts, self.rows, strict=True):
                self.dual[tilts] = rows.dual


def _begin_rows(problem: TvmProblem) -> list[DualRows]:
    """Rows of each step; what is only there during a step is shared by all of them."""
    sinogram = problem.sinogram
    begun = sinogram.new_zeros(sinogram.shape) if problem.dual is None else problem.dual
    most = max(step.rays.n_tilts for step in problem.steps)
    ahead, change = (sinogram.new_empty((most, *sinogram.shape[1:])) for _ in range(2))
    return [
        DualRows(
            step.rays,
            sinogram[step.tilts],
            begun[step.tilts],
            torch.from_numpy(step.rates).to(sinogram),
            torch.from_numpy(step.common).to(sinogram),
            ahead[: step.rays.n_tilts],
            change[: step.rays.n_tilts],
        )
        for step in problem.steps
    ]


def descend_tvm(
    state: TvmState, change: Tensor, radii: list[Tensor], sizes: TvmSizes, out: list[Tensor]
) -> None:
    """Dual step of the total variation, then ``x = max(x - tau (slope + boost change - div), .)``.

    Parameters
    ----------
    state : TvmState
        The volume and its dual variables. The slope is updated in place, the rest is left alone.
    change : Tensor, float32, (depth, width, n_slices)
        What is added to the slope; used up.
    radii : list of Tensor, (n_slices,)
        Radius of the disc that each field is held to.
    sizes : TvmSizes
        How far the steps go.
    out : list of Tensor
        Where the new volume and the new fields go; not where the old ones are.
    """
    state.slope.add_(change)
    downhill = change.mul_(sizes.boost).add_(state.slope)
    for prior, radius, old, new in zip(state.priors, radii, state.fields, out[1:], strict=True):
        seen = state.x if prior is None else state.x - prior
        ahead = _advance_field(seen, radius, old, new, sizes.sigma)
        # Minus the divergence: the field that leaves a voxel less the one that comes in.
        downhill.sub_(ahead[0]).sub_(ahead[1])
        downhill[1:].add_(ahead[0][:-1])
        downhill[:, 1:].add_(ahead[1][:, :-1])
    torch.sub(state.x, downhill.mul_(sizes.tau), out=out[0]).clamp_(min=sizes.lowest)


def _advance_field(seen: Tensor, radius: Tensor, old: Tensor, new: Tensor, sigma: float) -> Tensor:
    """Take a dual step of a field; return twice the new field less the old one."""
    new.copy_(old)
    new[0, :-1].add_(seen[1:] - seen[:-1], alpha=sigma)
    new[1, :, :-1].add_(seen[:, 1:] - seen[:, :-1], alpha=sigma)
    norm = new[0].square().addcmul_(new[1], new[1]).add_(1e-20).sqrt_()
    new.mul_((radius / norm).clamp_(max=1.0))
    return 2.0 * new - old
