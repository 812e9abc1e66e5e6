"""Reading mapped files such that one that is cut short meanwhile is an error and not the end.

Looking through a map at what is no longer in the file ends the process (SIGBUS), and in napari the
whole session. Here the map only says where things lie, and plain reads fetch them.
"""

from __future__ import annotations

import mmap
import os
from typing import Any
from weakref import WeakKeyDictionary, finalize

import numpy as np
from numpy.typing import NDArray

from .errors import WedgefillError

#: Descriptors of mapped files, for as long as their maps live.
_OPENED: WeakKeyDictionary[mmap.mmap, int] = WeakKeyDictionary()


def read_mapped(view: Any) -> NDArray[Any]:
    """Return what a view of a memory map or of a lazy array shows, read from its file.

    Anything else is returned as it is.

    Parameters
    ----------
    view : array_like
        Strides may be anything, but what lies between its first and last byte is read.

    Returns
    -------
    ndarray
        Of the view's shape, type and byte order.

    Raises
    ------
    WedgefillError
        If the file has become shorter, or cannot be read any more.
    """
    compute = getattr(view, "compute", None)
    if compute is not None:
        # Of dask, by chunks: a client that the user opened would look for the file elsewhere.
        return np.asarray(compute(scheduler="synchronous"))
    root = find_map(view)
    if root is None or view.size == 0 or not hasattr(os, "preadv"):
        return np.asarray(view)
    begin, end = _find_bounds(view)
    start = root.offset + begin - root.__array_interface__["data"][0]
    raw = _read_bytes(root, start, end - begin)
    here = view.__array_interface__["data"][0] - begin
    return np.ndarray(view.shape, view.dtype, raw, here, view.strides)


def find_map(array: Any) -> np.memmap[Any, Any] | None:
    """Return the memory map that an array is a view of, or None."""
    while array is not None:
        base: Any = getattr(array, "base", None)
        if isinstance(array, np.memmap) and isinstance(base, mmap.mmap):
            return array
        array = base
    return None


def _find_bounds(view: Any) -> tuple[int, int]:
    """Return the addresses of the first byte of a view, and of the one after its last."""
    begin = end = view.__array_interface__["data"][0]
    for n, stride in zip(view.shape, view.strides, strict=True):
        if stride > 0:
            end += (n - 1) * stride
        else:
            begin += (n - 1) * stride
    return begin, end + view.itemsize


def _read_bytes(root: np.memmap[Any, Any], start: int, n_bytes: int) -> bytearray:
    raw = bytearray(n_bytes)
    rest = memoryview(raw)
    try:
        file = _open_again(root)
        while rest:
            n_read = os.preadv(file, [rest], start)
            if n_read == 0:
                raise WedgefillError(
                    f"{root.filename}: the file was cut short while it was being read: byte "
                    f"{start} is not there any more; restore it and run again."
                )
            rest, start = rest[n_read:], start + n_read
    except OSError as error:
        raise WedgefillError(
            f"{root.filename}: the file can no longer be read ({error.strerror or error}); see "
            "whether its disk is still there, and run again."
        ) from error
    return raw


def _open_again(root: np.memmap[Any, Any]) -> int:
    """Return a descriptor of the file that was mapped, the same one while the map lives."""
    mapped: Any = root.base  # a mmap.mmap, see `find_map`
    if mapped not in _OPENED:
        file = os.open(str(root.filename), os.O_RDONLY)
        if os.fstat(file).st_size != mapped.size():
            os.close(file)
            raise WedgefillError(
                f"{root.filename}: the file was replaced while it was being read; run again."
            )
        _OPENED[mapped] = file
        finalize(mapped, os.close, file)
    return _OPENED[mapped]
