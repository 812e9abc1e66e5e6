"""Volumes that are written to MRC files slab by slab, and appear when they are complete."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import mrcfile
import numpy as np
from numpy.typing import NDArray

from ..atomic import refuse_to_replace, write_beside
from ..errors import WedgefillError
from ..memory import format_bytes
from ..volume import VolumeOutline
from .mrc_writer import describe_volume

Floats = NDArray[np.float32]
HEADER_BYTES = 1024
#: Byte of the header where minimum, maximum and mean stand, and where the deviation does.
STATISTICS_AT, DEVIATION_AT = 76, 216


class MrcSink:
    """Where the volumes of a job go: ``<name>.mrc`` files in one folder.

    Parameters
    ----------
    folder : Path
        Must be there.
    overwrite : bool
        Replace files of the same names; without it they are refused.
    """

    def __init__(self, folder: Path, *, overwrite: bool = False) -> None:
        self.folder = folder
        self.overwrite = overwrite

    def path(self, outline: VolumeOutline) -> Path:
        """Return the file of a volume."""
        return self.folder / f"{outline.name}.mrc"

    def check(self, names: Iterable[str]) -> None:
        """Refuse names of volumes that are taken already, before anything is computed.

        Parameters
        ----------
        names : iterable of str
            Of the volumes to come, such as ``needle_gan``.

        Raises
        ------
        WedgefillError
            If a file of one of them is there and may not be replaced.
        """
        for name in names:
            refuse_to_replace(self.folder / f"{name}.mrc", overwrite=self.overwrite)

    @contextmanager
    def open_writer(self, outline: VolumeOutline) -> Iterator[MrcStream]:
        """Give the stream that takes the slabs; the file is in place once the block has ended.

        Raises
        ------
        WedgefillError
            If the file is there already and may not be replaced, or the place cannot be written or
            has too little room; nothing half-written is left.
        """
        path = self.path(outline)
        refuse_to_replace(path, overwrite=self.overwrite)
        needed = HEADER_BYTES + 4 * int(np.prod(outline.shape))
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise WedgefillError(
                f"{path}: it will take {format_bytes(needed)}, but only {format_bytes(free)} are "
                "left on the disk; free some, or write elsewhere."
            )
        with write_beside(path) as temporary:
            _lay_out(temporary, outline)
            with temporary.open("r+b", buffering=0) as file:
                stream = MrcStream(file, outline.shape)
                yield stream
                stream.finish()

    def fetch(self, outline: VolumeOutline) -> Floats:
        """Map a volume that is complete, read-only."""
        return np.memmap(self.path(outline), np.float32, "r", HEADER_BYTES, outline.shape)


class MrcStream:
    """Takes slabs of y in any order and writes them where they belong in (z, y, x).

    Plain writes, not a map: what was written does not stay in the process' memory.
    """

    def __init__(self, file: BinaryIO, shape: tuple[int, int, int]) -> None:
        self._file = file
        self._shape = shape
        self._low, self._high = np.inf, -np.inf
        # Sums a row of y, so that they do not depend on how rows were grouped into slabs.
        self._sums = np.zeros((2, shape[1]))

    def write(self, start: int, planes: Floats) -> None:
        """Write the rows of y from `start` on, given in the solvers' layout (z, x, n_slices)."""
        _, height, width = self._shape
        stop = start + planes.shape[2]
        for z, plane in enumerate(planes):
            self._file.seek(HEADER_BYTES + 4 * width * (z * height + start))
            _write_all(self._file, np.ascontiguousarray(plane.T))
            self._low = min(self._low, float(plane.min()))
            self._high = max(self._high, float(plane.max()))
            self._sums[0, start:stop] += plane.sum(axis=0)
            self._sums[1, start:stop] += np.einsum("xs,xs->s", plane, plane)

    def finish(self) -> None:
        """Put minimum, maximum, mean and deviation into the header."""
        n = int(np.prod(self._shape))
        mean = float(self._sums[0].sum()) / n
        deviation = max(float(self._sums[1].sum()) / n - mean**2, 0.0) ** 0.5
        self._file.seek(STATISTICS_AT)
        self._file.write(struct.pack("=3f", self._low, self._high, mean))
        self._file.seek(DEVIATION_AT)
        self._file.write(struct.pack("=f", deviation))


def _write_all(file: BinaryIO, rows: Floats) -> None:
    """Write all of it; an unbuffered file may take less at once."""
    data = rows.data.cast("B")
    while data:
        data = data[file.write(data) :]


def _lay_out(path: Path, outline: VolumeOutline) -> None:
    """Make the file with its header, and room for voxels that takes no space yet."""
    with mrcfile.new_mmap(path, outline.shape, mrc_mode=2) as file:
        file.set_volume()
        describe_volume(file, outline)
