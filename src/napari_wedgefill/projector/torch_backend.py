"""`ParallelBeam` for torch tensors, with gradients.

Tensors on a CUDA device take the Triton kernels where those work, tensors in main memory the CPU
kernels, which share their memory; plain torch serves every other device, and CUDA without Triton.

The gradient of the projection is the adjoint itself, not what autograd would derive from the
indexing, so it costs no more than the projection and keeps no intermediate tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..geometry import centre
from . import cpu
from .triton_support import triton_kernels_for

if TYPE_CHECKING:
    from .parallel_beam import ParallelBeam


def forward(beam: ParallelBeam, x: torch.Tensor) -> torch.Tensor:
    """Project (depth, width, n_slices) to (n_tilts, width, n_slices)."""
    return _project(x, beam)


def adjoint(beam: ParallelBeam, y: torch.Tensor, half_widths: NDArray[np.float64]) -> torch.Tensor:
    """Back project (n_tilts, width, n_slices) to (depth, width, n_slices).

    Differentiable for the exact adjoint only; `smear` is used where no gradient is wanted.
    """
    exact = np.array_equal(half_widths, _joseph_widths(beam))
    if exact:
        return _back_project(y, beam)
    return _gather(beam, y.detach(), half_widths)


def _joseph_widths(beam: ParallelBeam) -> NDArray[np.float64]:
    return np.maximum(np.abs(beam.cosines), np.abs(beam.sines))


class _Project(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, beam: ParallelBeam) -> torch.Tensor:
        ctx.beam = beam
        return _scatter(beam, x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _gather(ctx.beam, grads[0], _joseph_widths(ctx.beam)), None


class _BackProject(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: torch.Tensor, beam: ParallelBeam) -> torch.Tensor:
        ctx.beam = beam
        return _gather(beam, y, _joseph_widths(beam))

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _scatter(ctx.beam, grads[0]), None


# torch gives `apply` no types.
_project: Callable[[torch.Tensor, ParallelBeam], torch.Tensor] = _Project.apply
_back_project: Callable[[torch.Tensor, ParallelBeam], torch.Tensor] = _BackProject.apply


def _taps(
    beam: ParallelBeam, tilt: int, half_width: float, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """First detector pixel (offset by 2 into a padded row) and two weights, each (depth, width)."""
    z = torch.arange(beam.depth, device=device, dtype=torch.float64) - centre(beam.depth)
    x = torch.arange(beam.width, device=device, dtype=torch.float64) - centre(beam.width)
    u = beam.axis_u + z[:, None] * beam.sines[tilt] + x[None, :] * beam.cosines[tilt]
    first = torch.floor(u - half_width) + 1
    below = (1 - (first - u).abs() / half_width).clamp_(min=0) / half_width
    above = (1 - (first + 1 - u).abs() / half_width).clamp_(min=0) / half_width
    inside = (first >= -1) & (first < beam.width)
    index = torch.where(inside, first + 2, torch.zeros_like(first)).long()
    return index, (below * inside).float(), (above * inside).float()


def residual(
    beam: ParallelBeam, x: torch.Tensor, measured: torch.Tensor, row_weights: torch.Tensor
) -> torch.Tensor:
    """``row_weights * (measured - A x)``, (n_tilts, width, n_slices); one pass with Triton.

    Parameters
    ----------
    x : Tensor, float32, (depth, width, n_slices)
        The estimate.
    measured : Tensor, float32, (n_tilts, width, n_slices)
        Path integrals.
    row_weights : Tensor, float32, (n_tilts, width, 1)
        Weight of each ray.
    """
    if (kernels := triton_kernels_for(x.device)) is not None:
        return kernels.residual(beam, x, measured, row_weights)
    return _scatter(beam, x).neg_().add_(measured).mul_(row_weights)


def descend_(
    beam: ParallelBeam,
    x: torch.Tensor,
    y: torch.Tensor,
    voxel_weights: torch.Tensor,
    *,
    nonnegative: bool,
) -> None:
    """``x += voxel_weights * A.T y`` in place, clipped at zero if asked; one pass with Triton.

    Parameters
    ----------
    x : Tensor, float32, (depth, width, n_slices)
        Contiguous; updated.
    y : Tensor, float32, (n_tilts, width, n_slices)
        A weighted residual.
    voxel_weights : Tensor, float32, (depth, width, 1)
        Step of each voxel.
    """
    if (kernels := triton_kernels_for(x.device)) is not None:
        kernels.descend_(beam, x, y, voxel_weights, nonnegative=nonnegative)
        return
    x.add_(_gather(beam, y, _joseph_widths(beam)).mul_(voxel_weights))
    if nonnegative:
        x.clamp_(min=0.0)


def _gather(beam: ParallelBeam, y: torch.Tensor, half_widths: NDArray[np.float64]) -> torch.Tensor:
    if (kernels := triton_kernels_for(y.device)) is not None:
        return kernels.adjoint(beam, y, half_widths)
    if y.device.type == "cpu":
        return torch.from_numpy(cpu.adjoint(beam, y.detach().numpy(), half_widths))
    return gather_rows(beam, y, half_widths)


def gather_rows(
    beam: ParallelBeam, y: torch.Tensor, half_widths: NDArray[np.float64]
) -> torch.Tensor:
    """Back project in plain torch, tilt by tilt."""
    out = y.new_zeros((beam.depth, beam.width, y.shape[2]))
    for tilt in range(beam.n_tilts):
        index, below, above = _taps(beam, tilt, float(half_widths[tilt]), y.device)
        row = torch.nn.functional.pad(y[tilt], (0, 0, 2, 2))
        out += below[..., None] * row[index] + above[..., None] * row[index + 1]
    return out


def _scatter(beam: ParallelBeam, x: torch.Tensor) -> torch.Tensor:
    if (kernels := triton_kernels_for(x.device)) is not None:
        return kernels.forward(beam, x)
    if x.device.type == "cpu":
        return torch.from_numpy(cpu.forward(beam, x.detach().numpy()))
    return scatter_rows(beam, x)


def scatter_rows(beam: ParallelBeam, x: torch.Tensor) -> torch.Tensor:
    """Project in plain torch, tilt by tilt."""
    widths = _joseph_widths(beam)
    flat = x.reshape(-1, x.shape[2])
    out = x.new_empty((beam.n_tilts, beam.width, x.shape[2]))
    for tilt in range(beam.n_tilts):
        index, below, above = _taps(beam, tilt, float(widths[tilt]), x.device)
        row = x.new_zeros((beam.width + 4, x.shape[2]))
        row.index_add_(0, index.reshape(-1), flat * below.reshape(-1, 1))
        row.index_add_(0, index.reshape(-1) + 1, flat * above.reshape(-1, 1))
        out[tilt] = row[2:-2]
    return out
