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
Indices = NDArray[np.intp]
Tile = TypeVar("Tile")


def forward(beam: ParallelBeam, x: Floats) -> Floats:
    """Project (depth, width, n_slices) to (n_tilts, width, n_slices)."""
    x = np.asarray(x, dtype=np.float32)
    out = np.empty((beam.n_tilts, beam.width, x.shape[2]), np.float32)

    def project(tile: VolumeTile, tilts: Indices, strip: slice) -> None:
        tile.project(beam, tilts, out[:, :, strip])

    _share(x.shape[2], lambda strip: VolumeTile.of(x[:, :, strip]), (beam.n_tilts, 1, project))
    return out


def adjoint(beam: ParallelBeam, y: Floats, half_widths: NDArray[np.float64]) -> Floats:
    """Back project (n_tilts, width, n_slices) to (depth, width, n_slices)."""
    y = np.asarray(y, dtype=np.float32)

    def copy(tile: SinogramTile, tilts: Indices, strip: slice) -> None:
        tile.values[tilts] = y[tilts, :, strip]

    return back_project(beam, y.shape[2], half_widths, copy)


def back_project(
    beam: ParallelBeam,
    n_slices: int,
    half_widths: NDArray[np.float64],
    fill: Callable[[SinogramTile, Indices, slice], None],
) -> Floats:
    """Back project what `fill` puts into the tilts of a tile that holds a strip of slices.

    It is asked for runs of tilts that begin at even ones, so that it may take two at once. What is
    made for a tile right before it is used need not be stored for all slices.
    """
    out = np.empty((beam.depth, beam.width, n_slices), np.float32)

    def load(strip: slice) -> SinogramTile:
        return SinogramTile(beam, half_widths, min(strip.stop, n_slices) - strip.start)

    def gather(tile: SinogramTile, rows: Indices, strip: slice) -> None:
        tile.back_project(rows, out[:, :, strip])

    _share(n_slices, load, (beam.n_tilts, 2, fill), (beam.depth, SQUARE, gather))
    return out


def _share(
    n_slices: int,
    load: Callable[[slice], Tile],
    *steps: tuple[int, int, Callable[[Tile, Indices, slice], None]],
) -> None:
    """Take every strip through some steps, each of so many parts and at least so many together.

    A strip is split only when there are fewer strips than cores.
    """
    strips = list(_strips(n_slices))
    if len(strips) >= available_cores():

        def whole(strip: slice) -> None:
            tile = load(strip)
            for n_parts, _, work in steps:
                work(tile, np.arange(n_parts), strip)

        run_on_cores(partial(whole, strip) for strip in strips)
        return
    n_shares = -(-available_cores() // len(strips)) if strips else 1
    tiles = [load(strip) for strip in strips]
    for n_parts, unit, work in steps:
        run_on_cores(
            partial(work, tile, share, strip)
            for tile, strip in zip(tiles, strips, strict=True)
            for share in shares(n_parts, n_shares, unit)
        )


def _strips(n_slices: int) -> Iterator[slice]:
    return (slice(start, start + LANES) for start in range(0, n_slices, LANES))
