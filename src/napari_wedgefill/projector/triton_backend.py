"""The backend of CUDA tensors: launches the Triton kernels.

`TorchBackend` holds the sweeps of the solvers; here, each part of a step is one pass.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from ..geometry import centre
from .backend import Doubles, Rays
from .torch_backend import TorchBackend, TvmKernel
from .triton_kernels import back_project_rays, project_rays
from .triton_tvm import descend_tvm

Tables = dict[str, torch.Tensor]
#: Samples of a volume from which 32-bit offsets no longer reach the last.
FAR = 2**31


@dataclass(frozen=True)
class Tiles:
    """What one program of a kernel owns; all powers of two.

    Attributes
    ----------
    slices : int
        Neighbouring slices, at most 256.
    by_z, by_x : int
        Voxels of a back projection.
    tilts, pixels : int
        Rays of a projection: detector pixels at each of some tilts.
    warps : int
        Groups of 32 threads that share a program.
    """

    slices: int
    by_z: int = 8
    by_x: int = 8
    tilts: int = 4
    pixels: int = 16
    warps: int = 16

    @property
    def lanes(self) -> int:
        """Slices side by side in a warp, four a thread; beyond 128 a thread holds two fours."""
        return min(self.slices, 128)


def choose_tiles(n_slices: int) -> Tiles:
    """Tiles for a number of slices.

    With 256 slices a thread holds eight slices of four voxels: 32 sums in registers, and index
    arithmetic that costs about as much as the sums themselves. A square of voxels covers the fewest
    detector pixels, and neighbouring tilts share most samples.
    """
    slices = min(256, 1 << (n_slices - 1).bit_length())
    return Tiles(slices, warps=min(16, max(2, slices // 16)))


class TritonBackend(TorchBackend):
    """CUDA tensors, computed by the Triton kernels.

    Parameters
    ----------
    tiles : Tiles, optional
        What every launch of a projection takes; by default, `choose_tiles` decides.
    """

    def __init__(self, tiles: Tiles | None = None) -> None:
        self.tiles = tiles

    def project(self, rays: Rays, x: torch.Tensor) -> torch.Tensor:
        """`forward` without gradients."""
        return _project(rays, x, None, self._tiles_for(x))

    def gather(self, rays: Rays, y: torch.Tensor, half_widths: Doubles) -> torch.Tensor:
        """Back project through triangles of these half widths, (n_tilts,)."""
        return self._gather(rays, y, torch.from_numpy(half_widths).to(y.device))

    def back_project(self, rays: Rays, y: torch.Tensor) -> torch.Tensor:
        """`adjoint` without gradients."""
        return self._gather(rays, y, tabulate(rays, y.device)["half_widths"])

    def smear(self, rays: Rays, y: torch.Tensor) -> torch.Tensor:
        """Back project a sinogram by linear interpolation, where no gradient is wanted."""
        return self._gather(rays, y, tabulate(rays, y.device)["ones"])

    def weigh_residual(
        self, rays: Rays, x: torch.Tensor, measured: torch.Tensor, row_weights: torch.Tensor
    ) -> torch.Tensor:
        """``row_weights * (measured - A x)`` in one pass; see `TorchBackend`."""
        return _project(rays, x, (measured, row_weights), self._tiles_for(x))

    def descend_(
        self,
        rays: Rays,
        x: torch.Tensor,
        y: torch.Tensor,
        voxel_weights: torch.Tensor,
        lowest: float,
    ) -> None:
        """``x = max(x + voxel_weights * A.T y, lowest)`` in one pass; see `TorchBackend`."""
        half_widths = tabulate(rays, x.device)["half_widths"]
        _back_project(rays, y, half_widths, x, (voxel_weights, lowest), self._tiles_for(y))

    def find_tvm_kernel(self) -> TvmKernel:
        """Return the kernel that does what `torch_backend.descend_tvm` does."""
        return descend_tvm

    def _gather(self, rays: Rays, y: torch.Tensor, half_widths: torch.Tensor) -> torch.Tensor:
        shape = (rays.depth, rays.width, y.shape[2])
        out = torch.empty(shape, dtype=torch.float32, device=y.device)
        _back_project(rays, y, half_widths, out, None, self._tiles_for(y))
        return out

    def _tiles_for(self, array: torch.Tensor) -> Tiles:
        return self.tiles or choose_tiles(array.shape[2])


def _project(
    rays: Rays,
    x: torch.Tensor,
    residual: tuple[torch.Tensor, torch.Tensor] | None,
    tiles: Tiles,
) -> torch.Tensor:
    """Project; given (measured, row_weights), return the weighted residual instead."""
    n_slices = x.shape[2]
    rows = (rays.n_tilts, rays.width)
    _expect(x, (rays.depth, rays.width, n_slices))
    x = _prepare(x)
    out = torch.empty((*rows, n_slices), dtype=torch.float32, device=x.device)
    measured = row_weights = out  # not read
    if residual is not None:
        measured, row_weights = (_prepare(array) for array in residual)
        _expect(measured, (*rows, n_slices))
        _expect(row_weights, (*rows, 1))
    table = tabulate(rays, x.device)
    unit = _choose_unit(n_slices)
    n_units = n_slices // unit
    along_z = (rays.depth, rays.width, rays.width * n_units, n_units)
    along_x = (rays.width, rays.depth, n_units, rays.width * n_units)
    with _make_current(x.device):
        for tilts, lie in ((table["shallow"], along_z), (table["steep"], along_x)):
            if not tilts.numel():
                continue
            grid = (
                _count_blocks(rays.width, tiles.pixels),
                _count_blocks(len(tilts), tiles.tilts),
                _count_blocks(n_slices, tiles.slices),
            )
            project_rays[grid](
                x,
                out,
                table["ray_starts"],
                table["slopes"],
                table["shifts"],
                tilts,
                measured,
                row_weights,
                *lie,
                len(tilts),
                rays.width,
                n_units,
                RESIDUAL=residual is not None,
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
    rays: Rays,
    y: torch.Tensor,
    half_widths: torch.Tensor,
    out: torch.Tensor,
    descent: tuple[torch.Tensor, float] | None,
    tiles: Tiles,
) -> None:
    """Back project into `out`; given (voxel_weights, lowest), let `out` descend along it."""
    n_slices = y.shape[2]
    voxels = (rays.depth, rays.width)
    _expect(y, (rays.n_tilts, rays.width, n_slices))
    _expect(out, (*voxels, n_slices))
    y = _prepare(y)
    voxel_weights, lowest = out, 0.0  # not read
    if descent is not None:
        voxel_weights, lowest = _prepare(descent[0]), descent[1]
        _expect(voxel_weights, (*voxels, 1))
    if out.dtype != torch.float32 or not out.is_contiguous():
        raise ValueError("a volume is updated in place only if it is float32 and contiguous")
    table = tabulate(rays, y.device)
    grid = (
        _count_blocks(rays.width, tiles.by_x),
        _count_blocks(rays.depth, tiles.by_z),
        _count_blocks(n_slices, tiles.slices),
    )
    with _make_current(y.device):
        back_project_rays[grid](
            y,
            out,
            table["voxel_starts"],
            table["cosines"],
            table["sines"],
            half_widths,
            voxel_weights,
            lowest,
            rays.depth,
            rays.width,
            rays.n_tilts,
            n_slices // _choose_unit(n_slices),
            DESCEND=descent is not None,
            UNIT=_choose_unit(n_slices),
            EVEN=n_slices % tiles.slices == 0,
            BY_Z=tiles.by_z,
            BY_X=tiles.by_x,
            LANES=tiles.lanes,
            TWICE=tiles.slices > tiles.lanes,
            num_warps=tiles.warps,
        )


def _prepare(array: torch.Tensor) -> torch.Tensor:
    """Make an array what the kernels read: contiguous float32 without gradients."""
    return array.detach().to(torch.float32).contiguous()


def _expect(array: torch.Tensor, shape: tuple[int, ...]) -> None:
    """A kernel reads whatever lies in memory: a wrong shape must not get that far."""
    if tuple(array.shape) != shape:
        raise ValueError(f"an array of shape {shape} was expected, got {tuple(array.shape)}")


def _count_blocks(n: int, size: int) -> int:
    return -(-n // size)


def _choose_unit(n_slices: int) -> int:
    """Slices that a thread loads at once: 16 bytes, if every row begins at a multiple of that."""
    return 4 if n_slices % 4 == 0 else 1


def _make_current(device: torch.device) -> Any:
    """Make the device current for a launch; the interpreter runs on tensors in main memory."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def tabulate(rays: Rays, device: torch.device) -> Tables:
    """Numbers of each tilt, on the device; copied there once for each geometry."""
    directions = np.stack([rays.cosines, rays.sines, rays.axis_u]).tobytes()
    return _tabulate(directions, rays.width, rays.depth, device)


@lru_cache(maxsize=256)  # SART has an operator for every few tilts, and a loss makes one a step
def _tabulate(directions: bytes, width: int, depth: int, device: torch.device) -> Tables:
    cosines, sines, axis_u = np.frombuffer(directions).reshape(3, -1)
    rays = Rays(cosines, sines, width, depth, axis_u)
    steep = np.abs(sines) > np.abs(cosines)
    along = np.where(steep, cosines, sines)
    across = np.where(steep, sines, cosines)
    rows = np.where(steep, centre(width), centre(depth))
    columns = np.where(steep, centre(depth), centre(width))
    slopes, shifts = 1.0 / across, along / across
    arrays = {
        "slopes": slopes,
        "shifts": shifts,
        "ray_starts": columns - axis_u * slopes + rows * shifts,
        "shallow": np.flatnonzero(~steep).astype(np.int32),
        "steep": np.flatnonzero(steep).astype(np.int32),
        "cosines": cosines,
        "sines": sines,
        "half_widths": rays.half_widths,
        "ones": np.ones(rays.n_tilts),
        "voxel_starts": axis_u - centre(depth) * sines - centre(width) * cosines,
    }
    return {name: torch.tensor(a, device=device) for name, a in arrays.items()}
