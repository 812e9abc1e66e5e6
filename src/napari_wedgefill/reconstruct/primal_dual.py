"""The passes of total-variation minimisation: tiles of slices that go through sweeps of steps.

Slices do not see each other, so a tile goes through a whole sweep on one core before the next. It
is narrow, for a step touches four arrays of the volume's size, and what fits into the third-level
cache need not be fetched from memory for every four tilts.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from ..projector.adjoint_kernels import SQUARE
from ..projector.threads import available_cores, run, shares
from ..projector.tiles import SinogramTile, VolumeTile
from ..projector.vectors import aligned_zeros, vectors
from .dual_field import extrapolate_row
from .dual_steps import FASTER, dual_steps
from .fused import descend, dual_step

Floats = NDArray[np.float32]

#: Slices in a full tile.
TILE_LANES = 32


def gradient_unit(beam: ParallelBeam) -> float:
    """Scale of the gradient beside the projections, so that neither operator dwarfs the other."""
    return float(np.sqrt(beam.n_tilts))


class _Subset:
    """Some of the tilts, and the dual steps of their rays."""

    def __init__(
        self, beam: ParallelBeam, tilts: NDArray[np.intp], balance: float, faster: float
    ) -> None:
        self.tilts, self.beam = tilts, beam.subset(tilts)
        self.rates, self.common = dual_steps(self.beam, balance, faster)
        self.half_widths = np.maximum(np.abs(self.beam.cosines), np.abs(self.beam.sines))


class _Tile:
    """A few slices of the volume, of its dual variables, and of what was measured."""

    def __init__(
        self, beam: ParallelBeam, sinogram: Floats, x0: Floats | None, prior: Floats | None
    ) -> None:
        n_slices = sinogram.shape[2]
        self.volume = VolumeTile(beam.depth, beam.width, n_slices)
        if x0 is not None:
            self.volume.values[:] = x0
        lanes = self.volume.lanes
        #: The dual field of the total variation; it absorbs the scale of the gradient.
        self.p = aligned_zeros((beam.depth * beam.width * 2 * lanes,))
        #: The prior, and the dual field of the difference from it.
        self.prior: Floats | None = None
        self.q = self.p
        if prior is not None:
            self.prior = VolumeTile.of(prior).padded.reshape(-1)
            self.q = aligned_zeros(self.p.shape)
        #: A.T of the data's dual variable.
        self.slope = aligned_zeros((beam.depth * beam.width * lanes,))
        self.measured = aligned_zeros((beam.n_tilts, beam.width, lanes))
        self.measured[:, :, :n_slices] = sinogram
        self.dual = np.zeros_like(self.measured)
        self.squares = np.zeros(lanes, np.float32)
        self.radii, self.prior_radii = np.zeros((2, lanes), np.float32)

    def begin_at(self, dual: Floats, slope: Floats) -> None:
        """Set the data's dual variable, and what the adjoint of the projections makes of it."""
        n_slices = dual.shape[2]
        self.dual[:, :, :n_slices] = dual
        self.slope.reshape(*slope.shape[:2], -1)[:, :, :n_slices] = slope


