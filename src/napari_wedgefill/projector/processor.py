"""The backend of numpy arrays: numba's kernels on the processor.

Slices do not see each other, so they are cut into strips that the cores share. The sweeps of SART
and SIRT keep a tile of slices on one core until a sweep is through: its volume stays near that
core, where a pass over all slices for every four tilts would wait for memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import threads
from .backend import AlgebraicStep, Backend, Doubles, Floats, Rays, TvmProblem
from .numba_fourier import filter_pair, make_filter
from .numba_kernels import SQUARE
from .processor_tvm import ProcessorTvm
from .strips import LANES, iter_strips
from .threads import available_cores, cut_shares, run, run_on_cores
from .tiles import SinogramTile, VolumeTile
from .vectors import VECTOR, make_aligned_zeros, vectors

Indices = NDArray[np.intp]
Tile = TypeVar("Tile")

#: Slices in a full tile of SART: half a strip, for the volume passes by once for every four tilts,
#: and less of it waits for memory.
SART_LANES = LANES // 2


class Processor(Backend):
    """numpy arrays, computed by numba on all cores."""

    xp = np

    def convert_like(self, values: ArrayLike, array: Floats) -> Floats:
        """Return values as float32."""
        return np.asarray(values, np.float32)

    def make_contiguous(self, array: Floats) -> Floats:
        """Return the array itself if it is contiguous, and a contiguous copy if not."""
        return np.ascontiguousarray(array)

    def forward(self, rays: Rays, x: Floats) -> Floats:
        """Project a volume to a sinogram."""
        x = np.asarray(x, dtype=np.float32)
        out = np.empty((rays.n_tilts, rays.width, x.shape[2]), np.float32)

        def project(tile: VolumeTile, tilts: Indices, strip: slice) -> None:
            tile.project(rays, tilts, out[:, :, strip])

        _share(
            rays,
            x.shape[2],
            lambda strip: VolumeTile.copy_of(x[:, :, strip]),
            (rays.n_tilts, 1, project),
        )
        return out

    def adjoint(self, rays: Rays, y: Floats) -> Floats:
        """Back project a sinogram to a volume, exactly adjoint to `forward`."""
        return _back_project_copies(rays, y, rays.half_widths)

    def smear(self, rays: Rays, y: Floats) -> Floats:
        """Back project a sinogram by linear interpolation."""
        return _back_project_copies(rays, y, np.ones(rays.n_tilts))

    def filter_and_smear(
        self, rays: Rays, y: Floats, weights: Doubles, response_of: Callable[[int], Floats]
    ) -> Floats:
        """Filter two tilts at a time, which stay in the cache meanwhile; see `Backend`."""
        y = np.asarray(y, dtype=np.float32)
        n = 1 << max(2, (2 * rays.width - 1).bit_length())
        spectrum = make_filter(response_of(n))
        # The last tilt of an odd number pairs with a row of zeros, which tiles have room for.
        factors = np.zeros(rays.n_tilts + 1, np.float32)
        factors[:-1] = weights

        def put_filtered(tile: SinogramTile, tilts: Indices, strip: slice) -> None:
            room = make_aligned_zeros((2 * n * VECTOR,))
            pitch = tile.padded.shape[1] * tile.lanes
            for tilt in tilts[::2]:
                pair = slice(tilt, min(tilt + 2, rays.n_tilts))
                tile.values[pair] = y[pair, :, strip]
                filter_pair(
                    vectors(tile.lanes), tile.padded.reshape(-1), tilt * pitch + tile.lanes, pitch,
                    rays.width, factors[tilt : tilt + 2], spectrum, room,
                )  # fmt: skip

        return _back_project(rays, y.shape[2], np.ones(rays.n_tilts), put_filtered)

    def begin_algebraic(
        self, steps: Sequence[AlgebraicStep], x0: Floats | None, lowest: float
    ) -> ProcessorAlgebraic:
        """Begin SART or SIRT; see `Backend`."""
        return ProcessorAlgebraic(steps, x0, lowest)

    def begin_tvm(self, problem: TvmProblem) -> ProcessorTvm:
        """Begin total-variation minimisation."""
        slope = None if problem.dual is None else self.adjoint(problem.rays, problem.dual)
        return ProcessorTvm(problem, slope)


class ProcessorAlgebraic:
    """The sweeps of SART and SIRT; parameters as `Backend.begin_algebraic`."""

    def __init__(self, steps: Sequence[AlgebraicStep], x0: Floats | None, lowest: float) -> None:
        self.steps, self.lowest = steps, lowest
        rays, n_slices = steps[0].rays, steps[0].measured.shape[2]
        self.x = np.zeros((rays.depth, rays.width, n_slices), np.float32)
        self.strips = list(iter_strips(n_slices, LANES if len(steps) == 1 else SART_LANES))
        self.tiles = [
            VolumeTile(rays.depth, rays.width, strip.stop - strip.start) for strip in self.strips
        ]
        if x0 is not None:
            self.x[:] = x0
            for tile, strip in zip(self.tiles, self.strips, strict=True):
                tile.values[:] = x0[:, :, strip]
        # One core a tile where there are enough of them or a step is soon done, all cores for each
        # tile elsewhere.
        few = len(self.tiles) < available_cores() and not _is_soon_done(rays, n_slices)
        self.n_shares = available_cores() if few else 1

    def sweep(self, active: NDArray[np.bool_] | None = None) -> Doubles | None:
        """Take every step once; see `AlgebraicSweeps`."""
        squares = None if active is None else np.zeros(active.size, np.float64)
        tasks = [partial(self._sweep, k, active, squares) for k in range(len(self.tiles))]
        run(tasks, parallel=self.n_shares == 1)
        return squares

    def _sweep(self, k: int, active: NDArray[np.bool_] | None, squares: Doubles | None) -> None:
        tile, strip = self.tiles[k], self.strips[k]
        moving = None if active is None else active[strip]
        if moving is not None and not moving.any():
            return
        for step in self.steps:
            rows = SinogramTile(step.rays, step.rays.half_widths, strip.stop - strip.start)
            residual = rows.values
            run(
                (
                    partial(tile.project, step.rays, tilts, residual)
                    for tilts in cut_shares(step.rays.n_tilts, self.n_shares)
                ),
                parallel=self.n_shares > 1,
            )
            np.subtract(step.measured[:, :, strip], residual, out=residual)
            if squares is not None:
                squares[strip] += np.einsum("tus,tus->s", residual, residual)
            residual *= step.row_weights
            if moving is not None and not moving.all():
                residual *= moving
            columns = step.voxel_weights[:, :, 0]
            run(
                (
                    partial(tile.descend, rows, columns, self.lowest, part[0], part[-1] + 1)
                    for part in cut_shares(tile.depth, self.n_shares, SQUARE)
                ),
                parallel=self.n_shares > 1,
            )
        self.x[:, :, strip] = tile.values


def _back_project_copies(rays: Rays, y: Floats, half_widths: Doubles) -> Floats:
    y = np.asarray(y, dtype=np.float32)

    def copy(tile: SinogramTile, tilts: Indices, strip: slice) -> None:
        tile.values[tilts] = y[tilts, :, strip]

    return _back_project(rays, y.shape[2], half_widths, copy)


def _back_project(
    rays: Rays,
    n_slices: int,
    half_widths: Doubles,
    fill: Callable[[SinogramTile, Indices, slice], None],
) -> Floats:
    """Back project what `fill` puts into the tilts of a tile that holds a strip of slices.

    It is asked for runs of tilts that begin at even ones, so that it may take two at once. What is
    made for a tile right before it is used need not be stored for all slices.
    """
    out = np.empty((rays.depth, rays.width, n_slices), np.float32)

    def load(strip: slice) -> SinogramTile:
        return SinogramTile(rays, half_widths, strip.stop - strip.start)

    def gather(tile: SinogramTile, rows: Indices, strip: slice) -> None:
        tile.back_project(rows, out[:, :, strip])

    _share(rays, n_slices, load, (rays.n_tilts, 2, fill), (rays.depth, SQUARE, gather))
    return out


def _is_soon_done(rays: Rays, n_slices: int) -> bool:
    return rays.n_tilts * rays.depth * rays.width * n_slices <= threads.SMALL_STEP


def _share(
    rays: Rays,
    n_slices: int,
    load: Callable[[slice], Tile],
    *steps: tuple[int, int, Callable[[Tile, Indices, slice], None]],
) -> None:
    """Take every strip through some steps, each of so many parts and at least so many together.

    A strip is split only when there are fewer strips than cores, and work enough for them.
    """
    strips = list(iter_strips(n_slices))
    is_soon_done = _is_soon_done(rays, n_slices)
    if is_soon_done or len(strips) >= available_cores():

        def take_whole(strip: slice) -> None:
            tile = load(strip)
            for n_parts, _, work in steps:
                work(tile, np.arange(n_parts), strip)

        run((partial(take_whole, strip) for strip in strips), parallel=not is_soon_done)
        return
    n_shares = -(-available_cores() // len(strips)) if strips else 1
    tiles = [load(strip) for strip in strips]
    for n_parts, unit, work in steps:
        run_on_cores(
            partial(work, tile, share, strip)
            for tile, strip in zip(tiles, strips, strict=True)
            for share in cut_shares(n_parts, n_shares, unit)
        )
