"""MATLAB's .mat files, of versions 5 to 7 and of version 7.3 (HDF5).

Stacks lie there as (x, y, tilt), first index fastest, which in C order is (tilt, y, x). Those that
Python wrote, as (tilt, y, x), give themselves away by angles that fit the first axis alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import WedgefillError
from .hdf5 import MAGIC, arrays_of
from .hdf5_access import open_hdf5
from .lazy_arrays import report_as_damage
from .matlab_elements import read_elements
from .named_arrays import find_angles, stacks_of_arrays
from .stack import Stack

MATLAB_PREFIX_BYTES = 512


def read_matlab(path: Path, *, headers_only: bool = False) -> list[Stack]:
    """Open the stacks of a .mat file; their angles may lie beside them, in a struct too.

    Parameters
    ----------
    path : Path
        The file.
    headers_only : bool
        The pixels will not be looked at: they need not be unpacked.

    Raises
    ------
    WedgefillError
        If the file is damaged or holds no stack of images.
    """
    try:
        with path.open("rb") as file:
            head = file.read(MATLAB_PREFIX_BYTES + len(MAGIC))
    except OSError as error:
        raise WedgefillError(
            f"{path.name}: this file cannot be opened ({error.strerror}); check the path."
        ) from None
    if MAGIC in (head[: len(MAGIC)], head[MATLAB_PREFIX_BYTES:]):
        with report_as_damage(path):
            return _stacks(path, _of_hdf5(path))
    return _stacks(path, read_elements(path, headers_only=headers_only))


def _stacks(path: Path, arrays: dict[str, Any]) -> list[Stack]:
    """Return the stacks among arrays in C order, with a note on what their axes are taken for."""
    of_python = set()
    for name, data in arrays.items():
        found = find_angles(path, data, arrays) if len(data.shape) == 3 else None
        if found is not None and found[0] == 2:
            arrays[name] = data.transpose(2, 1, 0)
            of_python.add(name)
    stacks = stacks_of_arrays(path, arrays)
    return [_note_axes(stack, is_of_python=stack.dataset in of_python) for stack in stacks]


def _of_hdf5(path: Path) -> dict[str, Any]:
    from .formats import check_installed, format_of

    hdf5 = format_of(Path("x.h5"))
    if hdf5 is not None:
        check_installed(path, hdf5)
    arrays = arrays_of(path, open_hdf5(path))
    return {name.replace("/", "."): data for name, data in arrays.items() if name[0] != "#"}


def _note_axes(stack: Stack, *, is_of_python: bool) -> Stack:
    shape = stack.pixels.shape if is_of_python else stack.pixels.shape[::-1]
    note = f"'{stack.dataset}' ({' x '.join(map(str, shape))} in MATLAB) is taken as "
    if is_of_python:
        note += "(tilt, row, column), for its angles fit its first axis."
    else:
        note += "(x, y, tilt); if it is (row, column, tilt), give --axis x --flip."
    return replace(stack, warnings=(*stack.warnings, note))