class PrimalDual:
    """A volume that approaches the minimum, sweep by sweep.

    Parameters
    ----------
    beam : ParallelBeam
        Of all tilts.
    sinogram : ndarray, float32, (n_tilts, width, n_slices)
        Measured path integrals.
    steps : list of ndarray of int
        The tilts of each step, in the order in which a sweep takes them.
    balance : float
        Ratio of the primal to the dual step.
    x0 : ndarray, float32, (depth, width, n_slices), optional
        Where to start; zero by default. Not modified.
    nonnegative : bool
        Constrain the densities to be at least zero.
    prior : ndarray, float32, (depth, width, n_slices), optional
        A volume to stay near to.
    share : float
        Share of the total variation that is of the difference from the prior, 0 to 1.
    dual : ndarray, float32, (n_tilts, width, n_slices), optional
        Where the dual variable of the data starts; the last sweep overwrites it.
    faster : float
        See `dual_steps`.

    Attributes
    ----------
    x : ndarray, float32, (depth, width, n_slices)
        The volume after the last sweep.
    """

    def __init__(
        self,
        beam: ParallelBeam,
        sinogram: Floats,
        steps: list[NDArray[np.intp]],
        balance: float,
        x0: Floats | None,
        nonnegative: bool,
        prior: Floats | None = None,
        share: float = 0.0,
        dual: Floats | None = None,
        faster: float = FASTER,
    ) -> None:
        n_slices = sinogram.shape[2]
        self.subsets = [_Subset(beam, tilts, balance, faster) for tilts in steps]
        # Row and column sums of |A| stacked on the gradient (2 a row, 4 a column); with a prior
        # there are two gradients, and each takes half the step.
        unit = gradient_unit(beam)
        self.sigma = np.float32(unit / (balance * (2.0 if prior is None else 4.0)))
        self.tau = (balance / (beam.voxel_coverage[:, :, 0] + 4.0 * unit)).astype(np.float32)
        self.floor = np.float32(0.0 if nonnegative else -np.inf)
        self.share = np.float32(share)
        self.x = np.zeros((beam.depth, beam.width, n_slices), np.float32)
        starts = range(0, n_slices, TILE_LANES)
        self.strips = [slice(s, min(s + TILE_LANES, n_slices)) for s in starts]
        self.tiles = [
            _Tile(
                beam,
                sinogram[:, :, strip],
                None if x0 is None else x0[:, :, strip],
                None if prior is None else prior[:, :, strip],
            )
            for strip in self.strips
        ]
        for tile in self.tiles:
            np.maximum(tile.volume.values, self.floor, out=tile.volume.values)
        self.dual = dual
        if dual is not None:
            slope = beam.T(dual)
            for tile, strip in zip(self.tiles, self.strips, strict=True):
                tile.begin_at(dual[:, :, strip], slope[:, :, strip])
        # One core a tile where there are enough of them, all cores for each tile elsewhere.
        self.n_shares = 1 if len(self.tiles) >= available_cores() else available_cores()

    def sweep(self, weights: Floats, *, is_last: bool) -> Floats:
        """Take every step once.

        Parameters
        ----------
        weights : ndarray, float32, (n_slices,)
            Of the total variation.
        is_last : bool
            Nothing follows, so what only the next sweep would see is left out.

        Returns
        -------
        ndarray, float32, (n_slices,)
            Sum of the squares that each slice left unexplained.
        """
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
        tile.radii[: weights.size] = weights * (1 - self.share)
        tile.prior_radii[: weights.size] = weights * self.share
        for subset in self.subsets:
            rows = SinogramTile(subset.beam, subset.half_widths, strip.stop - strip.start)
            self._dual_step(tile, subset, rows)
            if subset is self.subsets[-1]:
                self.x[:, :, strip] = tile.volume.values
                if is_last:
                    if self.dual is not None:
                        self.dual[:, :, strip] = tile.dual[:, :, : strip.stop - strip.start]
                    return
            self._primal_step(tile, rows)

    def _dual_step(self, tile: _Tile, subset: _Subset, rows: SinogramTile) -> None:
        """Put the change of the data's dual variable into `rows`."""
        run(
            (
                partial(tile.volume.project, subset.beam, tilts, rows.values)
                for tilts in shares(subset.beam.n_tilts, self.n_shares)
            ),
            parallel=self.n_shares > 1,
        )
        measured, dual = tile.measured[subset.tilts], tile.dual[subset.tilts]
        dual_step(
            vectors(rows.lanes), rows.padded.reshape(-1), rows.padded.shape[1] * rows.lanes,
            measured.reshape(-1), subset.rates, subset.common, dual.reshape(-1), tile.squares,
        )  # fmt: skip
        tile.dual[subset.tilts] = dual

    def _primal_step(self, tile: _Tile, rows: SinogramTile) -> None:
        """Share the rows of z among the cores; each is told what its neighbours will change."""
        n_rows, n_across = self.tau.shape
        lanes, x = rows.lanes, tile.volume.padded
        flat, row_step = x.reshape(-1), x.shape[1] * lanes
        tasks = []
        for part in shares(n_rows, self.n_shares, SQUARE):
            start, stop = int(part[0]), int(part[-1]) + 1
            above = aligned_zeros((n_across * lanes,))
            if start > 0:
                extrapolate_row(
                    vectors(lanes), self.sigma, tile.radii, flat, row_step, tile.p, tile.prior,
                    tile.prior_radii, tile.q, start - 1, n_across, above,
                )  # fmt: skip
            below = x[stop + 1, 1 : n_across + 1].reshape(-1).copy()
            tasks.append(
                partial(
                    descend, vectors(lanes), rows.padded.reshape(-1), *rows.rays,
                    np.float32(len(self.subsets)), self.sigma, tile.radii, self.tau, self.floor,
                    flat, row_step, tile.p, tile.prior, tile.prior_radii, tile.q, tile.slope,
                    start, stop, above, below,
                )
            )  # fmt: skip
        run(tasks, parallel=self.n_shares > 1)
