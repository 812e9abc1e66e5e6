"""The backends of torch tensors that need no kernels of ours, with gradients.

`TorchBackend` is plain torch on any device; `MainMemoryBackend` projects with the processor's
kernels, which share a tensor's memory. The sweeps of the solvers are written here once for all
tensors: a backend that can do better overrides the parts of a step (`TritonBackend`).

The gradient of the projection is the adjoint itself, not what autograd would derive from the
indexing, so it costs no more than the projection and keeps no intermediate tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.fft
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..geometry import centre
from .backend import AlgebraicStep, Backend, Doubles, Floats, Rays, TvmProblem
from .processor import Processor


class TorchBackend(Backend):
    """Tensors, computed by torch's own operations on the device where they live."""

    xp = torch

    def convert_like(self, values: ArrayLike | Tensor, array: Tensor) -> Tensor:
        """Return values as a float32 tensor on an array's device."""
        return torch.as_tensor(values, dtype=torch.float32, device=array.device)

    def make_contiguous(self, array: Tensor) -> Tensor:
        """Return the array itself if it is contiguous, and a contiguous copy if not."""
        return array.contiguous()

    def forward(self, rays: Rays, x: Tensor) -> Tensor:
        """Project a volume to a sinogram; differentiable."""
        return _differentiable_project(x, self, rays)

    def adjoint(self, rays: Rays, y: Tensor) -> Tensor:
        """Back project a sinogram to a volume, exactly adjoint to `forward`; differentiable."""
        return _differentiable_back_project(y, self, rays)

    def smear(self, rays: Rays, y: Tensor) -> Tensor:
        """Back project a sinogram by linear interpolation, where no gradient is wanted."""
        return self.gather(rays, y.detach(), np.ones(rays.n_tilts))

    def project(self, rays: Rays, x: Tensor) -> Tensor:
        """`forward` without gradients."""
        return scatter_rows(rays, x)

    def back_project(self, rays: Rays, y: Tensor) -> Tensor:
        """`adjoint` without gradients."""
        return self.gather(rays, y, rays.half_widths)

    def gather(self, rays: Rays, y: Tensor, half_widths: Doubles) -> Tensor:
        """Back project through triangles of these half widths, (n_tilts,)."""
        return gather_rows(rays, y, half_widths)

    def weigh_residual(
        self, rays: Rays, x: Tensor, measured: Tensor, row_weights: Tensor
    ) -> Tensor:
        """``row_weights * (measured - A x)``, (n_tilts, width, n_slices).

        Parameters
        ----------
        x : Tensor, float32, (depth, width, n_slices)
            The estimate.
        measured : Tensor, float32, (n_tilts, width, n_slices)
            Path integrals.
        row_weights : Tensor, float32, (n_tilts, width, 1)
            Weight of each ray.
        """
        return self.project(rays, x).neg_().add_(measured).mul_(row_weights)

    def descend_(
        self, rays: Rays, x: Tensor, y: Tensor, voxel_weights: Tensor, lowest: float
    ) -> None:
        """``x = max(x + voxel_weights * A.T y, lowest)`` in place.

        Parameters
        ----------
        x : Tensor, float32, (depth, width, n_slices)
            Contiguous; updated.
        y : Tensor, float32, (n_tilts, width, n_slices)
            A weighted residual.
        voxel_weights : Tensor, float32, (depth, width, 1)
            Step of each voxel.
        """
        x.add_(self.back_project(rays, y).mul_(voxel_weights))
        if lowest > -np.inf:
            x.clamp_(min=lowest)

    def find_tvm_kernel(self) -> TvmKernel | None:
        """Return a kernel that does what `descend_tvm` does; here none."""
        return None

    def filter_and_smear(
        self, rays: Rays, y: Tensor, weights: Doubles, response_of: Callable[[int], Floats]
    ) -> Tensor:
        """Filter a sinogram, weigh its tilts, and smear it to a volume; see `Backend`."""
        n = scipy.fft.next_fast_len(2 * rays.width, real=True)
        response = torch.from_numpy(response_of(n)).to(y)
        weighted = torch.empty_like(y)
        for first in range(
            0, rays.n_tilts, 8
        ):  # the transform of a row takes four times its memory
            part = slice(first, first + 8)
            spectrum = torch.fft.rfft(y[part], n=n, dim=1)
            spectrum *= response[:, None]
            weighted[part] = torch.fft.irfft(spectrum, n=n, dim=1)[:, : rays.width]
        weighted *= torch.from_numpy(weights).to(y)[:, None, None]
        return self.smear(rays, weighted)

    def begin_algebraic(
        self, steps: Sequence[AlgebraicStep], x0: Tensor | None, lowest: float
    ) -> TorchAlgebraic:
        """Begin SART or SIRT; see `Backend`."""
        return TorchAlgebraic(self, steps, x0, lowest)

    def begin_tvm(self, problem: TvmProblem) -> TorchTvm:
        """Begin total-variation minimisation."""
        return TorchTvm(self, problem)


