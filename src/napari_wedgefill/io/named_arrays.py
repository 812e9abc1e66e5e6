"""Finding images and angles among arrays that have nothing but names: NumPy, MATLAB, plain HDF5."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from .signals import Axis, stack_of_signal
from .stack import Found, Stack

ANGLE_NAME = re.compile(r"ang|tilt|theta|alpha|rotation|euler|proj.*deg", re.IGNORECASE)
PIXEL_NAME = re.compile(r"pixel|voxel|spacing|px", re.IGNORECASE)
NM_NAME = re.compile(r"nm|nanomet", re.IGNORECASE)
ANGSTROM_NAME = re.compile(r"ang(strom)?s?\b|_a\b", re.IGNORECASE)
#: Five images or more within fewer degrees than this are no tilt series: such angles are radians.
RADIANS_BELOW, FEWEST_RADIANS = 3.2, 5


def stacks_of_arrays(path: Path, arrays: Mapping[str, Any]) -> list[Stack]:
    """Return every stack of images among named arrays, with the angles that fit it.

    Parameters
    ----------
    path : Path
        The file.
    arrays : mapping of str to array_like
        In C order: the tilts come first, unless only another axis is as long as the angles.

    Raises
    ------
    WedgefillError
        If there is none; the sentence lists what is there.
    """
    stacks = []
    for name, data in arrays.items():
        if not _may_be_images(name, data):
            continue
        stack = _stack(path, name, data, arrays)
        if stack is not None:
            stacks.append(stack)
    series = [stack for stack in stacks if stack.n > 1]
    if series or stacks:
        return series or stacks
    there = ", ".join(f"'{name}' ({_shape(data)})" for name, data in arrays.items())
    raise WedgefillError(
        f"{path.name}: no stack of images was found in it; it holds {there or 'no arrays'}."
    )


def _stack(path: Path, name: str, data: Any, arrays: Mapping[str, Any]) -> Stack | None:
    found = find_angles(path, data, arrays)
    pixel_nm = _pixel_nm(arrays)
    unit, edge = ("", 1.0) if pixel_nm is None else ("nm", pixel_nm)
    first = 0 if found is None else found[0]
    axes = [Axis("", unit, n, edge) for n in data.shape]
    if data.ndim == 3:
        axes[first] = Axis("tilt", "", data.shape[first])
    return stack_of_signal(
        path,
        data,
        axes,
        source=path.name,
        dataset=name,
        angles=[] if found is None else [found[1]],
        notes=_notes(arrays),
    )


def find_angles(
    path: Path, data: Any, arrays: Mapping[str, Any]
) -> tuple[int, Found[NDArray[np.float64]]] | None:
    """Find the list among `arrays` that holds the angles of `data`.

    Returns
    -------
    tuple of int and Found of ndarray, or None
        The first axis of `data` that is as long as the list, and the angles in degrees.
    """
    for name, values in arrays.items():
        if values is data or not ANGLE_NAME.search(_last(name)) or not _is_number(values):
            continue
        angles = _single_axis(path, name, np.asarray(values, dtype=np.float64))
        if angles is None:
            continue
        fits = [i for i, n in enumerate(data.shape) if n == len(angles)]
        if fits and len(angles) > 1:
            return fits[0], _in_degrees(path, name, angles)
    return None


def _single_axis(path: Path, name: str, values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return a vector of angles; of Euler triples the only one that varies."""
    values = np.squeeze(values)
    if values.ndim == 1:
        return values
    if values.ndim != 2 or 3 not in values.shape:
        return None
    triples = values if values.shape[1] == 3 else values.T
    varying = [i for i in range(3) if np.ptp(triples[:, i]) > 1e-3]
    if len(varying) != 1:
        raise WedgefillError(
            f"{path.name}: '{name}' holds three Euler angles for each image, of which "
            f"{len(varying)} vary; only series about one tilt axis can be filled."
        )
    return triples[:, varying[0]]


def _in_degrees(path: Path, name: str, angles: NDArray[np.float64]) -> Found[NDArray[np.float64]]:
    """Take angles for radians where their name says so, or where they could be nothing else."""
    is_named = re.search(r"rad(ian)?s?(?![a-z])", _last(name), re.IGNORECASE) is not None
    is_small = len(angles) >= FEWEST_RADIANS and 0.2 < np.abs(angles).max() < RADIANS_BELOW
    if is_named or (is_small and "deg" not in _last(name).lower()):
        return Found(np.rad2deg(angles), f"'{name}' in {path.name}, taken for radians")
    return Found(angles, f"'{name}' in {path.name}")


def _pixel_nm(arrays: Mapping[str, Any]) -> float | None:
    """Return the pixel size that a lone number states, where its name holds the unit."""
    for name, value in arrays.items():
        if _is_number(value) and value.size == 1 and PIXEL_NAME.search(_last(name)):
            size = float(np.asarray(value).ravel()[0])
            if NM_NAME.search(_last(name)):
                return size
            if ANGSTROM_NAME.search(_last(name)):
                return size / 10.0
    return None


def _notes(arrays: Mapping[str, Any]) -> list[str]:
    """Return the lines of text that we left in a file of ours."""
    text = arrays.get("notes")
    if text is None or getattr(text, "dtype", np.dtype(float)).kind != "U":
        return []
    return [str(line) for line in np.atleast_1d(text)]


def _may_be_images(name: str, data: Any) -> bool:
    """Tell images from lists and tables: angles may have two axes, but hardly three."""
    shape = getattr(data, "shape", ())
    if not _is_number(data) or len(shape) not in (2, 3) or 0 in shape:
        return False
    return len(shape) == 3 or (min(shape) > 3 and not ANGLE_NAME.search(_last(name)))


def _is_number(data: Any) -> bool:
    return getattr(data, "dtype", np.dtype(object)).kind in "iuf"


def _last(name: str) -> str:
    return re.split(r"[/.]", name)[-1]


def _shape(data: Any) -> str:
    return " x ".join(map(str, getattr(data, "shape", ()))) or "a single value"
