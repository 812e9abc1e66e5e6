"""MATLAB's .mat files, of versions 5 to 7 and of version 7.3 (HDF5).

Stacks lie there as (x, y, tilt), first index fastest, which in C order is (tilt, y, x).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import WedgefillError
from .hdf5 import MAGIC, arrays_of
from .hdf5_access import open_hdf5
from .lazy_arrays import told_as_damage
from .matlab_elements import read_elements
from .named_arrays import stacks_of_arrays
from .stack import Stack

MATLAB_PREFIX_BYTES = 512


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
    return [_told(stack) for stack in stacks_of_arrays(path, read_elements(path))]


def _of_hdf5(path: Path) -> dict[str, Any]:
    from .formats import check_installed, format_of

    hdf5 = format_of(Path("x.h5"))
    if hdf5 is not None:
        check_installed(path, hdf5)
    arrays = arrays_of(path, open_hdf5(path))
    return {name.replace("/", "."): data for name, data in arrays.items() if name[0] != "#"}


def _told(stack: Stack) -> Stack:
    note = (
        "A MATLAB stack is taken as (x, y, tilt); if the images lie on their side, give --axis x."
    )
    return replace(stack, warnings=(*stack.warnings, note))