class MainMemoryBackend(TorchBackend):
    """Tensors in main memory: projected by the processor's kernels."""

    def project(self, rays: Rays, x: Tensor) -> Tensor:
        """`forward` without gradients."""
        return torch.from_numpy(Processor().forward(rays, x.detach().numpy()))

    def back_project(self, rays: Rays, y: Tensor) -> Tensor:
        """`adjoint` without gradients."""
        return torch.from_numpy(Processor().adjoint(rays, y.detach().numpy()))

    def smear(self, rays: Rays, y: Tensor) -> Tensor:
        """Back project a sinogram by linear interpolation, where no gradient is wanted."""
        return torch.from_numpy(Processor().smear(rays, y.detach().numpy()))


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, backend: TorchBackend, rays: Rays) -> Tensor:
        ctx.backend, ctx.rays = backend, rays
        return backend.project(rays, x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return ctx.backend.back_project(ctx.rays, grads[0]), None, None


class _BackProject(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, backend: TorchBackend, rays: Rays) -> Tensor:
        ctx.backend, ctx.rays = backend, rays
        return backend.back_project(rays, y)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return ctx.backend.project(ctx.rays, grads[0]), None, None


# torch gives `apply` no types.
_differentiable_project: Callable[[Tensor, TorchBackend, Rays], Tensor] = _Project.apply
_differentiable_back_project: Callable[[Tensor, TorchBackend, Rays], Tensor] = _BackProject.apply


def _find_taps(
    rays: Rays, tilt: int, half_width: float, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """First detector pixel (offset by 2 into a padded row) and two weights, each (depth, width)."""
    z = torch.arange(rays.depth, device=device, dtype=torch.float64) - centre(rays.depth)
    x = torch.arange(rays.width, device=device, dtype=torch.float64) - centre(rays.width)
    u = rays.axis_u[tilt] + z[:, None] * rays.sines[tilt] + x[None, :] * rays.cosines[tilt]
    first = torch.floor(u - half_width) + 1
    below = (1 - (first - u).abs() / half_width).clamp_(min=0) / half_width
    above = (1 - (first + 1 - u).abs() / half_width).clamp_(min=0) / half_width
    inside = (first >= -1) & (first < rays.width)
    index = torch.where(inside, first + 2, torch.zeros_like(first)).long()
    return index, (below * inside).float(), (above * inside).float()


def gather_rows(rays: Rays, y: Tensor, half_widths: Doubles) -> Tensor:
    """Back project in plain torch, tilt by tilt."""
    out = y.new_zeros((rays.depth, rays.width, y.shape[2]))
    for tilt in range(rays.n_tilts):
        index, below, above = _find_taps(rays, tilt, float(half_widths[tilt]), y.device)
        row = torch.nn.functional.pad(y[tilt], (0, 0, 2, 2))
        out += below[..., None] * row[index] + above[..., None] * row[index + 1]
    return out


def scatter_rows(rays: Rays, x: Tensor) -> Tensor:
    """Project in plain torch, tilt by tilt."""
    flat = x.reshape(-1, x.shape[2])
    out = x.new_empty((rays.n_tilts, rays.width, x.shape[2]))
    for tilt in range(rays.n_tilts):
        index, below, above = _find_taps(rays, tilt, float(rays.half_widths[tilt]), x.device)
        row = x.new_zeros((rays.width + 4, x.shape[2]))
        row.index_add_(0, index.reshape(-1), flat * below.reshape(-1, 1))
        row.index_add_(0, index.reshape(-1) + 1, flat * above.reshape(-1, 1))
        out[tilt] = row[2:-2]
    return out


class TorchAlgebraic:
    """The sweeps of SART and SIRT; parameters as `Backend.begin_algebraic`, after the backend."""

    def __init__(
        self,
        backend: TorchBackend,
        steps: Sequence[AlgebraicStep],
        x0: Tensor | None,
        lowest: float,
    ) -> None:
        self.backend, self.steps, self.lowest = backend, steps, lowest
        rays, measured = steps[0].rays, steps[0].measured
        shape = (rays.depth, rays.width, measured.shape[2])
        self.x = measured.new_zeros(shape) if x0 is None else x0.clone().contiguous()

    def sweep(self, active: NDArray[np.bool_] | None = None) -> Doubles | None:
        """Take every step once; see `AlgebraicSweeps`."""
        if active is None:
            for step in self.steps:
                self._descend(step, self._weigh(step))
            return None
        moving = torch.from_numpy(active).to(self.x.device)
        squares = torch.zeros(active.size, dtype=torch.float64, device=self.x.device)
        for step in self.steps:
            residual = self._weigh(step)
            squares += (residual / step.row_weights).square().sum((0, 1))
            self._descend(step, residual.mul_(moving))
        return squares.cpu().numpy()

    def _weigh(self, step: AlgebraicStep) -> Tensor:
        return self.backend.weigh_residual(step.rays, self.x, step.measured, step.row_weights)

    def _descend(self, step: AlgebraicStep, residual: Tensor) -> None:
        self.backend.descend_(step.rays, self.x, residual, step.voxel_weights, self.lowest)


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


#: Does what `descend_tvm` does, but puts the new volume and the new fields into other arrays.
TvmKernel = Callable[[TvmState, Tensor, list[Tensor], TvmSizes, list[Tensor]], None]


class TorchTvm:
    """The sweeps of total-variation minimisation; see `TvmSweeps`.

    The arithmetic is that of `ProcessorTvm`. Beside the projections, a step is one kernel where
    the backend has one, and elsewhere a few operations in place.
    """

    def __init__(self, backend: TorchBackend, problem: TvmProblem) -> None:
        rays, sinogram, prior = problem.rays, problem.sinogram, problem.prior
        shape = (rays.depth, rays.width, sinogram.shape[2])
        self.backend = backend
        tau = torch.from_numpy(problem.tau).to(sinogram)
        self.sizes = TvmSizes(tau, problem.sigma, float(len(problem.steps)), problem.lowest)
        begun = sinogram.new_zeros(sinogram.shape) if problem.dual is None else problem.dual
        #: The data's dual variable, whole and by subset.
        self.dual = problem.dual
        self.duals = [begun[step.tilts] for step in problem.steps]
        slope = (
            sinogram.new_zeros(shape)
            if problem.dual is None
            else backend.back_project(rays, problem.dual)
        )
        self.steps = problem.steps
        self.measured = [sinogram[step.tilts] for step in problem.steps]
        self.preconditioners = [
            (torch.from_numpy(step.rates).to(sinogram), torch.from_numpy(step.common).to(sinogram))
            for step in problem.steps
        ]
        #: What is subtracted from the volume, and the share of the total variation: without and
        #: with the prior.
        both = ((None, 1.0 - problem.share), (prior, problem.share))
        terms = [term for term in both if term[1] > 0]
        self.shares = [share for _, share in terms]
        x0 = problem.x0
        start = sinogram.new_zeros(shape) if x0 is None else x0.clone().contiguous()
        self.state = TvmState(
            start.clamp_(min=problem.lowest),
            [sinogram.new_zeros((2, *shape)) for _ in terms],
            slope,
            [None if near is None else near.contiguous() for near, _ in terms],
        )
        self.x = self.state.x
        #: The kernel, which takes both terms if there is a prior, and where it puts what is new.
        takes_all = len(terms) == 1 + (prior is not None)
        self.kernel = backend.find_tvm_kernel() if takes_all else None
        self.spare: list[Tensor] = []

    def sweep(self, weights: Tensor, *, is_last: bool) -> Tensor:
        """Take every step once; see `TvmSweeps`."""
        squares = weights.new_zeros(weights.shape)
        for k, step in enumerate(self.steps):
            rates, common = self.preconditioners[k]
            unexplained = self.backend.project(step.rays, self.state.x).sub_(self.measured[k])
            squares += unexplained.square().sum((0, 1))
            ahead = unexplained.sub_(self.duals[k])
            change = rates[:, :, None] * ahead - common.mT @ (common @ ahead)
            self.duals[k] += change
            slope = self.backend.back_project(step.rays, change)
            if k == len(self.steps) - 1:
                self.x = self.state.x if is_last else self.state.x.clone()
                if is_last:
                    self._keep_duals()
                    return squares
            self._descend(slope, weights)
        return squares

    def _keep_duals(self) -> None:
        if self.dual is not None:
            for step, part in zip(self.steps, self.duals, strict=True):
                self.dual[step.tilts] = part

    def _descend(self, change: Tensor, weights: Tensor) -> None:
        """Dual step of the total variation, then the primal step."""
        radii = [(share * weights).contiguous() for share in self.shares]
        if self.kernel is None:
            descend_tvm(self.state, change, radii, self.sizes)
            return
        now = self.state
        if not self.spare:
            self.spare = [torch.empty_like(v) for v in (now.x, *now.fields)]
        self.kernel(now, change, radii, self.sizes, self.spare)
        self.state = replace(now, x=self.spare[0], fields=self.spare[1:])
        self.spare = [now.x, *now.fields]


def descend_tvm(state: TvmState, change: Tensor, radii: list[Tensor], sizes: TvmSizes) -> None:
    """Dual step of the total variation, then ``x = max(x - tau (slope + boost change - div), .)``.

    Everything is updated in place, and `change` is used up.

    Parameters
    ----------
    state : TvmState
        The volume and its dual variables.
    change : Tensor, float32, (depth, width, n_slices)
        What is added to the slope.
    radii : list of Tensor, (n_slices,)
        Radius of the disc that each field is held to.
    sizes : TvmSizes
        How far the steps go.
    """
    state.slope.add_(change)
    downhill = change.mul_(sizes.boost).add_(state.slope)
    for prior, radius, field in zip(state.priors, radii, state.fields, strict=True):
        seen = state.x if prior is None else state.x - prior
        ahead = _advance_field(seen, radius, field, sizes.sigma)
        # Minus the divergence: the field that leaves a voxel less the one that comes in.
        downhill.sub_(ahead[0]).sub_(ahead[1])
        downhill[1:].add_(ahead[0][:-1])
        downhill[:, 1:].add_(ahead[1][:, :-1])
    state.x.sub_(downhill.mul_(sizes.tau)).clamp_(min=sizes.lowest)


def _advance_field(seen: Tensor, radius: Tensor, field: Tensor, sigma: float) -> Tensor:
    """Take a dual step of a field in place; return twice the new field less the old one."""
    old = field.clone()
    field[0, :-1].add_(seen[1:] - seen[:-1], alpha=sigma)
    field[1, :, :-1].add_(seen[:, 1:] - seen[:, :-1], alpha=sigma)
    norm = field[0].square().addcmul_(field[1], field[1]).add_(1e-20).sqrt_()
    field.mul_((radius / norm).clamp_(max=1.0))
    return 2.0 * field - old
