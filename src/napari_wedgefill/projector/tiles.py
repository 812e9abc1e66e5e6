"""Tiles: a few slices of a volume or a sinogram, padded and aligned the way the kernels want."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry import centre
from .backend import Rays
from .numba_kernels import (
    GROUP,
    SQUARE,
    Detector,
    Rows,
    back_project_rays,
    descend_rays,
    pad_lanes,
    project_rays,
)
from .vectors import make_aligned_zeros, vectors

Floats = NDArray[np.float32]


def _round_up_to_group(n: int) -> int:
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
        self.lanes = pad_lanes(n_slices)
        shape = (_round_up_to_group(depth) + 3, _round_up_to_group(width) + 3, self.lanes)
        self.padded = make_aligned_zeros(shape)
        self.values = self.padded[1 : depth + 1, 1 : width + 1, :n_slices]

    @classmethod
    def copy_of(cls, x: Floats) -> VolumeTile:
        """Copy a volume."""
        tile = cls(*x.shape)
        tile.values[:] = x
        return tile

    def project(self, rays: Rays, tilts: NDArray[np.intp], out: Floats) -> None:
        """Project at some tilts into those rows of `out`, (n_tilts, width, n_slices)."""
        z_step = self.padded.shape[1] * self.lanes
        along_z = Rows(z_step, self.lanes, self.depth, self.width)
        along_x = Rows(self.lanes, z_step, self.width, self.depth)
        along, across = rays.sines[tilts], rays.cosines[tilts]
        # A ray is sampled once a row: rows of constant z for shallow tilts, of constant x for
        # steep ones.
        shallow = np.abs(across) >= np.abs(along)
        for chosen, rows, ray in (
            (shallow, along_z, (along, across)),
            (~shallow, along_x, (across, along)),
        ):
            if not chosen.any():
                continue
            n = int(np.count_nonzero(chosen))
            found = make_aligned_zeros((n, rays.width, self.lanes))
            project_rays(
                vectors(self.lanes), self.padded.reshape(-1), rows,
                ray[0][chosen], ray[1][chosen], rays.axis_u[tilts[chosen]],
                found.reshape(-1), rays.width,
            )  # fmt: skip
            out[tilts[chosen]] = found[:, :, : out.shape[2]]

    def descend(
        self, rows: SinogramTile, weights: Floats, floor: float, start: int, stop: int
    ) -> None:
        """Add the weighted back projection of `rows` to the z rows ``start:stop``, and clip."""
        descend_rays(
            vectors(self.lanes), rows.detector, weights, np.float32(floor),
            self.padded.reshape(-1), self.padded.shape[1] * self.lanes, start, stop,
        )  # fmt: skip


class SinogramTile:
    """Sinogram rows (n_tilts, width, n_slices) with zeros around them, and where they look.

    Attributes
    ----------
    values : ndarray, float32, (n_tilts, width, n_slices)
        The rows themselves, a view.
    detector : Detector
        Rows and zeros as the kernels take them.
    """

    def __init__(self, rays: Rays, half_widths: NDArray[np.float64], n_slices: int) -> None:
        self.rays = rays
        self.lanes = pad_lanes(n_slices)
        n_angles = _round_up_to_group(rays.n_tilts)
        self.padded = make_aligned_zeros((n_angles, rays.width + 3, self.lanes))
        self.values = self.padded[: rays.n_tilts, 1:-2, :n_slices]
        # The angles that fill up the last group meet zeros; theirs must only be finite.
        cosines, sines, widths, axis_u = np.ones((4, n_angles))
        cosines[: rays.n_tilts], sines[: rays.n_tilts] = rays.cosines, rays.sines
        widths[: rays.n_tilts], axis_u[: rays.n_tilts] = half_widths, rays.axis_u
        self.detector = Detector(
            self.padded.reshape(-1), rays.width, cosines, sines, widths, axis_u
        )

    def back_project(self, rows: NDArray[np.intp], out: Floats) -> None:
        """Back project into some z rows of `out`, (depth, width, n_slices)."""
        rays = self.rays
        block = make_aligned_zeros((SQUARE, rays.width, self.lanes))
        for first in range(rows[0], rows[-1] + 1, SQUARE):
            n = min(SQUARE, rows[-1] + 1 - first)
            back_project_rays(
                vectors(self.lanes), self.detector,
                first - centre(rays.depth), n, rays.width, block.reshape(-1),
            )  # fmt: skip
            out[first : first + n] = block[:n, :, : out.shape[2]]
