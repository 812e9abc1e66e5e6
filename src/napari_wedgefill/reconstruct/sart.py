"""SART and SIRT: algebraic reconstruction with row and column sums as weights.

This file chooses the steps and their weights, and when to stop; a backend of the projector takes
the steps (`Processor.begin_algebraic` and its like).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from ..projector.arrays import Array
from ..projector.backend import AlgebraicStep
from .sweeps import Sweep

Floats = NDArray[np.float32]

#: Tilts taken at once by SART. One at a time streams the volume from memory for every tilt; four
#: fill the projector's group and converge as well.
TILTS_A_STEP = 4


def iter_sart(
    beam: ParallelBeam,
    sinogram: Array,
    n_sweeps: int = 10,
    *,
    relaxation: float = 1.0,
    x0: Array | None = None,
    nonnegative: bool = True,
    stop_at: float | Floats | None = None,
    ray_lengths: Floats | None = None,
) -> Iterator[Sweep]:
    """Simultaneous algebraic reconstruction, a few tilts at a time.

    Parameters
    ----------
    beam : ParallelBeam
        The geometry.
    sinogram : ndarray or torch tensor, float32, (n_tilts, width, n_slices)
        Measured path integrals.
    n_sweeps : int
        Passes over all tilts.
    relaxation : float
        Step, between 0 and 2; smaller steps converge more slowly and pick up less noise.
    x0 : of the sinogram's kind, float32, (depth, width, n_slices), optional
        Where to start; zero by default. Not modified.
    nonnegative : bool
        Clip negative densities after each step.
    stop_at : float or ndarray, (n_slices,), optional
        Noise of the path integrals, as a standard deviation. A slice is left alone once what it
        leaves unexplained is no larger (the discrepancy principle): from there on a solver fits
        noise. `n_sweeps` is then the most that any slice gets.
    ray_lengths : ndarray, float32, (n_tilts, width, 1), optional
        Lengths of the rays in a field of which the volume is a part; by default, in the volume. A
        residual is shared out over them: with the shorter rays of a smaller volume each sweep
        would go further, and where there is much noise, into it.

    Yields
    ------
    Sweep
        After each pass; fewer than `n_sweeps` if every slice stopped before.

    References
    ----------
    A. H. Andersen and A. C. Kak, Ultrasonic Imaging 6, 81-94 (1984); V. A. Morozov, Soviet Math.
    Dokl. 7, 414-417 (1966) (when to stop).
    """
    steps = weigh_steps(beam, sinogram, spread_steps(beam.n_tilts), relaxation, ray_lengths)
    yield from _iterate(beam, steps, n_sweeps, x0, nonnegative, stop_at)


def spread_steps(n_tilts: int) -> list[NDArray[np.intp]]:
    """Share the tilts among steps of about `TILTS_A_STEP`, in a good order of steps.

    Strides spread each step's tilts over the whole range, so that no direction leads, and steps
    that follow each other lie far apart.
    """
    n_steps = max(1, n_tilts // TILTS_A_STEP)
    order = np.argsort((np.arange(n_steps) * 0.6180339887) % 1.0)
    return [np.arange(n_tilts)[first::n_steps] for first in order]


def iter_sirt(
    beam: ParallelBeam,
    sinogram: Array,
    n_sweeps: int = 50,
    *,
    relaxation: float = 1.0,
    x0: Array | None = None,
    nonnegative: bool = True,
    stop_at: float | Floats | None = None,
    ray_lengths: Floats | None = None,
) -> Iterator[Sweep]:
    """Simultaneous iterative reconstruction: all tilts at once; parameters as `iter_sart`.

    References
    ----------
    J. Gregor and T. Benson, IEEE Trans. Med. Imaging 27, 918-924 (2008).
    """
    steps = weigh_steps(beam, sinogram, [np.arange(beam.n_tilts)], relaxation, ray_lengths)
    yield from _iterate(beam, steps, n_sweeps, x0, nonnegative, stop_at)


def weigh_steps(
    beam: ParallelBeam,
    sinogram: Array,
    groups: list[NDArray[np.intp]],
    relaxation: float,
    ray_lengths: Floats | None = None,
) -> list[AlgebraicStep]:
    """Return a step for each of some groups of tilts, with row and column sums as weights.

    Parameters
    ----------
    beam : ParallelBeam
        Of all tilts.
    sinogram : array, float32, (n_tilts, width, n_slices)
        Of all tilts.
    groups : list of ndarray of int
        The tilts of each step.
    relaxation : float
        Factor on the steps.
    ray_lengths : ndarray, float32, (n_tilts, width, 1), optional
        As in `iter_sart`.
    """
    backend = beam.backend_for(sinogram)
    lengths = beam.ray_lengths if ray_lengths is None else ray_lengths
    # A slice for each step, in which only its own tilts see anything: one back projection for all.
    seen = np.zeros((beam.n_tilts, beam.width, len(groups)), np.float32)
    for k, tilts in enumerate(groups):
        seen[tilts, :, k] = 1.0
    coverage = backend.adjoint(beam.rays, backend.convert_like(seen, sinogram))
    coverage = backend.make_contiguous(backend.xp.moveaxis(coverage, 2, 0))
    steps = []
    for tilts, often in zip(groups, coverage, strict=True):
        is_whole = tilts.size == beam.n_tilts
        rows = 1.0 / np.maximum(lengths[tilts], 1.0)
        steps.append(
            AlgebraicStep(
                (beam if is_whole else beam.subset(tilts)).rays,
                sinogram if is_whole else sinogram[tilts],
                backend.convert_like(rows, sinogram),
                (relaxation / often.clip(1e-2, None))[:, :, None],
            )
        )
    return steps


def _iterate(
    beam: ParallelBeam,
    steps: list[AlgebraicStep],
    n_sweeps: int,
    x0: Array | None,
    nonnegative: bool,
    stop_at: float | Floats | None,
) -> Iterator[Sweep]:
    """Yield after each sweep, until every slice has come down to its noise."""
    measured = steps[0].measured
    solver = beam.backend_for(measured).begin_algebraic(steps, x0, 0.0 if nonnegative else -np.inf)
    active = None if stop_at is None else np.ones(measured.shape[2], bool)
    for done in range(1, n_sweeps + 1):
        squares = solver.sweep(active)
        if active is not None and squares is not None:
            unexplained = np.sqrt(squares / (beam.n_tilts * beam.width))
            active &= unexplained > np.asarray(stop_at)
        yield Sweep(done, n_sweeps, solver.x)
        if active is not None and not active.any():
            return
