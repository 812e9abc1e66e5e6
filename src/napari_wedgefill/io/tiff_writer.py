"""Writing volumes and tilt series as TIFF that ImageJ and Fiji open as hyperstacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..tilt_series import TiltSeries
from ..volume import Volume
from .notes import angles_note, series_notes, volume_notes, writing_note

#: ImageJ's own offsets are 32-bit numbers.
MAX_BYTES = (1 << 32) - (1 << 20)


def write_tiff_volume(path: Path, volume: Volume, _mode: int = 2) -> None:
    """Write a volume (z, y, x); row 0 of each section on top, as TIFF has it."""
    _write(path, volume.data, "ZYX", volume.voxel_nm, volume_notes(volume))


def write_tiff_series(path: Path, series: TiltSeries, _mode: int = 2) -> None:
    """Write a tilt series as frames; its angles are in the notes and over each frame."""
    edge = series.pixel_nm
    voxel_nm = None if edge is None else (edge, edge, edge)
    notes = [*series_notes(series), angles_note(series.angles_deg)]
    labels = [f"{angle:.2f} degrees" for angle in series.angles_deg]
    _write(path, series.array(), "TYX", voxel_nm, notes, Labels=labels)


def _write(
    path: Path,
    data: NDArray[np.float32],
    axes: str,
    voxel_nm: tuple[float, float, float] | None,
    notes: Sequence[str],
    **metadata: Any,
) -> None:
    import tifffile

    if data.nbytes > MAX_BYTES:
        raise WedgefillError(
            f"{path.name}: ImageJ's TIFF holds at most 4 GB, and these data take "
            f"{data.nbytes / 1e9:.1f} GB; write .mrc or .zarr."
        )
    info = "\n".join([writing_note("float32"), *notes])
    metadata |= {"axes": axes, "Info": info}
    resolution = None
    if voxel_nm is not None:
        z, y, x = voxel_nm
        metadata["unit"] = "nm"
        if axes == "ZYX":
            metadata["spacing"] = z
        resolution = (1.0 / x, 1.0 / y)
    tifffile.imwrite(
        path,
        np.ascontiguousarray(data[:, ::-1]),
        imagej=True,
        resolution=resolution,
        metadata=metadata,
    )
