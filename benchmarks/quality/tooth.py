"""A real sinogram of the full range: a tooth in X-rays, from TomoPy's example data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
#: Detector column of the rotation axis, about which the rows at 0 and 180 degrees are mirrored.
AXIS_COLUMN = 296
#: Columns that are kept on either side of the axis, after two were made one.
HALF_WIDTH = 96


class ToothError(Exception):
    """The file of the tooth cannot be used, in one sentence."""


def read(path: Path) -> tuple[Floats, NDArray[np.float64]]:
    """Read path integrals (n_angles, width, 2), the axis in the middle, and angles in degrees."""
    try:
        import h5py
    except ImportError as error:
        raise ToothError("Reading the tooth needs h5py: pip install h5py.") from error
    if not path.is_file():
        raise ToothError(
            f"{path}: there is no such file; the tooth is source/tomopy/data/tooth.h5 in "
            "TomoPy's repository."
        )
    try:
        with h5py.File(path) as file:
            names = ("data", "data_white", "data_dark", "theta")
            data, white, dark, theta = (np.asarray(file[f"exchange/{n}"]) for n in names)
    except (OSError, KeyError) as error:
        raise ToothError(f"{path}: this is not the tooth's HDF5 file ({error}).") from error
    white, dark = white.mean(axis=0), dark.mean(axis=0)
    transmitted = (data - dark) / (white - dark)
    paths = -np.log(np.clip(transmitted, 1e-3, None))
    return _centred(paths.transpose(0, 2, 1)), np.asarray(theta, np.float64)


def _centred(rows: NDArray[np.float64]) -> Floats:
    """Every second column about the axis, each with half of its neighbours'."""
    at = AXIS_COLUMN + 2 * np.arange(-HALF_WIDTH, HALF_WIDTH + 1)
    smoothed = 0.5 * rows[:, at] + 0.25 * (rows[:, at - 1] + rows[:, at + 1])
    # A voxel is two columns wide, and path lengths count voxels.
    return np.ascontiguousarray(smoothed / 2, np.float32)


def rows_at(
    rows: Floats, theta_deg: NDArray[np.float64], wanted_deg: NDArray[np.float64]
) -> Floats:
    """Interpolate a full turn's rows at any angles; half a turn mirrors a row about the axis."""
    whole = np.floor(wanted_deg / 180.0).astype(int)
    rest = wanted_deg - 180.0 * whole
    angles = np.append(theta_deg, theta_deg[0] + 180.0)
    closed = np.concatenate([rows, rows[:1, ::-1]])
    upper = np.clip(np.searchsorted(angles, rest, side="right"), 1, len(angles) - 1)
    weight = ((rest - angles[upper - 1]) / (angles[upper] - angles[upper - 1])).astype(np.float32)
    weight = weight[:, None, None]
    found = (1 - weight) * closed[upper - 1] + weight * closed[upper]
    return np.where((whole % 2 == 1)[:, None, None], found[:, ::-1], found)
