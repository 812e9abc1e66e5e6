"""The lines of text that travel with what we write, in every format, and what they say when read.

An MRC header holds them as labels, ten of 80 ASCII characters; TIFF, EMD and Zarr hold all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import __version__
from ..tilt_series import TiltSeries
from ..volume import TiltRange, Volume, VolumeOutline

SIGNATURE = "napari-wedgefill"
NUMBER = r"[-+]?[0-9.]{1,20}(?:e[-+]?[0-9]{1,3})?"
_RANGE = re.compile(rf"{SIGNATURE}: (\d+) tilts from ({NUMBER}) to ({NUMBER}) degrees")
_SLICES = re.compile(
    rf"{SIGNATURE}: slices (\d{{1,9}}) to (\d{{1,9}})(?: of (\d{{1,9}}))? along the tilt axis"
)
_PLANES = re.compile(
    rf"{SIGNATURE}: planes (\d{{1,9}}) to (\d{{1,9}}) of (\d{{1,9}}) along the beam"
)
_ANGLES = re.compile(rf"{SIGNATURE}: tilt angles in degrees, in the order of the images: (.*)")
_SCALING = re.compile(rf"{SIGNATURE}: value = ({NUMBER}) x stored \+ ({NUMBER})")
#: Notes that are made anew at each writing, and not kept from the file that was read.
_RENEWED = re.compile(
    rf"{SIGNATURE}( \d\S*)?: "
    r"(written as|\d+ tilts from|tilt angles|slices \d|planes \d|value = |"
    r"tilt axis along y|read from|images turned)"
)


def axis_note(axis_shift_px: float) -> str:
    """Return the note of a stack whose tilt axis is upright, `axis_shift_px` from the centre."""
    return f"{SIGNATURE}: tilt axis along y, at {axis_shift_px:+.4f} px from the centre"


def writing_note(values: str) -> str:
    """Return the note on who wrote a file, and what its `values` are."""
    return f"{SIGNATURE} {__version__}: written as {values}"


def scaling_note(scale: float, offset: float) -> str:
    """Return the note on how stored integers become values."""
    return f"{SIGNATURE}: value = {scale:.9g} x stored + {offset:.9g}"


def volume_notes(volume: Volume | VolumeOutline) -> list[str]:
    """Return what is known of a volume: its history, its tilts, and the slices that it holds."""
    notes = [line for line in volume.history if not _RENEWED.match(line)]
    if volume.tilt_range is not None:
        first, last, n = volume.tilt_range
        notes.append(f"{SIGNATURE}: {n} tilts from {first:.3f} to {last:.3f} degrees")
    if volume.first_slice or volume.whole_height is not None:
        shape = volume.shape if isinstance(volume, VolumeOutline) else volume.data.shape
        start, whole = volume.first_slice, volume.whole_height
        held = f"{start} to {start + shape[1]}{'' if whole is None else f' of {whole}'}"
        notes.append(f"{SIGNATURE}: slices {held} along the tilt axis (y)")
    if isinstance(volume, Volume) and volume.whole_depth is not None:
        start, stop = volume.first_plane, volume.first_plane + volume.data.shape[0]
        whole = volume.whole_depth
        notes.append(f"{SIGNATURE}: planes {start} to {stop} of {whole} along the beam (z)")
    return notes


def series_notes(series: TiltSeries) -> list[str]:
    """Return what is known of a tilt series: its axis, and where it came from."""
    notes = [axis_note(series.axis_shift_px)]
    if series.path is not None:
        notes.append(f"{SIGNATURE}: read from {series.path.name}")
    if series.axis_deg:
        notes.append(f"{SIGNATURE}: images turned by {series.axis_deg:g} degrees at load")
    return notes


def angles_note(angles_deg: ArrayLike) -> str:
    """Return the note of the tilt angles, for formats that have no place for them."""
    words = " ".join(f"{angle:.6g}" for angle in np.asarray(angles_deg, dtype=np.float64))
    return f"{SIGNATURE}: tilt angles in degrees, in the order of the images: {words}"


def angles_from(notes: Sequence[str]) -> NDArray[np.float64] | None:
    """Return the tilt angles in degrees, (n,), or None where no note holds them."""
    for note in notes:
        if match := _ANGLES.match(note):
            words = match[1].split()
            if words and all(re.fullmatch(NUMBER, word) for word in words):
                return np.array(words, dtype=np.float64)
    return None


def tilt_range_from(notes: Sequence[str]) -> TiltRange | None:
    """Return the tilts behind a volume, or None where no note tells."""
    for note in reversed(notes):
        if match := _RANGE.match(note):
            return TiltRange(float(match[2]), float(match[3]), int(match[1]))
    return None


def slices_from(notes: Sequence[str], height: int) -> tuple[int, int | None]:
    """Return where along y a volume of some height begins, and of how many slices.

    (0, None) where no note tells, or where it tells of another height; older notes do not tell the
    number of slices of the whole.
    """
    for note in reversed(notes):
        if match := _SLICES.match(note):
            start, stop = int(match[1]), int(match[2])
            whole = None if match[3] is None else int(match[3])
            fits = stop - start == height and (whole is None or stop <= whole)
            return (start, whole) if fits else (0, None)
    return 0, None


def planes_from(notes: Sequence[str], depth: int) -> tuple[int, int | None]:
    """Return where along z a volume of some depth begins, and of how many planes.

    (0, None) where no note tells, or where it tells of another depth.
    """
    for note in reversed(notes):
        if match := _PLANES.match(note):
            start, stop, whole = (int(part) for part in match.groups())
            return (start, whole) if stop - start == depth and stop <= whole else (0, None)
    return 0, None


def scaling_from(notes: Sequence[str]) -> tuple[float, float] | None:
    """Return (scale, offset) of stored integers, or None where they are the values."""
    for note in notes:
        if match := _SCALING.match(note):
            return float(match[1]), float(match[2])
    return None
