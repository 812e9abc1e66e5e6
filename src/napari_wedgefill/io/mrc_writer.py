"""Writing volumes and tilt series as MRC, complete or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from numpy.typing import NDArray

from ..atomic import write_beside
from ..errors import WedgefillError
from ..tilt_series import TiltSeries
from ..volume import Volume
from .formats import MRC_SUFFIXES
from .mrc_labels import SIGNATURE, axis_label, label_lines

ANGSTROM_PER_NM = 10.0


def write_volume(path: str | Path, volume: Volume) -> Path:
    """Write a volume as MRC mode 2 (float32), voxel size in angstroms, origin 0, history in labels.

    Parameters
    ----------
    path : path
        Ends in one of the MRC suffixes. An existing file is replaced.
    volume : Volume
        Its `history` becomes the labels, at most ten of 80 ASCII characters.

    Returns
    -------
    Path
        Where it was written.

    Raises
    ------
    WedgefillError
        If the name does not fit or the place cannot be written; nothing half-written is left.
    """
    path = _checked(path)
    with write_beside(path) as temporary:
        _write(temporary, volume.data, volume.voxel_nm, volume.history, is_volume=True)
    return path


def write_tilt_series(path: str | Path, series: TiltSeries) -> Path:
    """Write a tilt series as an MRC stack with its angles in a .tlt file of the same name.

    The position of the tilt axis goes into a label, so that reading the file gives it back.

    Returns
    -------
    Path
        Of the MRC file.

    Raises
    ------
    WedgefillError
        As for `write_volume`.
    """
    path = _checked(path)
    edge = series.pixel_nm
    voxel_nm = None if edge is None else (edge, edge, edge)
    labels = [axis_label(series.axis_shift_px), *_origin(series)]
    with ExitStack() as files:
        # Leaving in reverse order, the angles are in place before the images that need them.
        stack = files.enter_context(write_beside(path))
        angles = files.enter_context(write_beside(path.with_suffix(".tlt")))
        _write(stack, series.array(), voxel_nm, labels, is_volume=False)
        angles.write_text("".join(f"{angle:10.4f}\n" for angle in series.angles_deg), "ascii")
    return path


def _origin(series: TiltSeries) -> list[str]:
    """Return notes on where a series came from."""
    notes = [f"{SIGNATURE}: read from {series.path.name}"] if series.path is not None else []
    if series.axis_deg:
        notes.append(f"{SIGNATURE}: images turned by {series.axis_deg:g} degrees at load")
    return notes


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix.lower() not in MRC_SUFFIXES:
        raise WedgefillError(
            f"{path.name}: results are written as MRC; give a name that ends in .mrc."
        )
    return path


def _write(
    path: Path,
    data: NDArray[np.float32],
    voxel_nm: tuple[float, float, float] | None,
    labels: Sequence[str],
    *,
    is_volume: bool,
) -> None:
    with mrcfile.new(path) as file:
        file.set_data(np.ascontiguousarray(data, dtype=np.float32))
        # The order matters: either call of these two rescales the cell that voxel_size writes.
        if is_volume:
            file.set_volume()
        else:
            file.set_image_stack()
        describe_voxels(file, voxel_nm, labels)


def describe_voxels(
    file: Any, voxel_nm: tuple[float, float, float] | None, labels: Sequence[str]
) -> None:
    """Put voxel size (z, y, x) and labels into the header of an open file that has its shape."""
    z, y, x = (0.0, 0.0, 0.0) if voxel_nm is None else voxel_nm
    file.voxel_size = (x * ANGSTROM_PER_NM, y * ANGSTROM_PER_NM, z * ANGSTROM_PER_NM)
    lines = label_lines([f"{SIGNATURE}: written as float32 (mode 2)", *labels])
    file.header.label[:] = b""
    for i, line in enumerate(lines):
        file.header.label[i] = line.ljust(80)
    file.header.nlabl = len(lines)
