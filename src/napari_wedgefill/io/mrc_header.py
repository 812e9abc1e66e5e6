"""The first 1024 bytes of an MRC file: byte order, mode, whether bytes are signed, axes, labels.

They are decoded with mrcfile's own field table rather than through `mrcfile.open`, which refuses
files without the MAP identifier unless told otherwise, takes files without a machine stamp for
little-endian, calls every 8-bit file signed and ignores the order of the axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from ..errors import WedgefillError

MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
PACKED_MODE = 101
UNUSABLE_MODES = {3: "complex", 4: "complex", 16: "RGB"}
HEADER_BYTES = 1024
EXTRA2_OFFSET = HEADER_DTYPE.fields["extra2"][1]
IMOD_STAMP = 1146047817
IMOD_SIGNED_BYTES, IMOD_PACKED_BYTES = 1, 16
NM_PER_ANGSTROM = 0.1
MAX_EDGE = 1_000_000
#: First byte of the machine stamp: how integers lie in the file.
STAMPS = {0x44: "<", 0x11: ">"}
#: Version of the format in which FEI's first layout stores the top row of a picture first.
TOP_ROW_FIRST_VERSION = 20140


@dataclass(frozen=True)
class Header:
    """The first 1024 bytes of an MRC file, decoded."""

    fields: np.void
    byte_order: str

    def __getitem__(self, name: str) -> Any:
        """Return one field of mrcfile's header table."""
        return self.fields[name]

    def extra(self, offset: int, dtype: str, count: int) -> list[int]:
        """Integers at byte `offset` of the header, in the part that IMOD and SerialEM define."""
        raw, start = bytes(self.fields["extra2"]), offset - EXTRA2_OFFSET
        return [int(v) for v in np.frombuffer(raw, self.byte_order + dtype, count, start)]

    @property
    def imod_flags(self) -> int | None:
        """IMOD's flags, or None where it did not write the file."""
        stamp, flags = self.extra(152, "i4", 2)
        return flags if stamp == IMOD_STAMP else None

    @property
    def is_packed(self) -> bool:
        """True if each byte holds two pixels of 4 bits."""
        if int(self["mode"]) == PACKED_MODE:
            return True
        return int(self["mode"]) == 0 and bool((self.imod_flags or 0) & IMOD_PACKED_BYTES)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Sections, rows, columns, in pixels."""
        # Packed bytes in mode 0 are counted as bytes, in mode 101 as pixels.
        n_columns = int(self["nx"]) * (2 if self.is_packed and int(self["mode"]) == 0 else 1)
        return int(self["nz"]), int(self["ny"]), n_columns

    @property
    def pixel_bytes(self) -> int:
        """Bytes of all pixels together."""
        n_sections, n_rows, n_columns = self.shape
        if self.is_packed:
            return n_sections * n_rows * ((n_columns + 1) // 2)
        return n_sections * n_rows * n_columns * np.dtype(MODES[int(self["mode"])]).itemsize

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in use, without padding."""
        n = min(max(int(self["nlabl"]), 0), 10)
        return tuple(bytes(label).decode("latin-1").strip("\0 ") for label in self["label"][:n])

    @property
    def is_feis(self) -> bool:
        """True if FEI's old software says in the first label that it wrote the file."""
        return bytes(self["label"][0]).startswith(b"Fei ")

    @property
    def row_0_on_top(self) -> bool:
        """True where the first row is the picture's top: FEI's first layout, untouched by IMOD.

        IMOD reads the same files upside down, and writes them the other way round.
        """
        is_fei = bytes(self["exttyp"]).startswith(b"FEI")
        version = int(self["nversion"])
        return is_fei and version == TOP_ROW_FIRST_VERSION and self.imod_flags is None

    def axes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Order in which (section, row, column) give (z, y, x), and which of those are reversed.

        A negative number means that rows or columns run backwards in the file. Sections are taken
        in its order whatever their sign: angles are listed in that order too.
        """
        letters = [int(self[name]) for name in ("maps", "mapr", "mapc")]
        reversed_axes = tuple(i for i, letter in enumerate(letters) if i and letter < 0)
        letters = [abs(letter) for letter in letters]
        if sorted(letters) != [1, 2, 3]:
            return (0, 1, 2), ()  # never filled in
        return tuple(letters.index(axis) for axis in (3, 2, 1)), reversed_axes

    def edges_nm(self) -> tuple[float, float, float] | None:
        """Return the edges (z, y, x) of a cell of the grid in nanometres; None if not stated."""
        edges = []
        for axis in "zyx":
            length, n = float(self["cella"][axis]), int(self["m" + axis])
            edges.append(length / n * NM_PER_ANGSTROM if n > 0 and np.isfinite(length) else 0.0)
        z, y, x = (float(f"{edge:.7g}") for edge in edges)
        if x <= 0 or y <= 0:
            return None
        if self.is_packed and self.shape[2] != int(self["nx"]) and self["mx"] == self["nx"]:
            # The grid was counted in bytes; a cell in proportion shows whether it was scaled too.
            x = y if math.isclose(x, 2 * y, rel_tol=0.01) else x
        return (z if z > 0 else x), y, x


def read_header(path: Path, raw: bytes, file_bytes: int | None) -> Header:
    """Decode a header in the byte order of its stamp, or, where that is missing, of its sense.

    Parameters
    ----------
    path : Path
        For error messages.
    raw : bytes
        The beginning of the file.
    file_bytes : int or None
        Length of the file, where it is known: both orders may make sense.

    Raises
    ------
    WedgefillError
        If it makes no sense in either order.
    """
    candidates = list(_plausible_headers(raw))
    if not candidates:
        raise WedgefillError(
            f"{path.name}: its first {HEADER_BYTES} bytes are not an MRC header; "
            f"check that it is an MRC file and complete."
        )
    if len(candidates) == 1:
        return candidates[0]
    stamped = STAMPS.get(int(candidates[0]["machst"][0]))
    for header in candidates:
        if header.byte_order == stamped:
            return header
    fitting = [h for h in candidates if file_bytes is not None and _fits(h, file_bytes)]
    return (fitting or candidates)[0]


def _plausible_headers(raw: bytes) -> Iterator[Header]:
    if len(raw) < HEADER_BYTES:
        return
    for byte_order in "<>":
        fields = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(byte_order), 1)[0]
        edges = [int(fields[name]) for name in ("nx", "ny", "nz")]
        known_mode = int(fields["mode"]) in (*MODES, *UNUSABLE_MODES, PACKED_MODE)
        plausible = all(0 < edge <= MAX_EDGE for edge in edges)
        if known_mode and plausible and 0 <= int(fields["nsymbt"]) < 2**31 - 1:
            yield Header(fields, byte_order)


def _fits(header: Header, file_bytes: int) -> bool:
    if int(header["mode"]) in UNUSABLE_MODES:
        return False
    return HEADER_BYTES + int(header["nsymbt"]) + header.pixel_bytes <= file_bytes


def are_bytes_signed(header: Header) -> tuple[bool, bool]:
    """Tell whether mode 0 means int8, and whether the header is sure of it.

    IMOD's flag decides, else the range that the header states, by IMOD's rule. MRC2014 says signed,
    but files of before 2011 are unsigned and many writers still follow them.
    """
    flags = header.imod_flags
    if flags is not None:
        return bool(flags & IMOD_SIGNED_BYTES), True
    low, high = float(header["dmin"]), float(header["dmax"])
    if low < 0.0 and high >= 128.0:
        return -low > high - 128.0, False
    if low < 0.0 and high < 128.0 and low < high:
        return True, low >= -128.0
    return False, 128.0 <= high <= 255.0
