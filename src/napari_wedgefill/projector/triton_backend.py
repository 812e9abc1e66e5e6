"""The backend of CUDA tensors: launches the Triton kernels.

`TorchBackend` holds the sweeps of the solvers; here, each part of a step is one pass.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from ..geometry import centre
from . import triton_kernels
from .backend import Doubles, Rays
from .torch_backend import TorchBackend
from .torch_tvm import DualRows, TvmSizes, TvmState
from .triton_kernels import back_project_rays, project_rays
from .triton_tvm import descend_tvm, hold_back_common

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
        out = torch.empty((rays.n_tilts, *x.shape[1:]), dtype=torch.float32, device=x.device)
        _project(rays, x, out, PLAIN, self._tiles_for(x))
        return out

    def gather(self, rays: Rays, y: torch.Tensor, half_widths: Doubles) -> torch.Tensor:
        """Back project through triangles of these half widths, (n_tilts,)."""
        return self._gather(rays, y, torch.from_numpy(half_widths).to(y.device))

    def back_project(self, rays: Rays, y: torch.Tensor) -> torch.Tensor:
        """`adjoint` without gradients."""
        return self._gather(rays, y, tabulate(rays, y.device).arrays["half_widths"])

    def smear(self, rays: Rays, y: torch.Tensor) -> torch.Tensor:
        """Back project a sinogram by linear interpolation, where no gradient is wanted."""
        return self._gather(rays, y, tabulate(rays, y.device).arrays["ones"])

    def weigh_residual(
        self,
        rays: Rays,
        x: torch.Tensor,
        measured: torch.Tensor,
        row_weights: torch.Tensor,
        out: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """``row_weights * (measured - A x)`` in one pass; see `TorchBackend`."""
        if out is None:
            out = torch.empty(measured.shape, dtype=torch.float32, device=x.device)
        finish = Finish("RESIDUAL", _prepare(measured), _prepare(row_weights))
        _project(rays, x, out, finish, self._tiles_for(x))
        return out

    def descend_(
        self,
        rays: Rays,
        x: torch.Tensor,
        y: torch.Tensor,
        voxel_weights: torch.Tensor,
        lowest: float,
    ) -> None:
        """``x = max(x + voxel_weights * A.T y, lowest)`` in one pass; see `TorchBackend`."""
        half_widths = tabulate(rays, x.device).arrays["half_widths"]
        _back_project(rays, y, half_widths, x, (voxel_weights, lowest), self._tiles_for(y))

    def count_slots(self, rays: Rays, x: torch.Tensor) -> int:
        """Programs of a projection that add squares up for the same slices."""
        tiles = self._tiles_for(x)
        n_groups = len(tabulate(rays, x.device).group_tilts(tiles.tilts)[0])
        return n_groups * _count_blocks(rays.width, tiles.pixels)

    def step_dual(self, rows: DualRows, x: torch.Tensor, squares: torch.Tensor) -> None:
        """Update the dual variable of some rows; one pass, or two if the tilts share anything."""
        shared = rows.common.shape[1] > 0
        out = rows.ahead if shared else rows.change
        finish = Finish(
            "AHEAD" if shared else "CHANGE", rows.measured, rows.rates, rows.dual, squares
        )
        _project(rows.rays, x, out, finish, self._tiles_for(x))
        if shared:
            with _make_current(x.device):
                hold_back_common(rows)

    def back_project_into(self, rays: Rays, y: torch.Tensor, out: torch.Tensor) -> None:
        """`adjoint` without gradients, into an array that is there."""
        half_widths = tabulate(rays, y.device).arrays["half_widths"]
        _back_project(rays, y, half_widths, out, None, self._tiles_for(y))

    def descend_tvm(
        self,
        state: TvmState,
        change: torch.Tensor,
        radii: list[torch.Tensor],
        sizes: TvmSizes,
        out: list[torch.Tensor],
    ) -> None:
        """Take the step of total-variation minimisation on the volume in one pass."""
        prior = state.priors[-1]
        if len(state.fields) == (1 if prior is None else 2):
            with _make_current(state.x.device):
                descend_tvm(state, change, radii, sizes, out)
        else:  # nothing but the difference from the prior counts
            super().descend_tvm(state, change, radii, sizes, out)

    def _gather(self, rays: Rays, y: torch.Tensor, half_widths: torch.Tensor) -> torch.Tensor:
        shape = (rays.depth, rays.width, y.shape[2])
        out = torch.empty(shape, dtype=torch.float32, device=y.device)
        _back_project(rays, y, half_widths, out, None, self._tiles_for(y))
        return out

    def _tiles_for(self, array: torch.Tensor) -> Tiles:
        return self.tiles or choose_tiles(array.shape[2])


@dataclass(frozen=True, eq=False)
class Finish:
    """What a projection is turned into before it is written; see `triton_kernels.project_rays`.

    Attributes
    ----------
    kind : {"INTEGRALS", "RESIDUAL", "AHEAD", "CHANGE"}
    measured : Tensor, float32, (n_tilts, width, n_slices), optional
    weights : Tensor, float32, (n_tilts, width) or (n_tilts, width, 1), optional
    dual : Tensor, float32, (n_tilts, width, n_slices), optional
        Updated with "CHANGE".
    squares : Tensor, float32, (n_slots, n_slices), optional
        Takes up what each slice leaves unexplained.
    """

    kind: str
    measured: torch.Tensor | None = None
    weights: torch.Tensor | None = None
    dual: torch.Tensor | None = None
    squares: torch.Tensor | None = None


PLAIN = Finish("INTEGRALS")
#: As the kernel knows them.
KINDS = {
    name: getattr(triton_kernels, name).value
    for name in ("INTEGRALS", "RESIDUAL", "AHEAD", "CHANGE")
}


def _project(rays: Rays, x: torch.Tensor, out: torch.Tensor, finish: Finish, tiles: Tiles) -> None:
    """Project into `out`, or write what the finish makes of it."""
    n_slices = x.shape[2]
    rows = (rays.n_tilts, rays.width)
    _expect(x, (rays.depth, rays.width, n_slices))
    _expect(out, (*rows, n_slices))
    x = _prepare(x)
    for array in (finish.measured, finish.dual):
        if array is not None:
            _expect(array, (*rows, n_slices))
    if finish.weights is not None:
        _expect(finish.weights, (*rows, 1) if finish.weights.ndim == 3 else rows)
    for array in (out, finish.measured, finish.weights, finish.dual, finish.squares):
        if array is not None and (array.dtype != torch.float32 or not array.is_contiguous()):
            raise ValueError("the kernel reads and writes contiguous float32 only")
    tables = tabulate(rays, x.device)
    table = tables.arrays
    tilts, n_shallow = tables.group_tilts(tiles.tilts)
    unit = _choose_unit(n_slices)
    grid = (
        _count_blocks(rays.width, tiles.pixels),
        len(tilts),
        _count_blocks(n_slices, tiles.slices),
    )
    if finish.squares is not None:
        _expect(finish.squares, (max(finish.squares.shape[0], grid[0] * grid[1]), n_slices))

    def given(array: torch.Tensor | None) -> torch.Tensor:
        return out if array is None else array  # not read

    with _make_current(x.device):
        project_rays[grid](
            x,
            out,
            table["ray_starts"],
            table["slopes"],
            table["shifts"],
            tilts,
            given(finish.measured),
            given(finish.weights),
            given(finish.dual),
            given(finish.squares),
            rays.depth,
            rays.width,
            n_shallow,
            n_slices // unit,
            KIND=KINDS[finish.kind],
            UNIT=unit,
            EVEN=n_slices % tiles.slices == 0,
            WIDE=x.numel() >= FAR,
            TILTS=tiles.tilts,
            PIXELS=tiles.pixels,
            LANES=tiles.lanes,
            TWICE=tiles.slices > tiles.lanes,
            num_warps=tiles.warps,
        )


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
    table = tabulate(rays, y.device).arrays
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


class Tables:
    """Numbers of each tilt, on the device.

    Attributes
    ----------
    arrays : dict of str to Tensor, (n_tilts,)
        By name, as the kernels know them.
    """

    def __init__(self, rays: Rays, device: torch.device) -> None:
        self.device = device
        self.is_steep = np.abs(rays.sines) > np.abs(rays.cosines)
        along = np.where(self.is_steep, rays.cosines, rays.sines)
        across = np.where(self.is_steep, rays.sines, rays.cosines)
        rows = np.where(self.is_steep, centre(rays.width), centre(rays.depth))
        columns = np.where(self.is_steep, centre(rays.depth), centre(rays.width))
        slopes, shifts = 1.0 / across, along / across
        self.arrays = self._put(
            slopes=slopes,
            shifts=shifts,
            ray_starts=columns - rays.axis_u * slopes + rows * shifts,
            cosines=rays.cosines,
            sines=rays.sines,
            half_widths=rays.half_widths,
            ones=np.ones(rays.n_tilts),
            voxel_starts=rays.axis_u
            - centre(rays.depth) * rays.sines
            - centre(rays.width) * rays.cosines,
        )
        self._groups: dict[int, tuple[torch.Tensor, int]] = {}

    def group_tilts(self, size: int) -> tuple[torch.Tensor, int]:
        """Groups of so many shallow or steep tilts, (n_groups, size), and how many are shallow.

        A group that is not full repeats its last tilt as the complement, for no one to write it.
        """
        if size not in self._groups:
            groups = []
            for kind in (~self.is_steep, self.is_steep):
                tilts = np.flatnonzero(kind)
                n = _count_blocks(tilts.size, size)
                filled = np.full(n * size, -1 - tilts[-1] if n else 0, np.int32)
                filled[: tilts.size] = tilts
                groups.append(filled.reshape(n, size))
            table = torch.tensor(np.concatenate(groups), device=self.device)
            self._groups[size] = table, len(groups[0])
        return self._groups[size]

    def _put(self, **arrays: NDArray[Any]) -> dict[str, torch.Tensor]:
        return {name: torch.tensor(a, device=self.device) for name, a in arrays.items()}


#: Of geometries that are in use: what a graph of launches reads lives as long as its rays do.
_IN_USE: WeakKeyDictionary[Rays, dict[torch.device, Tables]] = WeakKeyDictionary()


def tabulate(rays: Rays, device: torch.device) -> Tables:
    """Numbers of each tilt, on the device; copied there once for each geometry."""
    there = _IN_USE.setdefault(rays, {})
    if device not in there:
        directions = np.stack([rays.cosines, rays.sines, rays.axis_u]).tobytes()
        there[device] = _tabulate(directions, rays.width, rays.depth, device)
    return there[device]


@lru_cache(maxsize=256)  # SART has an operator for every few tilts, and a loss makes one a step
def _tabulate(directions: bytes, width: int, depth: int, device: torch.device) -> Tables:
    cosines, sines, axis_u = np.frombuffer(directions).reshape(3, -1)
    return Tables(Rays(cosines, sines, width, depth, axis_u), device)
