"""`ParallelBeam` on the CPU: cut slices into strips, share them among the cores."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..geometry import centre
from .numba_kernels import GROUP, LANES, adjoint_rays, forward_rays
from .threads import available_cores, run_on_cores

if TYPE_CHECKING:
    from .parallel_beam import ParallelBeam

Floats = NDArray[np.float32]


def forward(beam: ParallelBeam, x: Floats) -> Floats:
    """Project (depth, width, n_slices) to (n_tilts, width, n_slices)."""
    x = np.asarray(x, dtype=np.float32)
    out = np.empty((beam.n_tilts, beam.width, x.shape[2]), np.float32)
    shallow = np.abs(beam.cosines) >= np.abs(beam.sines)
    tasks = []
    for start in range(0, x.shape[2], LANES):
        # A ray is sampled once a row: rows of constant z for shallow tilts, of constant x for
        # steep ones. The transposed copy keeps both contiguous.
        for tilts, transposed in ((shallow, False), (~shallow, True)):
            indices = np.flatnonzero(tilts)
            for part in _shares(indices, x.shape[2]):
                tasks.append(partial(_forward_strip, beam, x, start, part, transposed, out))
    run_on_cores(tasks)
    return out


def adjoint(beam: ParallelBeam, y: Floats, half_widths: NDArray[np.float64]) -> Floats:
    """Back project (n_tilts, width, n_slices) to (depth, width, n_slices)."""
    y = np.asarray(y, dtype=np.float32)
    out = np.empty((beam.depth, beam.width, y.shape[2]), np.float32)
    tasks = []
    for start in range(0, y.shape[2], LANES):
        for part in _shares(np.arange(beam.depth), y.shape[2]):
            tasks.append(partial(_adjoint_strip, beam, y, half_widths, start, part, out))
    run_on_cores(tasks)
    return out


def _shares(indices: NDArray[np.intp], n_slices: int) -> list[NDArray[np.intp]]:
    """Split the work inside a strip only when there are fewer strips than cores."""
    n_strips = -(-n_slices // LANES)
    n_shares = max(1, -(-available_cores() // n_strips))
    return [part for part in np.array_split(indices, n_shares) if part.size]


def _forward_strip(
    beam: ParallelBeam,
    x: Floats,
    start: int,
    tilts: NDArray[np.intp],
    transposed: bool,
    out: Floats,
) -> None:
    strip = x[:, :, start : start + LANES]
    along, across = beam.sines[tilts], beam.cosines[tilts]
    if transposed:
        strip, along, across = strip.transpose(1, 0, 2), across, along
    n_rows, n_across, lanes = strip.shape
    rows = np.zeros((_up_to_group(n_rows), n_across + 2, lanes), np.float32)
    rows[:n_rows, 1:-1] = strip
    result = np.empty((tilts.size, beam.width, lanes), np.float32)
    forward_rays(lanes)(rows, centre(n_rows), along, across, beam.axis_u, result)
    out[tilts, :, start : start + LANES] = result


def _adjoint_strip(
    beam: ParallelBeam,
    y: Floats,
    half_widths: NDArray[np.float64],
    start: int,
    rows: NDArray[np.intp],
    out: Floats,
) -> None:
    n_angles = _up_to_group(beam.n_tilts)
    strip = y[:, :, start : start + LANES]
    lanes = strip.shape[2]
    sinogram = np.zeros((n_angles, beam.width + 3, lanes), np.float32)
    sinogram[: beam.n_tilts, 1:-2] = strip
    # The angles that fill up the last group meet zeros; theirs must only be finite.
    cosines, sines, widths = np.ones((3, n_angles))
    cosines[: beam.n_tilts], sines[: beam.n_tilts] = beam.cosines, beam.sines
    widths[: beam.n_tilts] = half_widths
    # Blocks of rows small enough to stay in L2 while the angles pass by.
    block = max(1, 131072 // (beam.width * LANES * 4))
    result = np.empty((block, beam.width, lanes), np.float32)
    for first in range(rows[0], rows[-1] + 1, block):
        n = min(block, rows[-1] + 1 - first)
        adjoint_rays(lanes)(
            sinogram, cosines, sines, widths, beam.axis_u, first, centre(beam.depth), result[:n]
        )
        out[first : first + n, :, start : start + LANES] = result[:n]


def _up_to_group(n: int) -> int:
    return -(-n // GROUP) * GROUP
