"""The contract of a backend: what the operator and the solvers ask of whatever computes arrays.

`Processor` (numba, numpy arrays), `TorchBackend` (torch, any device) and `TritonBackend` (CUDA)
fulfil it; `arrays.backend_for` chooses one for an array. A solver asks once, when it begins.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..geometry import centre

Array = Any  # a numpy array or a torch tensor
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rays:
    """Where the rays of some tilts run, in numbers: all that a backend knows of a geometry.

    Attributes
    ----------
    cosines, sines : ndarray, float64, (n_tilts,)
        Of the tilt angles.
    width, depth : int
        Voxels along x (also the detector's pixels) and along z.
    axis_u : ndarray, float64, (n_tilts,)
        Detector index of the tilt axis in the row of each tilt: the same in all of them, unless
        rows were cropped around a specimen that lies off the axis.
    """

    cosines: Doubles
    sines: Doubles
    width: int
    depth: int
    axis_u: Doubles

    @classmethod
    def at(
        cls, angles_deg: ArrayLike, width: int, depth: int, axis_shift_px: ArrayLike = 0.0
    ) -> Rays:
        """Return the rays at some tilt angles; the shift is one for all, or one for each."""
        radians = np.deg2rad(np.asarray(angles_deg, np.float64))
        axis_u = np.broadcast_to(centre(width) + np.asarray(axis_shift_px, float), radians.shape)
        return cls(np.cos(radians), np.sin(radians), width, depth, axis_u.copy())

    @property
    def n_tilts(self) -> int:
        """Number of tilts."""
        return self.cosines.size

    @cached_property
    def half_widths(self) -> Doubles:
        """Half widths of the triangles through which detector pixels see a voxel, (n_tilts,).

        Joseph's weight of a voxel in a ray is a triangle of unit area in detector space, centred on
        the voxel's projection: ``max(|cos|, |sin|)``, at most 1.
        """
        return np.maximum(np.abs(self.cosines), np.abs(self.sines))


@dataclass(frozen=True, eq=False)
class AlgebraicStep:
    """Some tilts, what was measured there, and the weights of one step of SART or SIRT.

    Attributes
    ----------
    rays : Rays
        Of these tilts.
    measured : array, float32, (n_tilts, width, n_slices)
        Path integrals.
    row_weights : array, float32, (n_tilts, width, 1)
        Weight of each ray, above zero.
    voxel_weights : array, float32, (depth, width, 1)
        Step of each voxel.
    """

    rays: Rays
    measured: Array
    row_weights: Array
    voxel_weights: Array


class AlgebraicSweeps(Protocol):
    """A volume that approaches the measurements, sweep by sweep.

    Attributes
    ----------
    x : array, float32, (depth, width, n_slices)
        The volume after the last sweep.
    """

    x: Array

    def sweep(self, active: NDArray[np.bool_] | None = None) -> Doubles | None:
        """Take every step once: ``x += voxel_weights * A.T (row_weights * (measured - A x))``.

        Parameters
        ----------
        active : ndarray of bool, (n_slices,), optional
            Slices that still move; where it is given, what they leave unexplained is measured.

        Returns
        -------
        ndarray, float64, (n_slices,) or None
            Sum of the squares of ``measured - A x``, each step's before it was taken; meaningless
            for slices that did not move.
        """
        ...


@dataclass(frozen=True, eq=False)
class DualStep:
    """Some tilts, and how far the dual variable of their rays goes in one step.

    Attributes
    ----------
    tilts : ndarray of int
        Their indices.
    rays : Rays
        Theirs.
    rates : ndarray, float32, (n_tilts, width)
    common : ndarray, float32, (n_tilts, n_common, width)
        The preconditioner is ``diag(rates) - common.T common``, tilt by tilt.
    """

    tilts: NDArray[np.intp]
    rays: Rays
    rates: Floats
    common: Floats


@dataclass(frozen=True, eq=False)
class TvmProblem:
    """What total-variation minimisation is given; see `reconstruct.iter_tvm`.

    Attributes
    ----------
    rays : Rays
        Of all tilts.
    sinogram : array, float32, (n_tilts, width, n_slices)
        Measured path integrals.
    steps : sequence of DualStep
        In the order in which a sweep takes them.
    sigma : float
        Dual step of the gradient.
    tau : ndarray, float32, (depth, width, 1)
        Primal step of each voxel.
    lowest : float
        Least density; ``-inf`` for none.
    x0, prior : array, float32, (depth, width, n_slices), optional
        Where to start (not modified), and a volume to stay near to.
    share : float
        Share of the total variation that is of the difference from the prior, 0 to 1.
    dual : array, float32, (n_tilts, width, n_slices), optional
        Where the dual variable of the data starts; the last sweep overwrites it.
    """

    rays: Rays
    sinogram: Array
    steps: Sequence[DualStep]
    sigma: float
    tau: Floats
    lowest: float
    x0: Array | None = None
    prior: Array | None = None
    share: float = 0.0
    dual: Array | None = None


class TvmSweeps(Protocol):
    """A volume that approaches the minimum, sweep by sweep.

    Attributes
    ----------
    x : array, float32, (depth, width, n_slices)
        The volume after the last sweep.
    """

    x: Array

    def sweep(self, weights: Array, *, is_last: bool) -> Array:
        """Take every step once.

        Parameters
        ----------
        weights : array, float32, (n_slices,)
            Of the total variation.
        is_last : bool
            Nothing follows, so what only the next sweep would see is left out.

        Returns
        -------
        array, float32, (n_slices,)
            Sum of the squares that each slice left unexplained.
        """
        ...


class Backend(ABC):
    """Whatever computes projections and the sweeps of the solvers for one kind of array.

    Volumes are (depth, width, n_slices), sinograms (n_tilts, width, n_slices), both float32 and of
    the backend's kind, and so are the answers.

    Attributes
    ----------
    xp : module
        numpy or torch. torch takes numpy's names and spelling for all that is used of it here, so
        code that is written with `xp` serves both.
    """

    xp: Any

    @abstractmethod
    def convert_like(self, values: ArrayLike | Array, array: Array) -> Array:
        """Return values as float32, of an array's kind and on its device."""

    @abstractmethod
    def make_contiguous(self, array: Array) -> Array:
        """Return the array itself if it is contiguous, and a contiguous copy if not."""

    @abstractmethod
    def forward(self, rays: Rays, x: Array) -> Array:
        """Project a volume to a sinogram."""

    @abstractmethod
    def adjoint(self, rays: Rays, y: Array) -> Array:
        """Back project a sinogram to a volume, exactly adjoint to `forward`."""

    @abstractmethod
    def smear(self, rays: Rays, y: Array) -> Array:
        """Back project a sinogram by linear interpolation: through triangles of half width one."""

    @abstractmethod
    def filter_and_smear(
        self, rays: Rays, y: Array, weights: Doubles, response_of: Callable[[int], Floats]
    ) -> Array:
        """Filter a sinogram along the detector, weigh its tilts, and smear it to a volume.

        Parameters
        ----------
        weights : ndarray, float64, (n_tilts,)
            Factor on each tilt.
        response_of : callable
            Gives the filter's frequency response, float32, (n // 2 + 1,), for n padded samples; the
            backend chooses n, at least twice the width.
        """

    @abstractmethod
    def begin_algebraic(
        self, steps: Sequence[AlgebraicStep], x0: Array | None, lowest: float
    ) -> AlgebraicSweeps:
        """Begin SART or SIRT.

        Parameters
        ----------
        steps : sequence of AlgebraicStep
            In the order in which a sweep takes them.
        x0 : array, (depth, width, n_slices), optional
            Where to start; zero by default. Not modified.
        lowest : float
            Densities are clipped to it after each step; ``-inf`` for none.
        """

    @abstractmethod
    def begin_tvm(self, problem: TvmProblem) -> TvmSweeps:
        """Begin total-variation minimisation."""
