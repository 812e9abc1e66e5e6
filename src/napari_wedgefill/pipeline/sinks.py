"""Where the voxels of a volume go while they are computed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..memory import DEFAULT_SHARE, measure_free_bytes, release_pages
from ..volume import VolumeOutline

Floats = NDArray[np.float32]


class SlabWriter(Protocol):
    """Takes a volume slab by slab."""

    def write(self, start: int, planes: Floats) -> None:
        """Take the rows of y from `start` on, in the solvers' layout (z, x, n_slices)."""


class Sink(Protocol):
    """A place for the volumes of one job."""

    def open_writer(self, outline: VolumeOutline) -> AbstractContextManager[SlabWriter]:
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

    @contextmanager
    def open_writer(self, outline: VolumeOutline) -> Iterator[SlabWriter]:
        """Give an array of the right shape to write into."""
        if self._left is None:
            self._left = int(DEFAULT_SHARE * measure_free_bytes())
        n_bytes = 4 * int(np.prod(outline.shape))
        if n_bytes <= self._left:
            self._left -= n_bytes
            data = np.empty(outline.shape, np.float32)
        else:
            with tempfile.TemporaryFile(prefix="wedgefill-") as file:
                data = np.memmap(file, np.float32, "w+", shape=outline.shape)
        yield _ArrayWriter(data)
        self._volumes[outline.name] = data

    def fetch(self, outline: VolumeOutline) -> Floats:
        """Return the array, and forget it."""
        return self._volumes.pop(outline.name)


class _ArrayWriter:
    def __init__(self, data: Floats) -> None:
        self._data = data

    def write(self, start: int, planes: Floats) -> None:
        self._data[:, start : start + planes.shape[2]] = planes.transpose(0, 2, 1)
        release_pages(self._data)
