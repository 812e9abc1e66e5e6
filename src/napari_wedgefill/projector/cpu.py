"""`ParallelBeam` on the CPU: cut slices into strips, share them among the cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from .adjoint_kernels import SQUARE
from .numba_kernels import LANES
from .threads import available_cores, run_on_cores, shares
from .tiles import SinogramTile, VolumeTile

if TYPE_CHECKING:
    from .parallel_beam import ParallelBeam

Floats = NDArray[np.float32]
Tile = TypeVar("Tile")


def forward(beam: ParallelBeam, x: Floats) -> Floats:
    """Project (depth, width, n_slices) to (n_tilts, width, n_slices)."""
    x = np.asarray(x, dtype=np.float32)
    out = np.empty((beam.n_tilts, beam.width, x.shape[2]), np.float32)

    def project(tile: VolumeTile, tilts: NDArray[np.intp], strip: slice) -> None:
        tile.project(beam, tilts, out[:, :, strip])

    _share(x.shape[2], beam.n_tilts, 1, lambda strip: VolumeTile.of(x[:, :, strip]), project)
    return out


def adjoint(beam: ParallelBeam, y: Floats, half_widths: NDArray[np.float64]) -> Floats:
    """Back project (n_tilts, width, n_slices) to (depth, width, n_slices)."""
    y = np.asarray(y, dtype=np.float32)
    out = np.empty((beam.depth, beam.width, y.shape[2]), np.float32)

    def load(strip: slice) -> SinogramTile:
        rows = y[:, :, strip]
        tile = SinogramTile(beam, half_widths, rows.shape[2])
        tile.values[:] = rows
        return tile

    def gather(tile: SinogramTile, rows: NDArray[np.intp], strip: slice) -> None:
        tile.back_project(rows, out[:, :, strip])

    _share(y.shape[2], beam.depth, SQUARE, load, gather)
    return out


def _share(
    n_slices: int,
    n_parts: int,
    unit: int,
    load: Callable[[slice], Tile],
    work: Callable[[Tile, NDArray[np.intp], slice], None],
) -> None:
    """Do all parts of all strips, `unit` parts at least together.

    A strip is split only when there are fewer strips than cores.
    """
    strips = list(_strips(n_slices))
    if len(strips) >= available_cores():

        def whole(strip: slice) -> None:
            work(load(strip), np.arange(n_parts), strip)

        run_on_cores(partial(whole, strip) for strip in strips)
        return
    n_shares = -(-available_cores() // len(strips)) if strips else 1
    tiles = [load(strip) for strip in strips]
    run_on_cores(
        partial(work, tile, share, strip)
        for tile, strip in zip(tiles, strips, strict=True)
        for share in shares(n_parts, n_shares, unit)
    )


def _strips(n_slices: int) -> Iterator[slice]:
    return (slice(start, start + LANES) for start in range(0, n_slices, LANES))
