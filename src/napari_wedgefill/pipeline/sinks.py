"""Where the voxels of a volume go while they are computed."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..memory import (
    DEFAULT_SHARE,
    check_disk_room,
    format_bytes,
    measure_free_bytes,
    release_pages,
)
from ..volume import VolumeOutline

Floats = NDArray[np.float32]
_ELSEWHERE = "set TMPDIR to a folder on a larger disk"


class SlabWriter(Protocol):
    """Takes a volume slab by slab."""

    def write(self, start: int, planes: Floats) -> None:
        """Take the rows of y from `start` on, in the solvers' layout (z, x, n_slices)."""


class VolumeWriter(SlabWriter, Protocol):
    """Takes a whole volume slab by slab."""

    def seal(self) -> None:
        """Do all that is left but putting the volume in its place; no more slabs come."""


class Sink(Protocol):
    """A place for the volumes of one job."""

    def check_room(self, outlines: Iterable[VolumeOutline]) -> None:
        """Raise `WedgefillError` if volumes like these do not fit, before one is computed."""

    def open_writer(self, outline: VolumeOutline) -> AbstractContextManager[VolumeWriter]:
        """Give what takes the slabs of one volume; leaving the block completes it."""

    def fetch(self, outline: VolumeOutline) -> Floats:
        """Return the voxels (z, y, x) of a volume that is complete."""


class ArraySink:
    """Volumes as arrays: in memory while they fit, then in nameless files of the system's own.

    Parameters
    ----------
    in_memory_bytes : int, optional
        What all volumes may take in memory; half of what is free by default. What does not fit is
        mapped from a temporary file that goes when the array does.
    """

    def __init__(self, in_memory_bytes: int | None = None) -> None:
        self._left = in_memory_bytes
        self._volumes: dict[str, Floats] = {}

    def check_room(self, outlines: Iterable[VolumeOutline]) -> None:
        """Raise `WedgefillError` if memory and the disk for temporary files are too small."""
        in_memory = self._measure_left()
        on_disk = 0
        for n_bytes in map(count_bytes, outlines):
            if n_bytes <= in_memory:
                in_memory -= n_bytes
            else:
                on_disk += n_bytes
        if on_disk:
            check_disk_room(Path(tempfile.gettempdir()), on_disk, _ELSEWHERE)

    def _measure_left(self) -> int:
        if self._left is None:
            self._left = int(DEFAULT_SHARE * measure_free_bytes())
        return self._left

    @contextmanager
    def open_writer(self, outline: VolumeOutline) -> Iterator[VolumeWriter]:
        """Give an array of the right shape to write into.

        Raises
        ------
        WedgefillError
            If it goes to the disk, and the disk is full.
        """
        n_bytes, left = count_bytes(outline), self._measure_left()
        if n_bytes <= left:
            self._left = left - n_bytes
            data = np.empty(outline.shape, np.float32)
        else:
            data = _map_temporary_file(outline)
        yield _ArrayWriter(data)
        self._volumes[outline.name] = data

    def fetch(self, outline: VolumeOutline) -> Floats:
        """Return the array, and forget it."""
        return self._volumes.pop(outline.name)


def count_bytes(outline: VolumeOutline) -> int:
    """Count the bytes of a volume's voxels."""
    return 4 * int(np.prod(outline.shape))


def _map_temporary_file(outline: VolumeOutline) -> Floats:
    """Map a nameless file that has its room on the disk already.

    Without that a full disk shows only when a page is written, and then ends the process.
    """
    with tempfile.TemporaryFile(prefix="wedgefill-") as file:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, count_bytes(outline))
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise WedgefillError(
                        f"{tempfile.gettempdir()}: there is no room left for {outline.name} "
                        f"({format_bytes(count_bytes(outline))}); free some, or {_ELSEWHERE}."
                    ) from error
                # some file systems have no such call
        return np.memmap(file, np.float32, "w+", shape=outline.shape)


class _ArrayWriter:
    def __init__(self, data: Floats) -> None:
        self._data = data

    def write(self, start: int, planes: Floats) -> None:
        self._data[:, start : start + planes.shape[2]] = planes.transpose(0, 2, 1)
        release_pages(self._data)

    def seal(self) -> None:
        """Do nothing: an array is complete with its last slab."""
