"""The user's own volumes as a family of objects to train on.

Each draw takes a piece of a volume, turned, scaled, moved and perhaps thresholded, so that a few
volumes give many different objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from ..errors import WedgefillError
from .frames import Coordinates, Floats, rotation
from .phantoms import Family

#: Voxels along the longest edge that a volume is averaged down to: what the training grid resolves.
LONGEST = 192
#: Voxels along an edge below which there is nothing to turn and cut.
SHORTEST = 8
#: Density, over the highest, below which a voxel belongs to the surroundings.
FAINT = 0.05


@dataclass(frozen=True, eq=False)
class OwnObjects:
    """A family (see `phantoms.Family`) of random pieces of given volumes.

    Parameters
    ----------
    volumes : tuple of ndarray, float32, (z, y, x)
        Densities between 0, the surroundings, and about 1; see `to_density`.
    turn_all_ways : bool
        Turn about every axis; otherwise about the tilt axis alone, for objects that are mounted
        along it, such as needles.
    """

    volumes: tuple[Floats, ...]
    turn_all_ways: bool = True

    def __call__(self, rng: np.random.Generator, at: Coordinates) -> Floats:
        """Draw a piece of a volume at coordinates (z, x, y) in half fields of view."""
        piece = self._draw_piece(rng)
        half_shape = np.array(piece.shape) / 2.0
        # The largest half edge of the piece reaches from a third of the field to all of it.
        voxels_per_unit = half_shape.max() / rng.uniform(0.35, 0.95)
        spacing = float(at[1][0, 1, 0] - at[1][0, 0, 0]) * voxels_per_unit
        if spacing > 1.5:  # the grid is coarser than the voxels: average, or edges become jagged
            piece = scipy.ndimage.uniform_filter(piece, round(spacing), mode="constant")
        axes = rotation(rng) if self.turn_all_ways else _rotate_about_tilt_axis(rng)
        centre = np.array([*rng.uniform(-0.25, 0.25, 2), 0.0])
        # Along the tilt axis any part of the piece may meet the slab.
        centre[2] = rng.uniform(-0.7, 0.7) * half_shape.max() / voxels_per_unit
        z, x, y = (c - np.float32(o) for c, o in zip(at, centre, strict=True))
        positions = np.stack(
            [
                voxels_per_unit * (a[0] * z + a[1] * y + a[2] * x) + (n - 1) / 2.0
                for a, n in zip(axes, piece.shape, strict=True)
            ]
        )
        drawn = scipy.ndimage.map_coordinates(piece, positions, order=1, mode="constant")
        return np.asarray(drawn * rng.uniform(0.3, 1.0), np.float32)

    def _draw_piece(self, rng: np.random.Generator) -> Floats:
        """Return a volume or a part of one, mirrored at random, perhaps without its faint parts."""
        piece = self.volumes[rng.integers(len(self.volumes))]
        if rng.random() < 0.5:
            sizes = [rng.integers(max(SHORTEST, n // 2), n + 1) for n in piece.shape]
            starts = [rng.integers(n - s + 1) for n, s in zip(piece.shape, sizes, strict=True)]
            piece = piece[tuple(slice(a, a + s) for a, s in zip(starts, sizes, strict=True))]
        piece = np.flip(piece, tuple(axis for axis in range(3) if rng.random() < 0.5))
        if rng.random() < 0.5:
            piece = np.where(piece > rng.uniform(0.1, 0.5), piece, np.float32(0))
        return piece


def _rotate_about_tilt_axis(rng: np.random.Generator) -> NDArray[np.float64]:
    angle = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def to_density(volume: Floats, name: str, empty: float | None = None) -> Floats:
    """Bring a volume to densities: the surroundings to 0, the object to about 1, trimmed to it.

    Parameters
    ----------
    volume : ndarray, (z, y, x)
        Any intensities; an object darker than its surroundings is inverted.
    name : str
        Of the file, for errors.
    empty : float, optional
        Intensity of the surroundings; the median over the faces of the box by default.

    Returns
    -------
    ndarray, float32, (z, y, x)
        At most `LONGEST` voxels along each edge.

    Raises
    ------
    WedgefillError
        If the volume is thin or constant, or some of its values are NaN or infinite.
    """
    if volume.ndim != 3 or min(volume.shape) < SHORTEST:
        raise WedgefillError(
            f"{name}: an object to train on needs at least {SHORTEST} voxels along each axis, but "
            f"this has the shape {volume.shape}; give a volume, not images."
        )
    if not np.isfinite(volume).all():
        raise WedgefillError(f"{name}: some voxels are NaN or infinite; replace them first.")
    density = _average_down(volume) - np.float32(
        _median_of_faces(volume) if empty is None else empty
    )
    low, high = np.percentile(density, [0.1, 99.9])
    if low == high == 0:  # a speck in a large box
        low, high = density.min(), density.max()
    strongest = high if high >= -low else low
    if strongest == 0:
        raise WedgefillError(f"{name}: every voxel has the same value; there is no object in it.")
    return _trim((density / np.float32(strongest)).clip(0, 1.5))


def _median_of_faces(volume: Floats) -> float:
    faces = [np.take(volume, (0, -1), axis=axis).ravel() for axis in range(3)]
    return float(np.median(np.concatenate(faces)))


def _average_down(volume: Floats) -> Floats:
    """Average blocks of voxels until no edge is longer than `LONGEST`."""
    n = -(-max(volume.shape) // LONGEST)
    if n == 1:
        return np.asarray(volume, np.float32)
    kept = [max(1, size // n) for size in volume.shape]
    block = [min(n, size) for size in volume.shape]
    crop = volume[tuple(slice(0, k * b) for k, b in zip(kept, block, strict=True))]
    shape = [part for pair in zip(kept, block, strict=True) for part in pair]
    return np.asarray(crop.reshape(shape).mean(axis=(1, 3, 5), dtype=np.float32))


def _trim(density: Floats) -> Floats:
    """Cut away empty margins, but leave at least `SHORTEST` voxels along each axis."""
    box = scipy.ndimage.find_objects((density > FAINT).astype(np.int8))[0]
    inner = density[box]
    missing = [max(0, SHORTEST - n) for n in inner.shape]
    return np.pad(inner, [(m // 2, m - m // 2) for m in missing])


def read_objects(paths: Sequence[Path], empty: float | None = None) -> tuple[Floats, ...]:
    """Read volumes, MRC or TIFF, from files and folders, as densities.

    Raises
    ------
    WedgefillError
        If there is none, or one cannot be used.
    """
    from ..io import read_volume
    from ..io.formats import is_image_file

    files: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if is_image_file(p)) if path.is_dir() else [path]
        if not inside:
            raise WedgefillError(f"{path}: this folder holds no volume, neither MRC nor TIFF.")
        files += inside
    return tuple(to_density(read_volume(file).data, file.name, empty) for file in files)


def add_family(families: Mapping[str, Family], own: Family, share: float) -> dict[str, Family]:
    """Return families and `own`, which is drawn with the probability `share`.

    Parameters
    ----------
    families : mapping of str to callable
        Those to add to, at least one.
    own : callable
        The family to add.
    share : float
        Probability of `own`, above 0 and at most 1.
    """
    if share >= 1:
        return {"own": own}
    n_own = max(1, round(len(families) * share / (1 - share)))
    return {**families, **{f"own {k}": own for k in range(n_own)}}
