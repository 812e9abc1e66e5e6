"""SART and SIRT: algebraic reconstruction with row and column sums as weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from .fused import descend
from .sweeps import Sweep

Floats = NDArray[np.float32]

#: Tilts taken at once by SART. One at a time streams the volume from memory for every tilt; four
#: fill the projector's group and converge alike.
TILTS_A_STEP = 4


def iter_sart(
    beam: ParallelBeam,
    sinogram: Floats,
    n_sweeps: int = 10,
    *,
    relaxation: float = 1.0,
    x0: Floats | None = None,
    nonnegative: bool = True,
) -> Iterator[Sweep]:
    """Simultaneous algebraic reconstruction, a few tilts at a time.

    Parameters
    ----------
    beam : ParallelBeam
        The geometry.
    sinogram : ndarray, float32, (n_tilts, width, n_slices)
        Measured path integrals.
    n_sweeps : int
        Passes over all tilts.
    relaxation : float
        Step, between 0 and 2; smaller steps converge more slowly and pick up less noise.
    x0 : ndarray, float32, (depth, width, n_slices), optional
        Where to start; zero by default. Not modified.
    nonnegative : bool
        Clip negative densities after each step.

    Yields
    ------
    Sweep
        After each pass.

    References
    ----------
    A. H. Andersen and A. C. Kak, Ultrasonic Imaging 6, 81-94 (1984).
    """
    n_steps = max(1, beam.n_tilts // TILTS_A_STEP)
    # Strides spread each step's tilts over the whole range, so that no direction leads.
    steps = [np.arange(beam.n_tilts)[first::n_steps] for first in range(n_steps)]
    order = np.argsort((np.arange(n_steps) * 0.6180339887) % 1.0)
    operators = [beam.subset(steps[i]) for i in order]
    parts = [sinogram[steps[i]] for i in order]
    yield from _iterate(operators, parts, n_sweeps, relaxation, x0, nonnegative)


def iter_sirt(
    beam: ParallelBeam,
    sinogram: Floats,
    n_sweeps: int = 50,
    *,
    relaxation: float = 1.0,
    x0: Floats | None = None,
    nonnegative: bool = True,
) -> Iterator[Sweep]:
    """Simultaneous iterative reconstruction: all tilts at once; parameters as `iter_sart`.

    References
    ----------
    J. Gregor and T. Benson, IEEE Trans. Med. Imaging 27, 918-924 (2008).
    """
    yield from _iterate([beam], [sinogram], n_sweeps, relaxation, x0, nonnegative)


def _iterate(
    operators: list[ParallelBeam],
    parts: list[Floats],
    n_sweeps: int,
    relaxation: float,
    x0: Floats | None,
    nonnegative: bool,
) -> Iterator[Sweep]:
    beam = operators[0]
    shape = (beam.depth, beam.width, parts[0].shape[2])
    x = np.zeros(shape, np.float32) if x0 is None else np.array(x0, np.float32, order="C")
    weights = [
        (
            1.0 / np.maximum(A.ray_lengths, 1.0),
            (relaxation / np.maximum(A.voxel_coverage, 1e-2)).astype(np.float32),
        )
        for A in operators
    ]
    for sweep in range(n_sweeps):
        for A, measured, (rows, columns) in zip(operators, parts, weights, strict=True):
            residual = A(x)
            np.subtract(measured, residual, out=residual)
            residual *= rows
            descend(x, A.T(residual), columns, nonnegative)
        yield Sweep(sweep + 1, n_sweeps, x)
