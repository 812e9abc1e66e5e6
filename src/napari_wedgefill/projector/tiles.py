"""Tiles: a few slices of a volume or a sinogram, padded and aligned the way the kernels want."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..geometry import centre
from .adjoint_kernels import SQUARE, adjoint_rays, descend_rays
from .numba_kernels import GROUP, forward_rays, padded_lanes
from .vectors import aligned_zeros, vectors

if TYPE_CHECKING:
    from .parallel_beam import ParallelBeam

Floats = NDArray[np.float32]


def _up_to_group(n: int) -> int:
    return -(-n // GROUP) * GROUP


class VolumeTile:
    """A volume (depth, width, n_slices) with zeros around it.

    Attributes
    ----------
    values : ndarray, float32, (depth, width, n_slices)
        The volume itself, a view.
    """

    def __init__(self, depth: int, width: int, n_slices: int) -> None:
        self.depth, self.width = depth, width
        self.lanes = padded_lanes(n_slices)
        shape = (_up_to_group(depth) + 3, _up_to_group(width) + 3, self.lanes)
        self.padded = aligned_zeros(shape)
        self.values = self.padded[1 : depth + 1, 1 : width + 1, :n_slices]

    @classmethod
    def of(cls, x: Floats) -> VolumeTile:
        """Copy a volume."""
        tile = cls(*x.shape)
        tile.values[:] = x
        return tile

    def project(self, beam: ParallelBeam, tilts: NDArray[np.intp], out: Floats) -> None:
        """Project at some tilts into those rows of `out`, (n_tilts, width, n_slices)."""
        across_step, z_step = self.lanes, self.padded.shape[1] * self.lanes
        along, across = beam.sines[tilts], beam.cosines[tilts]
        # A ray is sampled once a row: rows of constant z for shallow tilts, of constant x for
        # steep ones.
        shallow = np.abs(across) >= np.abs(along)
        for chosen, steps, sizes, ray in (
            (shallow, (z_step, across_step), (self.depth, self.width), (along, across)),
            (~shallow, (across_step, z_step), (self.width, self.depth), (across, along)),
        ):
            if not chosen.any():
                continue
            n = int(np.count_nonzero(chosen))
            rays = aligned_zeros((n, beam.width, self.lanes))
            forward_rays(
                vectors(self.lanes), self.padded.reshape(-1), steps[0], *steps, *sizes,
                ray[0][chosen], ray[1][chosen], beam.axis_u, rays.reshape(-1), beam.width,
            )  # fmt: skip
            out[tilts[chosen]] = rays[:, :, : out.shape[2]]

    def descend(
        self, rows: SinogramTile, weights: Floats, floor: float, start: int, stop: int
    ) -> None:
        """Add the weighted back projection of `rows` to the z rows ``start:stop``, and clip."""
        descend_rays(
            vectors(self.lanes), rows.padded.reshape(-1), *rows.rays, weights, np.float32(floor),
            self.padded.reshape(-1), self.padded.shape[1] * self.lanes, start, stop,
        )  # fmt: skip


class SinogramTile:
    """Sinogram rows (n_tilts, width, n_slices) with zeros around them, and where they look.

    Attributes
    ----------
    values : ndarray, float32, (n_tilts, width, n_slices)
        The rows themselves, a view.
    """

    def __init__(self, beam: ParallelBeam, half_widths: NDArray[np.float64], n_slices: int) -> None:
        self.beam = beam
        self.lanes = padded_lanes(n_slices)
        n_angles = _up_to_group(beam.n_tilts)
        self.padded = aligned_zeros((n_angles, beam.width + 3, self.lanes))
        self.values = self.padded[: beam.n_tilts, 1:-2, :n_slices]
        # The angles that fill up the last group meet zeros; theirs must only be finite.
        cosines, sines, widths = np.ones((3, n_angles))
        cosines[: beam.n_tilts], sines[: beam.n_tilts] = beam.cosines, beam.sines
        widths[: beam.n_tilts] = half_widths
        self.rays = (beam.width, cosines, sines, widths, beam.axis_u)

    def back_project(self, rows: NDArray[np.intp], out: Floats) -> None:
        """Back project into some z rows of `out`, (depth, width, n_slices)."""
        beam = self.beam
        block = aligned_zeros((SQUARE, beam.width, self.lanes))
        for first in range(rows[0], rows[-1] + 1, SQUARE):
            n = min(SQUARE, rows[-1] + 1 - first)
            adjoint_rays(
                vectors(self.lanes), self.padded.reshape(-1), *self.rays,
                first - centre(beam.depth), n, beam.width, block.reshape(-1),
            )  # fmt: skip
            out[first : first + n] = block[:n, :, : out.shape[2]]
