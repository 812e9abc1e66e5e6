"""The sweeps of total-variation minimisation on the processor: tiles of slices.

Slices do not see each other, so a tile goes through a whole sweep on one core before the next. It
is narrow, for a step touches four arrays of the volume's size, and what fits into the third-level
cache need not be fetched from memory for every four tilts.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from .backend import DualStep, Floats, Rays, TvmProblem
from .numba_kernels import SQUARE
from .numba_tvm import Steps, TvmTile, advance_dual, descend_tvm, extrapolate_row
from .strips import iter_strips
from .threads import available_cores, count_shares, cut_shares, run
from .tiles import SinogramTile, VolumeTile
from .vectors import make_aligned_zeros, vectors

#: Slices in a full tile.
TVM_LANES = 32


class _Tile:
    """A few slices of the volume, of its dual variables, and of what was measured."""

    def __init__(
        self, rays: Rays, sinogram: Floats, x0: Floats | None, prior: Floats | None
    ) -> None:
        n_slices = sinogram.shape[2]
        self.volume = VolumeTile(rays.depth, rays.width, n_slices)
        if x0 is not None:
            self.volume.values[:] = x0
        lanes = self.volume.lanes
        #: The dual field of the total variation; it absorbs the scale of the gradient.
        p = make_aligned_zeros((rays.depth * rays.width * 2 * lanes,))
        #: The prior, and the dual field of the difference from it.
        self.prior: Floats | None = None
        q = p
        if prior is not None:
            self.prior = VolumeTile.copy_of(prior).padded.reshape(-1)
            q = make_aligned_zeros(p.shape)
        #: A.T of the data's dual variable.
        slope = make_aligned_zeros((rays.depth * rays.width * lanes,))
        self.measured = make_aligned_zeros((rays.n_tilts, rays.width, lanes))
        self.measured[:, :, :n_slices] = sinogram
        self.dual = np.zeros_like(self.measured)
        self.squares = np.zeros(lanes, np.float32)
        radii, prior_radii = np.zeros((2, lanes), np.float32)
        x = self.volume.padded
        #: What the kernels see of it.
        self.arrays = TvmTile(x.reshape(-1), x.shape[1] * lanes, p, radii, q, prior_radii, slope)

    def begin_at(self, dual: Floats, slope: Floats) -> None:
        """Set the data's dual variable, and what the adjoint of the projections makes of it."""
        n_slices = dual.shape[2]
        self.dual[:, :, :n_slices] = dual
        self.arrays.slope.reshape(*slope.shape[:2], -1)[:, :, :n_slices] = slope


class ProcessorTvm:
    """The sweeps of total-variation minimisation; see `TvmSweeps`.

    Parameters
    ----------
    problem : TvmProblem
        Of numpy arrays.
    slope : ndarray, float32, (depth, width, n_slices), optional
        The adjoint of the problem's dual variable, if it has one.
    """

    def __init__(self, problem: TvmProblem, slope: Floats | None) -> None:
        rays, sinogram = problem.rays, problem.sinogram
        self.subsets, self.dual, self.share = problem.steps, problem.dual, np.float32(problem.share)
        self.steps = Steps(
            np.float32(problem.sigma),
            problem.tau[:, :, 0],
            np.float32(len(problem.steps)),
            np.float32(problem.lowest),
        )
        self.x = np.zeros((rays.depth, rays.width, sinogram.shape[2]), np.float32)
        self.strips = list(iter_strips(sinogram.shape[2], TVM_LANES))
        self.tiles = [
            _Tile(
                rays,
                sinogram[:, :, strip],
                None if problem.x0 is None else problem.x0[:, :, strip],
                None if problem.prior is None else problem.prior[:, :, strip],
            )
            for strip in self.strips
        ]
        for tile, strip in zip(self.tiles, self.strips, strict=True):
            np.maximum(tile.volume.values, self.steps.floor, out=tile.volume.values)
            if problem.dual is not None and slope is not None:
                tile.begin_at(problem.dual[:, :, strip], slope[:, :, strip])
        # One core a tile where there are enough of them, several for each tile elsewhere, if it is
        # large: what one of them changes, the other has to fetch from its cache in the next step.
        most = max((tile.volume.lanes for tile in self.tiles), default=0) * rays.depth * rays.width
        shares = count_shares(problem.steps[0].rays.n_tilts * most)
        self.n_shares = 1 if len(self.tiles) >= available_cores() else shares

    def sweep(self, weights: Floats, *, is_last: bool) -> Floats:
        """Take every step once; see `TvmSweeps`."""
        tasks = [
            partial(self._sweep, tile, strip, weights[strip], is_last)
            for tile, strip in zip(self.tiles, self.strips, strict=True)
        ]
        run(tasks, parallel=self.n_shares == 1)
        squares = [
            tile.squares[: strip.stop - strip.start]
            for tile, strip in zip(self.tiles, self.strips, strict=True)
        ]
        return np.concatenate(squares)

    def _sweep(self, tile: _Tile, strip: slice, weights: Floats, is_last: bool) -> None:
        tile.squares[:] = 0.0
        tile.arrays.radii[: weights.size] = weights * (1 - self.share)
        tile.arrays.prior_radii[: weights.size] = weights * self.share
        for subset in self.subsets:
            rows = SinogramTile(subset.rays, subset.rays.half_widths, strip.stop - strip.start)
            self._step_dual(tile, subset, rows)
            if subset is self.subsets[-1]:
                self.x[:, :, strip] = tile.volume.values
                if is_last:
                    if self.dual is not None:
                        self.dual[:, :, strip] = tile.dual[:, :, : strip.stop - strip.start]
                    return
            self._step_primal(tile, rows)

    def _step_dual(self, tile: _Tile, subset: DualStep, rows: SinogramTile) -> None:
        """Put the change of the data's dual variable into `rows`."""
        run(
            (
                partial(tile.volume.project, subset.rays, tilts, rows.values)
                for tilts in cut_shares(subset.rays.n_tilts, self.n_shares)
            ),
            parallel=self.n_shares > 1,
        )
        measured, dual = tile.measured[subset.tilts], tile.dual[subset.tilts]
        advance_dual(
            vectors(rows.lanes), rows.padded.reshape(-1), rows.padded.shape[1] * rows.lanes,
            measured.reshape(-1), subset.rates, subset.common, dual.reshape(-1), tile.squares,
        )  # fmt: skip
        tile.dual[subset.tilts] = dual

    def _step_primal(self, tile: _Tile, rows: SinogramTile) -> None:
        """Share the rows of z among the cores; each is told what its neighbours will change."""
        n_rows, n_across = self.steps.tau.shape
        lanes, x = rows.lanes, tile.volume.padded
        tasks = []
        for part in cut_shares(n_rows, self.n_shares, SQUARE):
            start, stop = int(part[0]), int(part[-1]) + 1
            above = make_aligned_zeros((n_across * lanes,))
            if start > 0:
                extrapolate_row(
                    vectors(lanes), self.steps.sigma, tile.arrays, tile.prior,
                    start - 1, n_across, above,
                )  # fmt: skip
            below = x[stop + 1, 1 : n_across + 1].reshape(-1).copy()
            tasks.append(
                partial(
                    descend_tvm, vectors(lanes), rows.detector, tile.arrays, self.steps,
                    tile.prior, start, stop, (above, below),
                )
            )  # fmt: skip
        run(tasks, parallel=self.n_shares > 1)
