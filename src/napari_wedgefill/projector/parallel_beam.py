"""The projection operator: ``A(x)`` projects, ``A.T(y)`` is its exact adjoint."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..geometry import centre
from .arrays import backend_for
from .backend import Array, Backend, Rays


class ParallelBeam:
    """Parallel-beam projection of a stack of slices that share one geometry.

    A voxel at (z, x) from the centre projects to ``u = x cos t + z sin t``. Path lengths are in
    voxels: a unit cube of n voxels along the beam projects to n.

    numpy arrays are computed on the CPU's cores; torch tensors on the device they live on, and
    gradients flow through them.

    Parameters
    ----------
    angles_deg : array_like, (n_tilts,)
        Tilt angles in degrees, any order.
    width : int
        Detector pixels, also the voxels along x.
    depth : int, optional
        Voxels along z; `width` by default.
    axis_shift_px : float
        Detector position of the tilt axis, in pixels from ``(width - 1) / 2``.
    tilt_shifts_px : array_like, (n_tilts,), optional
        How much further to the right the axis lies in the row of each tilt: rows that are cropped
        around a specimen off the axis begin at whole pixels. None by default.
    backend : Backend, optional
        What computes everything; by default, what `backend_for` chooses for each array.

    References
    ----------
    P. M. Joseph, IEEE Trans. Med. Imaging 1, 192-196 (1982).
    """

    def __init__(
        self,
        angles_deg: ArrayLike,
        width: int,
        depth: int | None = None,
        *,
        axis_shift_px: float = 0.0,
        tilt_shifts_px: ArrayLike | None = None,
        backend: Backend | None = None,
    ) -> None:
        self.angles_deg: NDArray[np.float64] = np.atleast_1d(
            np.asarray(angles_deg, dtype=np.float64)
        )
        self.width = int(width)
        self.depth = int(depth or width)
        self.axis_shift_px = float(axis_shift_px)
        self.tilt_shifts_px: NDArray[np.float64] | None = None
        shifts: ArrayLike = self.axis_shift_px
        if tilt_shifts_px is not None:
            self.tilt_shifts_px = np.asarray(tilt_shifts_px, dtype=np.float64)
            if self.tilt_shifts_px.shape != self.angles_deg.shape:
                raise ValueError(
                    f"{self.angles_deg.size} tilts have {self.tilt_shifts_px.size} shifts"
                )
            shifts = self.axis_shift_px + self.tilt_shifts_px
        self.rays = Rays.at(self.angles_deg, self.width, self.depth, shifts)
        self._backend = backend

    @property
    def n_tilts(self) -> int:
        """Number of tilt angles."""
        return self.angles_deg.size

    @property
    def axis_u(self) -> float:
        """Detector index of the tilt axis, but for what single tilts are shifted by."""
        return centre(self.width) + self.axis_shift_px

    def __call__(self, x: Array) -> Array:
        """Project a volume (depth, width, n_slices) to a sinogram (n_tilts, width, n_slices)."""
        self._check(x, (self.depth, self.width), "volume (z, x, y)")
        return self.backend_for(x).forward(self.rays, x)

    def T(self, y: Array) -> Array:
        """Adjoint: (n_tilts, width, n_slices) to (depth, width, n_slices)."""
        self._check(y, (self.n_tilts, self.width), "sinogram (tilt, u, y)")
        return self.backend_for(y).adjoint(self.rays, y)

    def smear(self, y: Array) -> Array:
        """Back project by linear interpolation; shapes as `T`.

        This is what weighted back projection wants. The adjoint's triangles are narrower than a
        pixel near 45 degrees and sum to 0.83-1.41 depending on where a voxel falls between two
        pixels: right for a gradient, but a visible moire in a direct inversion.
        """
        self._check(y, (self.n_tilts, self.width), "sinogram (tilt, u, y)")
        return self.backend_for(y).smear(self.rays, y)

    def backend_for(self, array: Array) -> Backend:
        """Return the backend that was chosen for this operator, or the one for an array."""
        return self._backend or backend_for(array)

    def with_backend(self, backend: Backend) -> ParallelBeam:
        """Return the same operator, computed by another backend."""
        return ParallelBeam(
            self.angles_deg,
            self.width,
            self.depth,
            axis_shift_px=self.axis_shift_px,
            tilt_shifts_px=self.tilt_shifts_px,
            backend=backend,
        )

    def subset(self, tilts: ArrayLike) -> ParallelBeam:
        """Return the operator of only the tilts at these indices."""
        chosen, shifts = np.asarray(tilts), self.tilt_shifts_px
        return ParallelBeam(
            self.angles_deg[chosen],
            self.width,
            self.depth,
            axis_shift_px=self.axis_shift_px,
            tilt_shifts_px=None if shifts is None else shifts[chosen],
            backend=self._backend,
        )

    def at(self, angles_deg: ArrayLike) -> ParallelBeam:
        """Return the operator of the same volume at other tilts, none of them shifted."""
        return ParallelBeam(
            angles_deg,
            self.width,
            self.depth,
            axis_shift_px=self.axis_shift_px,
            backend=self._backend,
        )

    def with_tilts(self, angles_deg: ArrayLike) -> ParallelBeam:
        """Return the operator with further tilts, none of them shifted, after its own."""
        further = np.atleast_1d(np.asarray(angles_deg, dtype=np.float64))
        shifts = self.tilt_shifts_px
        return ParallelBeam(
            np.concatenate([self.angles_deg, further]),
            self.width,
            self.depth,
            axis_shift_px=self.axis_shift_px,
            tilt_shifts_px=None if shifts is None else np.r_[shifts, np.zeros(further.size)],
            backend=self._backend,
        )

    @cached_property
    def ray_lengths(self) -> NDArray[np.float32]:
        """``A 1``: the length of each ray inside the volume, (n_tilts, width, 1)."""
        ones = np.ones((self.depth, self.width, 1), np.float32)
        lengths: NDArray[np.float32] = backend_for(ones).forward(self.rays, ones)
        return lengths

    @cached_property
    def voxel_coverage(self) -> NDArray[np.float32]:
        """``A.T 1``: how often each voxel is seen, (depth, width, 1); at most `n_tilts`."""
        ones = np.ones((self.n_tilts, self.width, 1), np.float32)
        coverage: NDArray[np.float32] = backend_for(ones).adjoint(self.rays, ones)
        return coverage

    @staticmethod
    def _check(array: Array, expected: tuple[int, int], what: str) -> None:
        if array.ndim != 3 or tuple(array.shape[:2]) != expected:
            raise ValueError(
                f"a {what} of shape {(*expected, 'n_slices')} was expected, "
                f"got {tuple(array.shape)}"
            )
