"""HDF5 files: data exchange (X-ray tomography), NeXus, and others with a stack and its angles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WedgefillError
from .lazy_arrays import read_by_chunks, told_as_damage
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
    with told_as_damage(path):
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
            return [_told_of_fields(stack, fields) for stack in stacks]
        return stacks_of_arrays(path, arrays)


def open_hdf5(path: Path) -> h5py.File:
    """Open an HDF5 file for reading; it stays open as long as its arrays are in use."""
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        reason = str(error).splitlines()[0] if str(error) else "not HDF5"
        raise WedgefillError(
            f"{path.name}: this is not a sound HDF5 file ({reason[:120]}); copy or export it again."
        ) from None


def is_emd(file: h5py.File) -> bool:
    """Tell whether a file is laid out as EMD: Berkeley's groups, or Velox's."""
    return "Data/Image" in file or bool(emd_groups(file))


def emd_groups(file: h5py.File) -> list[str]:
    """Return the names of the groups that Berkeley's EMD marks as holding an array."""
    import h5py

    found: list[str] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and attribute(item, "emd_group_type") in (1, "1", "array"):
            found.append(name)

    visit_all(file, visit)
    return found


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


def visit_all(file: h5py.File, visit: Any) -> None:
    """Call ``visit(name, item)`` for everything in a file."""
    file.visititems(visit)


def attribute(item: Any, name: str, default: Any = "") -> Any:
    """Return an attribute as text or number; the default where it is absent or unreadable."""
    try:
        value = item.attrs.get(name, default)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, UnicodeDecodeError):
        return default
    if isinstance(value, np.ndarray):
        if value.size == 0:
            return default
        value = value.ravel()[0] if value.size == 1 else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value


def read(path: Path, dataset: h5py.Dataset) -> Any:
    """Read a small data set.

    Raises
    ------
    WedgefillError
        If it is damaged.
    """
    with told_as_damage(path):
        return dataset[()]


def lazy(path: Path, dataset: h5py.Dataset) -> Any:
    """Return a data set without reading it: mapped where it lies in one piece, else chunk by chunk.

    Raises
    ------
    WedgefillError
        If it lies beyond the end of the file.
    """
    offset = dataset.id.get_offset()
    if offset is not None and dataset.dtype.kind in "iuf" and not dataset.external:
        n_bytes = dataset.size * dataset.dtype.itemsize
        if offset + n_bytes > path.stat().st_size:
            raise WedgefillError(
                f"{path.name}: '{dataset.name}' promises {n_bytes:,} bytes that the file does not "
                f"hold; it is cut short, so copy or export it again."
            )
        return np.memmap(path, dataset.dtype, "r", offset, dataset.shape)
    return read_by_chunks(path, dataset, _chunks(dataset))


def _chunks(dataset: h5py.Dataset) -> Any:
    """One image a chunk, unless the file's own chunks span more."""
    if dataset.ndim < 3:
        return dataset.shape
    n_images = dataset.chunks[0] if dataset.chunks else 1
    return (n_images, *dataset.shape[1:])


def _told_of_fields(stack: Stack, fields: list[str]) -> Stack:
    if not fields:
        return stack
    note = f"The file holds {' and '.join(fields)} as well; they were not applied."
    return replace(stack, warnings=(*stack.warnings, note))
