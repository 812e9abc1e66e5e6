"""What every reader of HDF5 files needs: opening, attributes, and arrays without reading them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WedgefillError
from .lazy_arrays import read_by_chunks, report_as_damage

if TYPE_CHECKING:
    import h5py


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


def emd_groups(file: h5py.File) -> dict[str, h5py.Group]:
    """Return the groups that Berkeley's EMD marks as holding an array, by name."""
    import h5py

    found: dict[str, h5py.Group] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and attribute(item, "emd_group_type") in (1, "1", "array"):
            found[name] = item

    visit_all(file, visit)
    return found


def visit_all(file: h5py.File, visit: Any) -> None:
    """Call ``visit(name, item)`` for everything in a file; every name is text."""
    file.visititems(lambda name, item: visit(_make_text(name), item))


def list_members(group: h5py.Group) -> dict[str, Any]:
    """Return what a group holds, by name; every name is text."""
    return {_make_text(name): item for name, item in group.items()}


def _make_text(name: str | bytes) -> str:
    """Return a name as text: h5py leaves one in bytes that is not UTF-8, as damage makes it."""
    return name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else name


def refuse_sequences(path: Path, file: h5py.File) -> None:
    """Refuse a file with an attribute that is a sequence of any length.

    Nobody writes such into a file of images. One damaged bit makes it of a text, and the HDF5
    library ends the process when it reads it.
    """

    def visit(name: str, item: Any) -> None:
        for key in item.attrs:
            if _is_sequence(item, key):
                raise WedgefillError(
                    f"{path.name}: this file is damaged ('{_make_text(key)}' of '{name}' is a "
                    f"sequence where a text or a number belongs); copy or export it again."
                )

    visit("/", file)
    visit_all(file, visit)


def _is_sequence(item: Any, key: str | bytes) -> bool:
    import h5py

    name = key.encode("utf-8") if isinstance(key, str) else key
    stored = h5py.h5a.open(item.id, name).get_type()
    return bool(stored.get_class() == h5py.h5t.VLEN)


def attribute(item: Any, name: str, default: Any = "") -> Any:
    """Return an attribute as text or number; the default where it is absent or unreadable."""
    try:
        if name not in item.attrs or _is_sequence(item, name):
            return default
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
    with report_as_damage(path):
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
