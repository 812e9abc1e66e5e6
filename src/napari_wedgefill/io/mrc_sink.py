"""Volumes that are written to MRC files slab by slab, and appear when they are complete."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import mrcfile
import numpy as np
from numpy.typing import NDArray

from ..atomic import refuse_to_replace, write_beside
from ..memory import check_disk_room
from ..volume import VolumeOutline
from .mrc_writer import describe_volume

Floats = NDArray[np.float32]
HEADER_BYTES = 1024
#: Byte of the header where minimum, maximum and mean stand, and where the deviation does.
STATISTICS_AT, DEVIATION_AT = 76, 216
LEAST, MOST = 1e-14, 1e14


class MrcSink:
    """Where the volumes of a job go: ``<name>.mrc`` files in one folder.

    Parameters
    ----------
    folder : Path
        Must be there.
    overwrite : bool
        Replace files of the same names; without it they are refused.

    Attributes
    ----------
    sha256 : dict of str to str
        By the name of a volume: what was written.
    """

    def __init__(self, folder: Path, *, overwrite: bool = False) -> None:
        self.folder = folder
        self.overwrite = overwrite
        self.sha256: dict[str, str] = {}

    def path(self, outline: VolumeOutline) -> Path:
        """Return the file of a volume."""
        return self.folder / f"{outline.name}.mrc"

    def check_room(self, outlines: Iterable[VolumeOutline]) -> None:
        """Raise `WedgefillError` if so many volumes do not fit on the disk."""
        needed = sum(HEADER_BYTES + 4 * int(np.prod(outline.shape)) for outline in outlines)
        check_disk_room(self.folder, needed, "write elsewhere")

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
        self.check_room([outline])
        with write_beside(path) as temporary:
            _lay_out(temporary, outline)
            with temporary.open("r+b", buffering=0) as file:
                stream = MrcStream(file, outline.shape)
                yield stream
                stream.seal()
        self.sha256[outline.name] = stream.sha256

    def fetch(self, outline: VolumeOutline) -> Floats:
        """Map a volume that is complete, read-only."""
        return np.memmap(self.path(outline), np.float32, "r", HEADER_BYTES, outline.shape)


class MrcStream:
    """Takes slabs of y in any order and writes them where they belong in (z, y, x).

    Plain writes, not a map: what was written does not stay in the process' memory.

    Attributes
    ----------
    sha256 : str
        Of the file, once it is sealed.
    """

    def __init__(self, file: FileIO, shape: tuple[int, int, int]) -> None:
        self._file = file
        self._shape = shape
        self._low, self._high = np.inf, -np.inf
        # Sums a row of y, so that they do not depend on how rows were grouped into slabs.
        self._sums = np.zeros((2, shape[1]))
        self.sha256 = ""

    def write(self, start: int, planes: Floats) -> None:
        """Write the rows of y from `start` on, given in the solvers' layout (z, x, n_slices)."""
        _, height, width = self._shape
        stop = start + planes.shape[2]
        for z, plane in enumerate(planes):
            rows = np.ascontiguousarray(plane.T)
            self._file.seek(HEADER_BYTES + 4 * width * (z * height + start))
            _write_all(self._file, rows)
            low, high = float(rows.min()), float(rows.max())
            self._low, self._high = min(self._low, low), max(self._high, high)
            # Squares of very large or small values do not fit into single precision.
            exact = rows if LEAST < max(-low, high) < MOST else rows.astype(np.float64)
            self._sums[0, start:stop] += exact.sum(axis=1)
            self._sums[1, start:stop] += np.einsum("sx,sx->s", exact, exact)

    def seal(self) -> None:
        """Complete the header, take the checksum and have the file on the disk, once."""
        if self.sha256:
            return
        self._write_statistics()
        # Before it has its name, under which another run may put another file.
        self._file.seek(0)
        digest = hashlib.file_digest(self._file, "sha256")
        os.fsync(self._file.fileno())
        self.sha256 = digest.hexdigest()

    def _write_statistics(self) -> None:
        """Put minimum, maximum, mean and deviation into the header."""
        n = int(np.prod(self._shape))
        mean = float(self._sums[0].sum()) / n
        deviation = max(float(self._sums[1].sum()) / n - mean**2, 0.0) ** 0.5
        self._file.seek(STATISTICS_AT)
        self._file.write(struct.pack("=3f", self._low, self._high, mean))
        self._file.seek(DEVIATION_AT)
        self._file.write(struct.pack("=f", deviation))


def _write_all(file: FileIO, rows: Floats) -> None:
    """Write all of it; an unbuffered file may take less at once."""
    data = rows.data.cast("B")
    while data:
        data = data[file.write(data) :]


def _lay_out(path: Path, outline: VolumeOutline) -> None:
    """Make the file with its header, and room for voxels that takes no space yet."""
    with mrcfile.new_mmap(path, outline.shape, mrc_mode=2) as file:
        file.set_volume()
        describe_volume(file, outline)
