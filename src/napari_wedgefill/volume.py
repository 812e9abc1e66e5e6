"""A reconstructed volume and its history."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import WedgefillError
from .geometry import widest_gap_deg


class TiltRange(NamedTuple):
    """The tilts that a volume was made from, in short: what lies between them was measured.

    Attributes
    ----------
    first_deg, last_deg : float
        The angles on either side of the widest gap, first below last; all directions from the one
        to the other, upwards, were measured.
    n_tilts : int
        How many images there were.
    """

    first_deg: float
    last_deg: float
    n_tilts: int

    @classmethod
    def of(cls, angles_deg: ArrayLike) -> TiltRange:
        """Sum up the tilt angles of a series, (n_tilts,) in degrees."""
        angles = np.asarray(angles_deg, dtype=np.float64)
        start, gap = widest_gap_deg(angles)
        first = start + gap
        while first - 180.0 >= angles.min() - 1e-6:
            first -= 180.0
        return cls(first, first + 180.0 - gap, len(angles))

    def spread_evenly(self) -> tuple[float, ...]:
        """Return as many angles, evenly spread: good for drawing what was measured, no more."""
        return tuple(np.linspace(self.first_deg, self.last_deg, self.n_tilts).tolist())


@dataclass(frozen=True)
class VolumeOutline:
    """All of a volume but its voxels: what must be known before the first one is written.

    Attributes
    ----------
    name : str
        Name for layers and files.
    shape : tuple of int
        (z, y, x).
    voxel_nm, history, first_slice, tilt_range, whole_height
        As in `Volume`.
    """

    name: str
    shape: tuple[int, int, int]
    voxel_nm: tuple[float, float, float] | None = None
    history: tuple[str, ...] = ()
    first_slice: int = 0
    tilt_range: TiltRange | None = None
    whole_height: int | None = None

    def fill_with(self, data: NDArray[np.float32]) -> Volume:
        """Return the volume that has these voxels, float32 (z, y, x)."""
        return Volume(
            data,
            self.voxel_nm,
            self.name,
            self.history,
            first_slice=self.first_slice,
            tilt_range=self.tilt_range,
            whole_height=self.whole_height,
        )


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume with its voxel size.

    Attributes
    ----------
    data : ndarray, float32, (z, y, x)
        y is the tilt axis, z the beam direction at 0 degrees.
    voxel_nm : tuple of float or None
        Voxel edges (z, y, x) in nanometres; None where unknown.
    name : str
        Name for layers and files.
    history : tuple of str
        What was done, oldest first; written to the MRC labels (80 ASCII characters each).
    path : Path or None
        The file it was read from.
    first_slice : int
        Where along y it begins, in voxels, if it holds only some slices of its tilt series.
    tilt_range : TiltRange or None
        The tilts it was made from, where that is known.
    first_plane : int
        Where along z it begins, in voxels, if only some of its planes were kept.
    whole_depth : int or None
        How many planes there were then; None where none were cut off.
    whole_height : int or None
        How many slices along y its tilt series has; None where it holds all of them, or where that
        is not known.
    """

    data: NDArray[np.float32]
    voxel_nm: tuple[float, float, float] | None = None
    name: str = "volume"
    history: tuple[str, ...] = ()
    path: Path | None = None
    first_slice: int = 0
    tilt_range: TiltRange | None = None
    first_plane: int = 0
    whole_depth: int | None = None
    whole_height: int | None = None

    def __post_init__(self) -> None:
        """Check the number of axes, the type and the voxel size."""
        if self.data.ndim != 3:
            raise WedgefillError(
                f"{self.name}: a volume has three axes (z, y, x), not {self.data.ndim}."
            )
        if self.data.dtype != np.float32:
            raise WedgefillError(f"{self.name}: volumes are float32, not {self.data.dtype}.")
        if self.voxel_nm is not None and not all(edge > 0 for edge in self.voxel_nm):
            raise WedgefillError(f"{self.name}: voxel size {self.voxel_nm} nm is not positive.")

    def crop_planes(self, start: int, stop: int) -> Volume:
        """Cut out some planes along the beam (z); they keep their place.

        Parameters
        ----------
        start, stop : int
            First and past-the-last plane, counted in this volume; see `crop_planes_of_whole`.

        Raises
        ------
        WedgefillError
            If there are no such planes.
        """
        depth = self.data.shape[0]
        check_planes(self.name, (start, stop), depth)
        if stop - start == depth:
            return self
        return replace(
            self,
            data=self.data[start:stop],
            first_plane=self.first_plane + start,
            whole_depth=self.whole_depth or depth,
        )

    def crop_planes_of_whole(self, start: int, stop: int | None) -> Volume:
        """Cut out some planes along the beam (z), counted as in the volume before any were cut off.

        So ``wedgefill info`` counts them. Of a whole volume it is the same as `crop_planes`.

        Parameters
        ----------
        start : int
            First plane; 0 stands for the first that is there.
        stop : int or None
            Past the last plane; None stands for the end of what is there.

        Raises
        ------
        WedgefillError
            If this volume does not hold all of these planes.
        """
        asked = f"{start}:{'' if stop is None else stop}"
        first, end = self.first_plane, self.first_plane + self.data.shape[0]
        start, stop = start or first, end if stop is None else stop
        if self.whole_depth is not None and not first <= start < stop <= end:
            raise WedgefillError(
                f"{self.name}: planes {asked} were asked for, but it holds only planes "
                f"{first}:{end} of {self.whole_depth} along the beam (z); choose among them, "
                "counted in the whole volume."
            )
        return self.crop_planes(start - first, stop - first)

    def restore_planes(self) -> Volume:
        """Put nothing where planes were cut off, so that z is centred on the tilt axis again."""
        if self.whole_depth is None:
            return self
        after = self.whole_depth - self.first_plane - self.data.shape[0]
        data = np.pad(self.data, ((self.first_plane, after), (0, 0), (0, 0)))
        return replace(self, data=data, first_plane=0, whole_depth=None)

    @classmethod
    def from_solver(cls, x: NDArray[np.float32], **fields: Any) -> Volume:
        """Build from the solvers' layout ``(z, x, y)``."""
        return cls(np.ascontiguousarray(x.transpose(0, 2, 1), dtype=np.float32), **fields)


def check_planes(name: str, planes: tuple[int, int], depth: int) -> None:
    """Raise `WedgefillError` if what is called `name`, `depth` planes of it, has no such planes."""
    start, stop = planes
    if not 0 <= start < stop <= depth:
        raise WedgefillError(
            f"{name}: planes {start}:{stop} were asked for, but it has {depth} along the beam "
            f"(z); choose 0 <= start < stop <= {depth}."
        )
