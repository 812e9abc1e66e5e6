"""The common part of SART and SIRT: tiles of slices that go through sweeps of weighted steps."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from ..projector.adjoint_kernels import SQUARE
from ..projector.threads import available_cores, run, shares
from ..projector.tiles import SinogramTile, VolumeTile
from .sweeps import Sweep

Floats = NDArray[np.float32]


class Step:
    """Some tilts, what was measured there, and the weights of one step.

    Parameters
    ----------
    beam : ParallelBeam
        Of all tilts.
    sinogram : ndarray, float32, (n_tilts, width, n_slices)
        Of all tilts.
    tilts : ndarray of int
        Those of this step.
    coverage : ndarray, float32, (depth, width)
        How often these tilts see each voxel.
    relaxation : float
        Factor on the step.
    """

    def __init__(
        self,
        beam: ParallelBeam,
        sinogram: Floats,
        tilts: NDArray[np.intp],
        coverage: Floats,
        relaxation: float,
    ) -> None:
        is_whole = tilts.size == beam.n_tilts
        self.beam = beam if is_whole else beam.subset(tilts)
        self.measured = sinogram if is_whole else sinogram[tilts]
        self.rows = (1.0 / np.maximum(beam.ray_lengths[tilts], 1.0)).astype(np.float32)
        self.columns = (relaxation / np.maximum(coverage, 1e-2)).astype(np.float32)
        self.half_widths = np.maximum(np.abs(self.beam.cosines), np.abs(self.beam.sines))


def steps_of(
    beam: ParallelBeam, sinogram: Floats, shared: list[NDArray[np.intp]], relaxation: float
) -> list[Step]:
    """Return a step for each of some groups of tilts; parameters as `Step`."""
    # A slice for each step, in which only its own tilts see anything: one back projection for all.
    seen = np.zeros((beam.n_tilts, beam.width, len(shared)), np.float32)
    for k, tilts in enumerate(shared):
        seen[tilts, :, k] = 1.0
    coverage = np.ascontiguousarray(beam.T(seen).transpose(2, 0, 1))
    return [
        Step(beam, sinogram, tilts, part, relaxation)
        for tilts, part in zip(shared, coverage, strict=True)
    ]


class Algebraic:
    """A volume that approaches the measurements, sweep by sweep.

    Parameters
    ----------
    beam : ParallelBeam
        Of all tilts.
    steps : list of Step
        In the order in which a sweep takes them.
    x0 : ndarray, float32, (depth, width, n_slices), optional
        Where to start; zero by default. Not modified.
    nonnegative : bool
        Clip negative densities after each step.
    lanes : int
        Slices in a full tile.
    """

    def __init__(
        self,
        beam: ParallelBeam,
        steps: list[Step],
        x0: Floats | None,
        nonnegative: bool,
        lanes: int,
    ) -> None:
        self.steps = steps
        self.floor = 0.0 if nonnegative else -np.inf
        self.n_rows = beam.n_tilts * beam.width
        n_slices = steps[0].measured.shape[2]
        self.x = np.zeros((beam.depth, beam.width, n_slices), np.float32)
        self.strips = [slice(s, min(s + lanes, n_slices)) for s in range(0, n_slices, lanes)]
        self.tiles = [
            VolumeTile(beam.depth, beam.width, strip.stop - strip.start) for strip in self.strips
        ]
        if x0 is not None:
            self.x[:] = x0
            for tile, strip in zip(self.tiles, self.strips, strict=True):
                tile.values[:] = x0[:, :, strip]
        #: Slices that still move.
        self.active = np.ones(n_slices, bool)
        #: Sum of squares that each slice left unexplained on the last sweep.
        self.squares = np.zeros(n_slices, np.float64)

    def sweeps(self, n_sweeps: int, stop_at: float | Floats | None) -> Iterator[Sweep]:
        """Yield after each sweep, until every slice has come down to its noise."""
        # One core a tile where there are enough of them, all cores for each tile elsewhere.
        n_shares = 1 if len(self.tiles) >= available_cores() else available_cores()
        for done in range(1, n_sweeps + 1):
            tasks = [partial(self._sweep, k, n_shares) for k in range(len(self.tiles))]
            run(tasks, parallel=n_shares == 1)
            if stop_at is not None:
                unexplained = np.sqrt(self.squares / self.n_rows)
                self.active &= unexplained > np.asarray(stop_at)
            yield Sweep(done, n_sweeps, self.x)
            if not self.active.any():
                return

    def _sweep(self, k: int, n_shares: int) -> None:
        tile, strip = self.tiles[k], self.strips[k]
        active = self.active[strip]
        if not active.any():
            return
        squares = np.zeros(active.size, np.float64)
        for step in self.steps:
            rows = SinogramTile(step.beam, step.half_widths, active.size)
            residual = rows.values
            run(
                (
                    partial(tile.project, step.beam, tilts, residual)
                    for tilts in shares(step.beam.n_tilts, n_shares)
                ),
                parallel=n_shares > 1,
            )
            np.subtract(step.measured[:, :, strip], residual, out=residual)
            squares += np.einsum("tus,tus->s", residual, residual)
            residual *= step.rows
            if not active.all():
                residual *= active
            run(
                (
                    partial(tile.descend, rows, step.columns, self.floor, part[0], part[-1] + 1)
                    for part in shares(tile.depth, n_shares, SQUARE)
                ),
                parallel=n_shares > 1,
            )
        self.squares[strip] = np.where(active, squares, self.squares[strip])
        self.x[:, :, strip] = tile.values
