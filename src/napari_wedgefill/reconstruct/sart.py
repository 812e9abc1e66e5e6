"""SART and SIRT: algebraic reconstruction with row and column sums as weights.

Slices do not see each other, so a tile of slices goes through a whole sweep on one core before the
next: its volume stays near that core, where a pass over all slices for every four tilts would wait
for memory.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from ..projector.arrays import Array
from ..projector.numba_kernels import LANES
from .algebraic import Algebraic, steps_of
from .sweeps import Sweep

Floats = NDArray[np.float32]

#: Tilts taken at once by SART. One at a time streams the volume from memory for every tilt; four
#: fill the projector's group and converge alike.
TILTS_A_STEP = 4
#: Slices in a full tile of SART: half a strip, for the volume passes by once for every four tilts,
#: and less of it waits for memory.
TILE_LANES = LANES // 2


def iter_sart(
    beam: ParallelBeam,
    sinogram: Array,
    n_sweeps: int = 10,
    *,
    relaxation: float = 1.0,
    x0: Array | None = None,
    nonnegative: bool = True,
    stop_at: float | Floats | None = None,
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
        noise. `n_sweeps` is then the most that any slice gets. Of arrays only.

    Yields
    ------
    Sweep
        After each pass; fewer than `n_sweeps` if every slice stopped before.

    References
    ----------
    A. H. Andersen and A. C. Kak, Ultrasonic Imaging 6, 81-94 (1984); V. A. Morozov, Soviet Math.
    Dokl. 7, 414-417 (1966) (when to stop).
    """
    if not isinstance(sinogram, np.ndarray):
        from . import tensors

        yield from tensors.iter_sart(
            beam, sinogram, n_sweeps, relaxation=relaxation, x0=x0, nonnegative=nonnegative
        )
        return
    steps = steps_of(beam, sinogram, spread_steps(beam.n_tilts), relaxation)
    yield from Algebraic(beam, steps, x0, nonnegative, TILE_LANES).sweeps(n_sweeps, stop_at)


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
) -> Iterator[Sweep]:
    """Simultaneous iterative reconstruction: all tilts at once; parameters as `iter_sart`.

    References
    ----------
    J. Gregor and T. Benson, IEEE Trans. Med. Imaging 27, 918-924 (2008).
    """
    if not isinstance(sinogram, np.ndarray):
        from . import tensors

        yield from tensors.iter_sirt(
            beam, sinogram, n_sweeps, relaxation=relaxation, x0=x0, nonnegative=nonnegative
        )
        return
    steps = steps_of(beam, sinogram, [np.arange(beam.n_tilts)], relaxation)
    yield from Algebraic(beam, steps, x0, nonnegative, LANES).sweeps(n_sweeps, stop_at)
