"""The backends of torch tensors that need no kernels of ours, with gradients.

`TorchBackend` is plain torch on any device; `MainMemoryBackend` projects with the processor's
kernels, which share a tensor's memory. The sweeps of the solvers are written here once for all
tensors: a backend that can do better overrides the parts of a step (`TritonBackend`).

The gradient of the projection is the adjoint itself, not what autograd would derive from the
indexing, so it costs no more than the projection and keeps no intermediate tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.fft
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..geometry import centre
from .backend import AlgebraicStep, Backend, Doubles, Floats, Rays, TvmProblem
from .processor import Processor
from .torch_replay import Replay
from .torch_tvm import DualRows, TorchTvm, TvmSizes, TvmState, descend_tvm


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
        self,
        rays: Rays,
        x: Tensor,
        measured: Tensor,
        row_weights: Tensor,
        out: Tensor | None = None,
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
        out : Tensor, float32, (n_tilts, width, n_slices), optional
            Contiguous; where a backend with kernels puts the answer.
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

    def count_slots(self, rays: Rays, x: Tensor) -> int:
        """Rows that `step_dual` needs for its sums of squares."""
        return 1

    def step_dual(self, rows: DualRows, x: Tensor, squares: Tensor) -> None:
        """Update the dual variable of some rows, and put its change into ``rows.change``.

        Parameters
        ----------
        rows : DualRows
            What was measured, and how far the step goes.
        x : Tensor, float32, (depth, width, n_slices)
            The volume.
        squares : Tensor, float32, (n_slots, n_slices)
            Takes up the squares of what is unexplained; their sum over the slots is what counts.
        """
        unexplained = self.project(rows.rays, x).sub_(rows.measured)
        squares[0] += unexplained.square().sum((0, 1))
        torch.sub(unexplained, rows.dual, out=rows.ahead)
        torch.mul(rows.rates[:, :, None], rows.ahead, out=rows.change)
        if rows.common.shape[1] > 0:
            rows.change.sub_(rows.common.mT @ (rows.common @ rows.ahead))
        rows.dual.add_(rows.change)

    def back_project_into(self, rays: Rays, y: Tensor, out: Tensor) -> None:
        """`adjoint` without gradients, into an array that is there."""
        out.copy_(self.back_project(rays, y))

    def descend_tvm(
        self,
        state: TvmState,
        change: Tensor,
        radii: list[Tensor],
        sizes: TvmSizes,
        out: list[Tensor],
    ) -> None:
        """Take the step of total-variation minimisation on the volume; see `torch_tvm`."""
        descend_tvm(state, change, radii, sizes, out)

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
        self.backend, self.lowest = backend, lowest
        self.steps = [replace(s, measured=backend.make_contiguous(s.measured)) for s in steps]
        rays, measured = steps[0].rays, steps[0].measured
        shape = (rays.depth, rays.width, measured.shape[2])
        self.x = measured.new_zeros(shape) if x0 is None else x0.clone().contiguous()
        #: Room for the weighted residual of a step.
        most = max(step.rays.n_tilts for step in steps)
        self.residual = measured.new_empty((most, *measured.shape[1:]))
        self.take_steps = Replay(self._take_steps, measured.device)

    def sweep(self, active: NDArray[np.bool_] | None = None) -> Doubles | None:
        """Take every step once; see `AlgebraicSweeps`."""
        if active is None:
            self.take_steps()
            return None
        moving = torch.from_numpy(active).to(self.x.device)
        squares = torch.zeros(active.size, dtype=torch.float64, device=self.x.device)
        for step in self.steps:
            residual = self._weigh(step)
            squares += (residual / step.row_weights).square().sum((0, 1))
            self._descend(step, residual.mul_(moving))
        return squares.cpu().numpy()

    def _take_steps(self) -> None:
        for step in self.steps:
            self._descend(step, self._weigh(step))

    def _weigh(self, step: AlgebraicStep) -> Tensor:
        out = self.residual[: step.rays.n_tilts]
        return self.backend.weigh_residual(step.rays, self.x, step.measured, step.row_weights, out)

    def _descend(self, step: AlgebraicStep, residual: Tensor) -> None:
        self.backend.descend_(step.rays, self.x, residual, step.voxel_weights, self.lowest)
