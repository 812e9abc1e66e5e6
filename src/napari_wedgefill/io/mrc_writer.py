"""Writing volumes and tilt series as MRC: float32, or integers and half floats on request."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..tilt_series import TiltSeries
from ..volume import Volume, VolumeOutline
from .mrc_labels import label_lines
from .notes import scaling_note, series_notes, volume_notes, writing_note

ANGSTROM_PER_NM = 10.0
#: MRC mode -> type of its pixels and the range of values that the scaling aims at.
WRITTEN_MODES: dict[int, tuple[str, tuple[float, float]]] = {
    1: ("int16", (-32767.0, 32767.0)),
    2: ("float32", (-np.inf, np.inf)),
    6: ("uint16", (0.0, 65535.0)),
    12: ("float16", (-32768.0, 32768.0)),
}
#: SerialEM's extended header that holds tilt angles alone: two bytes an image, flag 1.
SERI_BYTES, SERI_TILT_FLAG, CENTIDEGREES = 2, 1, 100
#: Byte of the header where the two words that describe the extended header stand.
SERI_WORDS_AT = 128


def write_mrc_volume(path: Path, volume: Volume, mode: int = 2) -> None:
    """Write a volume (z, y, x) to `path`, row 0 at the bottom."""
    stored, note = _convert_to_mode(volume.data, mode)
    with mrcfile.new(path) as file:
        file.set_data(stored)
        # The order matters: this call rescales the cell that voxel_size writes.
        file.set_volume()
        describe_volume(file, volume, [*_values(mode), *note])


def write_mrc_series(path: Path, series: TiltSeries, mode: int = 2) -> None:
    """Write a tilt series (tilt, y, x) to `path`, its angles in a SerialEM extended header."""
    stored, note = _convert_to_mode(series.array(), mode)
    with mrcfile.new(path) as file:
        file.set_data(stored)
        file.set_image_stack()
        angles = np.rint(series.angles_deg * CENTIDEGREES).astype(np.int16)
        file.set_extended_header(np.frombuffer(angles.tobytes(), "V1"))
        file.header.exttyp = b"SERI"
        words = np.array([SERI_BYTES, SERI_TILT_FLAG], np.int16).tobytes()
        _overwrite_extra(file, SERI_WORDS_AT, words)
        edge = series.pixel_nm
        _put_voxel_size(file, None if edge is None else (edge, edge, edge))
        _put_labels(file, [*_values(mode), *note, *series_notes(series)])


def describe_volume(
    file: Any, volume: Volume | VolumeOutline, first_notes: Sequence[str] = ()
) -> None:
    """Put voxel size, place and labels into the header of an open file that has its shape."""
    _put_voxel_size(file, volume.voxel_nm)
    # Where the first voxel lies in the whole volume: for programs that read starts, and for those
    # that read the origin (IMOD turns the sign of the origin in files that follow the standard).
    first_plane = volume.first_plane if isinstance(volume, Volume) else 0
    file.header.nystart, file.header.nzstart = volume.first_slice, first_plane
    if volume.voxel_nm is not None:
        file.header.origin.y = volume.first_slice * volume.voxel_nm[1] * ANGSTROM_PER_NM
        file.header.origin.z = first_plane * volume.voxel_nm[0] * ANGSTROM_PER_NM
    _put_labels(file, [*(first_notes or _values(2)), *volume_notes(volume)])


def _values(mode: int) -> list[str]:
    return [writing_note(f"{WRITTEN_MODES[mode][0]} (mode {mode})")]


def _convert_to_mode(data: NDArray[np.float32], mode: int) -> tuple[NDArray[Any], list[str]]:
    """Return the data as the mode stores them, and a note where they had to be scaled.

    Whole numbers that fit stay what they are, and so do half floats within their range.
    """
    if mode not in WRITTEN_MODES:
        known = ", ".join(map(str, WRITTEN_MODES))
        raise WedgefillError(f"MRC mode {mode}: values are written in one of the modes {known}.")
    dtype, (low, high) = WRITTEN_MODES[mode]
    if mode == 2:
        return np.ascontiguousarray(data, dtype=np.float32), []
    smallest, largest = float(data.min()), float(data.max())
    if low <= smallest and largest <= high:
        if mode == 12:
            return data.astype(np.float16), []
        if all(np.array_equal(plane, np.rint(plane)) for plane in data):
            return data.astype(dtype), []
    scale = (largest - smallest) / (high - low) or 1.0
    offset = smallest - low * scale
    stored = np.empty(data.shape, dtype)
    for plane, result in zip(data, stored, strict=True):
        scaled = (plane.astype(np.float64) - offset) / scale
        result[:] = (scaled if mode == 12 else np.rint(scaled)).clip(low, high)
    return stored, [scaling_note(scale, offset)]


def _put_voxel_size(file: Any, voxel_nm: tuple[float, float, float] | None) -> None:
    z, y, x = (0.0, 0.0, 0.0) if voxel_nm is None else voxel_nm
    file.voxel_size = (x * ANGSTROM_PER_NM, y * ANGSTROM_PER_NM, z * ANGSTROM_PER_NM)


def _put_labels(file: Any, notes: Sequence[str]) -> None:
    lines = label_lines(notes)
    file.header.label[:] = b""
    for i, line in enumerate(lines):
        file.header.label[i] = line.ljust(80)
    file.header.nlabl = len(lines)


def _overwrite_extra(file: Any, offset: int, words: bytes) -> None:
    """Put bytes into the part of the header that IMOD and SerialEM define."""
    extra = bytearray(bytes(file.header.extra2))
    start = offset - file.header.dtype.fields["extra2"][1]
    extra[start : start + len(words)] = words
    file.header.extra2 = bytes(extra)
