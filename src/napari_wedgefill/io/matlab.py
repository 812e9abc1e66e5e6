"""MATLAB's .mat files, up to version 7 (through scipy) and of version 7.3 (HDF5).

Stacks lie there as (x, y, tilt), first index fastest, which in C order is (tilt, y, x).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WedgefillError
from .hdf5 import MAGIC, arrays_of
from .hdf5_access import open_hdf5
from .lazy_arrays import told_as_damage
from .named_arrays import stacks_of_arrays
from .stack import Stack

MATLAB_PREFIX_BYTES = 512
#: Structs inside structs are followed to this depth.
MAX_DEPTH = 4


def read_matlab(path: Path) -> list[Stack]:
    """Open the stacks of a .mat file; their angles may lie beside them, in a struct too.

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
        with told_as_damage(path):
            return [_told(stack) for stack in stacks_of_arrays(path, _of_hdf5(path))]
    return [_told(stack) for stack in stacks_of_arrays(path, _of_old(path))]


def _of_hdf5(path: Path) -> dict[str, Any]:
    from .formats import check_installed, format_of

    hdf5 = format_of(Path("x.h5"))
    if hdf5 is not None:
        check_installed(path, hdf5)
    arrays = arrays_of(path, open_hdf5(path))
    return {name.replace("/", "."): data for name, data in arrays.items() if name[0] != "#"}


def _of_old(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    with told_as_damage(path):
        variables = loadmat(path, struct_as_record=True, squeeze_me=False)
    found: dict[str, Any] = {}
    for name, value in variables.items():
        if not name.startswith("__"):
            _collect(name, value, found, MAX_DEPTH)
    return found


def _collect(name: str, value: Any, found: dict[str, Any], depth: int) -> None:
    """Take arrays of numbers out of structs and cells; ``struct.field`` becomes the name."""
    array = np.asarray(value)
    if array.dtype.names and depth:
        for element in array.ravel()[:1]:
            for field in array.dtype.names:
                _collect(f"{name}.{field}", element[field], found, depth - 1)
    elif array.dtype == object and depth:
        for element in array.ravel()[:1]:
            _collect(name, element, found, depth - 1)
    elif array.dtype.kind in "iuf" and array.size:
        found[name] = array.T


def _told(stack: Stack) -> Stack:
    note = (
        "A MATLAB stack is taken as (x, y, tilt); if the images lie on their side, give --axis x."
    )
    return replace(stack, warnings=(*stack.warnings, note))
