"""HDF5 files: data exchange (X-ray tomography), NeXus, and others with a stack and its angles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .hdf5_access import is_emd, lazy, open_hdf5, read, visit_all
from .lazy_arrays import report_as_damage
from .named_arrays import stacks_of_arrays
from .stack import Stack

if TYPE_CHECKING:
    import h5py

#: What an HDF5 file begins with; MATLAB puts 512 bytes of its own before.
MAGIC = b"\x89HDF\r\n\x1a\n"
#: Sets of data exchange that are no projections.
EXCHANGE_FIELDS = ("data_white", "data_dark")
#: One-dimensional sets up to this length are read, for they may be angles.
MAX_LIST = 100_000


def read_hdf5(path: Path) -> list[Stack]:
    """Open the stacks of an HDF5 file, without reading their pixels.

    HyperSpy's and EMD's layouts are recognised under any suffix.

    Raises
    ------
    WedgefillError
        If the file is damaged or holds no stack of images.
    """
    with report_as_damage(path):
        file = open_hdf5(path)
        if "Experiments" in file:
            from .rosetta import read_signals

            file.close()
            return read_signals(path, "rsciio.hspy")
        if is_emd(file):
            from .emd import stacks_of_emd

            return stacks_of_emd(path, file)
        arrays = arrays_of(path, file)
        if "exchange/data" in arrays:
            arrays = {name: data for name, data in arrays.items() if name.startswith("exchange/")}
            fields = [
                name for name in EXCHANGE_FIELDS if arrays.pop(f"exchange/{name}", None) is not None
            ]
            stacks = stacks_of_arrays(path, arrays)
            return [_note_fields(stack, fields) for stack in stacks]
        return stacks_of_arrays(path, arrays)


def arrays_of(path: Path, file: h5py.File) -> dict[str, Any]:
    """Return every array of a file by its name: stacks lazily, short lists and numbers read."""
    import h5py

    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "iuf" or not item.size:
            return
        is_short = item.ndim < 2 or (item.ndim == 2 and 3 in item.shape)
        if is_short and item.size <= MAX_LIST:
            found[name] = np.asarray(read(path, item))
        elif item.ndim in (2, 3):
            found[name] = lazy(path, item)

    visit_all(file, visit)
    return found


def _note_fields(stack: Stack, fields: list[str]) -> Stack:
    if not fields:
        return stack
    note = f"The file holds {' and '.join(fields)} as well; they were not applied."
    return replace(stack, warnings=(*stack.warnings, note))
