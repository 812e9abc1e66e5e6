"""`ParallelBeam` on CUDA tensors: launches the Triton kernels."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from .triton_kernels import adjoint_rays, forward_rays
from .triton_layout import Tiles, tables, tiles_for

if TYPE_CHECKING:
    from .parallel_beam import ParallelBeam

#: Samples of a volume from which 32-bit offsets no longer reach the last.
FAR = 2**31


def forward(beam: ParallelBeam, x: torch.Tensor, tiles: Tiles | None = None) -> torch.Tensor:
    """Project (depth, width, n_slices) to (n_tilts, width, n_slices)."""
    return _project(beam, x, None, None, tiles)


def residual(
    beam: ParallelBeam,
    x: torch.Tensor,
    measured: torch.Tensor,
    row_weights: torch.Tensor,
    tiles: Tiles | None = None,
) -> torch.Tensor:
    """``row_weights * (measured - A x)`` in one pass, (n_tilts, width, n_slices).

    Parameters
    ----------
    row_weights : Tensor, (n_tilts, width, 1)
        Weight of each ray.
    """
    return _project(beam, x, measured, row_weights, tiles)


def adjoint(
    beam: ParallelBeam,
    y: torch.Tensor,
    half_widths: NDArray[np.float64],
    tiles: Tiles | None = None,
) -> torch.Tensor:
    """Back project (n_tilts, width, n_slices) to (depth, width, n_slices)."""
    out = torch.empty((beam.depth, beam.width, y.shape[2]), dtype=torch.float32, device=y.device)
    exact = np.array_equal(half_widths, np.maximum(np.abs(beam.cosines), np.abs(beam.sines)))
    if exact:
        widths = tables(beam, y.device)["half_widths"]
    else:
        widths = torch.from_numpy(np.asarray(half_widths, np.float64)).to(y.device)
    _back_project(beam, y, widths, out, None, 0.0, tiles)
    return out


def descend_(
    beam: ParallelBeam,
    x: torch.Tensor,
    y: torch.Tensor,
    voxel_weights: torch.Tensor,
    *,
    nonnegative: bool,
    tiles: Tiles | None = None,
) -> None:
    """``x += voxel_weights * A.T y`` in place and in one pass, clipped at zero if asked.

    Parameters
    ----------
    x : Tensor, float32, (depth, width, n_slices)
        Contiguous.
    voxel_weights : Tensor, (depth, width, 1)
        Step of each voxel.
    """
    lowest = 0.0 if nonnegative else -float("inf")
    half_widths = tables(beam, x.device)["half_widths"]
    _back_project(beam, y, half_widths, x, voxel_weights, lowest, tiles)


def _project(
    beam: ParallelBeam,
    x: torch.Tensor,
    measured: torch.Tensor | None,
    row_weights: torch.Tensor | None,
    tiles: Tiles | None,
) -> torch.Tensor:
    n_slices = x.shape[2]
    rays = (beam.n_tilts, beam.width)
    _expect(x, (beam.depth, beam.width, n_slices))
    x = _as_kernels_read(x)
    tiles = tiles or tiles_for(n_slices)
    out = torch.empty((*rays, n_slices), dtype=torch.float32, device=x.device)
    measured_or_any = out if measured is None else _as_kernels_read(measured)
    weights_or_any = out if row_weights is None else _as_kernels_read(row_weights)
    _expect(measured_or_any, (*rays, n_slices))
    _expect(weights_or_any, (*rays, n_slices if row_weights is None else 1))
    table = tables(beam, x.device)
    unit = _unit(n_slices)
    n_units = n_slices // unit
    along_z = (beam.depth, beam.width, beam.width * n_units, n_units)
    along_x = (beam.width, beam.depth, n_units, beam.width * n_units)
    with _on(x.device):
        for tilts, rows in ((table["shallow"], along_z), (table["steep"], along_x)):
            if not tilts.numel():
                continue
            grid = (
                _blocks(beam.width, tiles.pixels),
                _blocks(len(tilts), tiles.tilts),
                _blocks(n_slices, tiles.slices),
            )
            forward_rays[grid](
                x,
                out,
                table["ray_starts"],
                table["slopes"],
                table["shifts"],
                tilts,
                measured_or_any,
                weights_or_any,
                *rows,
                len(tilts),
                beam.width,
                n_units,
                RESIDUAL=measured is not None,
                UNIT=unit,
                EVEN=n_slices % tiles.slices == 0,
                WIDE=x.numel() >= FAR,
                TILTS=tiles.tilts,
                PIXELS=tiles.pixels,
                LANES=tiles.lanes,
                TWICE=tiles.slices > tiles.lanes,
                num_warps=tiles.warps,
            )
    return out


def _back_project(
    beam: ParallelBeam,
    y: torch.Tensor,
    half_widths: torch.Tensor,
    out: torch.Tensor,
    voxel_weights: torch.Tensor | None,
    lowest: float,
    tiles: Tiles | None,
) -> None:
    n_slices = y.shape[2]
    voxels = (beam.depth, beam.width)
    _expect(y, (beam.n_tilts, beam.width, n_slices))
    _expect(out, (*voxels, n_slices))
    y = _as_kernels_read(y)
    weights_or_any = out if voxel_weights is None else _as_kernels_read(voxel_weights)
    _expect(weights_or_any, (*voxels, n_slices if voxel_weights is None else 1))
    if out.dtype != torch.float32 or not out.is_contiguous():
        raise ValueError("a volume is updated in place only if it is float32 and contiguous")
    tiles = tiles or tiles_for(n_slices)
    table = tables(beam, y.device)
    grid = (
        _blocks(beam.width, tiles.by_x),
        _blocks(beam.depth, tiles.by_z),
        _blocks(n_slices, tiles.slices),
    )
    with _on(y.device):
        adjoint_rays[grid](
            y,
            out,
            table["voxel_starts"],
            table["cosines"],
            table["sines"],
            half_widths,
            weights_or_any,
            lowest,
            beam.depth,
            beam.width,
            beam.n_tilts,
            n_slices // _unit(n_slices),
            DESCEND=voxel_weights is not None,
            UNIT=_unit(n_slices),
            EVEN=n_slices % tiles.slices == 0,
            BY_Z=tiles.by_z,
            BY_X=tiles.by_x,
            LANES=tiles.lanes,
            TWICE=tiles.slices > tiles.lanes,
            num_warps=tiles.warps,
        )


def _as_kernels_read(array: torch.Tensor) -> torch.Tensor:
    return array.detach().to(torch.float32).contiguous()


def _expect(array: torch.Tensor, shape: tuple[int, ...]) -> None:
    """A kernel reads whatever lies in memory: a wrong shape must not get that far."""
    if tuple(array.shape) != shape:
        raise ValueError(f"an array of shape {shape} was expected, got {tuple(array.shape)}")


def _blocks(n: int, size: int) -> int:
    return -(-n // size)


def _unit(n_slices: int) -> int:
    """Slices that a thread loads at once: 16 bytes, if every row begins at a multiple of that."""
    return 4 if n_slices % 4 == 0 else 1


def _on(device: torch.device) -> Any:
    """Make the device current for a launch; the interpreter runs on tensors in main memory."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()
