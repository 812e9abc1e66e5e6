"""Reading MRC files: header, extended header, labels, and pixels mapped from disk.

The header is decoded here with mrcfile's own field table rather than through `mrcfile.open`, which
refuses files without the MAP identifier unless told otherwise, takes files without a machine stamp
for little-endian, calls every 8-bit file signed and ignores the order of the axes.
"""

from __future__ import annotations

import bz2
import gzip
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from numpy.typing import NDArray

from ..errors import WedgefillError
from .mrc_extended import ExtendedHeader, read_extended
from .mrc_labels import axis_from_labels, axis_shift_from_labels, is_our_own
from .sidecars import without_compression
from .stack import Found, Stack

MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
UNUSABLE_MODES = {3: "complex", 4: "complex", 16: "RGB", 101: "4-bit"}
HEADER_BYTES = 1024
EXTRA2_OFFSET = HEADER_DTYPE.fields["extra2"][1]
IMOD_STAMP = 1146047817
IMOD_SIGNED_BYTES = 1
NM_PER_ANGSTROM = 0.1
MAX_EDGE = 1_000_000
OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
VOLUME_SUFFIXES = (".rec", ".map")


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
    def shape(self) -> tuple[int, int, int]:
        """Sections, rows, columns."""
        return int(self["nz"]), int(self["ny"]), int(self["nx"])

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in use, without padding."""
        n = min(max(int(self["nlabl"]), 0), 10)
        return tuple(bytes(label).decode("latin-1").strip() for label in self["label"][:n])


def read_mrc(path: Path) -> Stack:
    """Open an MRC file (.mrc .st .ali .rec .map .mrcs, also compressed with gzip or bzip2).

    Returns
    -------
    Stack
        Pixels in (z, y, x) order, whatever mapc, mapr and maps the file was written with.

    Raises
    ------
    WedgefillError
        If the file cannot be opened, is not MRC, is truncated, or holds complex or RGB pixels.
    """
    try:
        with _open(path) as file:
            header = _header(path, file.read(HEADER_BYTES))
            raw = file.read(int(header["nsymbt"]))
            sections = _pixels(path, header, file)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "damaged or cut short"
        raise WedgefillError(
            f"{path.name}: this file cannot be read ({reason}); check the path or copy it again."
        ) from None
    extended = _extended(header, raw)
    axes = _axis_order(header)
    pixels = sections.transpose(axes) if axes != (0, 1, 2) else sections
    return _stack(path, header, pixels, extended)


def _open(path: Path) -> IO[bytes]:
    opener = OPENERS.get(path.suffix.lower(), open)
    file: IO[bytes] = opener(path, "rb")
    return file


def _header(path: Path, raw: bytes) -> Header:
    """Decode the header in the byte order in which it makes sense; the stamp may be missing."""
    if len(raw) == HEADER_BYTES:
        for byte_order in "<>":
            fields = np.frombuffer(raw, HEADER_DTYPE.newbyteorder(byte_order))[0]
            edges = [int(fields[name]) for name in ("nx", "ny", "nz")]
            known_mode = int(fields["mode"]) in (*MODES, *UNUSABLE_MODES)
            plausible = all(0 < edge <= MAX_EDGE for edge in edges)
            if known_mode and plausible and 0 <= int(fields["nsymbt"]) < 2**31 - 1:
                return Header(fields, byte_order)
    raise WedgefillError(
        f"{path.name}: its first {HEADER_BYTES} bytes are not an MRC header; "
        f"check that it is an MRC file and complete."
    )


def _pixels(path: Path, header: Header, file: IO[bytes]) -> NDArray[Any]:
    """Map the pixels from disk, or read them if they are compressed; (sections, rows, columns)."""
    mode = int(header["mode"])
    if mode in UNUSABLE_MODES:
        raise WedgefillError(
            f"{path.name}: its pixels are {UNUSABLE_MODES[mode]} (MRC mode {mode}); "
            f"convert it to a real type such as float32 (mode 2)."
        )
    dtype = np.dtype(header.byte_order + MODES[mode])
    if mode == 0 and not _bytes_are_signed(header):
        dtype = np.dtype("u1")
    needed = math.prod(header.shape) * dtype.itemsize
    offset = HEADER_BYTES + int(header["nsymbt"])
    if path.suffix.lower() in OPENERS:
        raw = file.read(needed)
        available = len(raw)
    else:
        available = path.stat().st_size - offset
    if available < needed:
        raise WedgefillError(
            f"{path.name}: the header promises {needed:,} bytes of pixels, but the file holds "
            f"{max(available, 0):,}; it is cut short, so copy or export it again."
        )
    if path.suffix.lower() in OPENERS:
        return np.frombuffer(raw, dtype).reshape(header.shape)
    return np.memmap(path, dtype, "r", offset, header.shape)


def _bytes_are_signed(header: Header) -> bool:
    """Tell whether mode 0 means int8: IMOD's flag decides, else the range that the header states.

    MRC2014 says signed, but files of before 2011 are unsigned and many writers still follow them.
    """
    stamp, flags = header.extra(152, "i4", 2)
    if stamp == IMOD_STAMP:
        return bool(flags & IMOD_SIGNED_BYTES)
    return not (float(header["dmax"]) > 127.0 and float(header["dmin"]) >= 0.0)


def _axis_order(header: Header) -> tuple[int, ...]:
    """Order in which (section, row, column) must be taken to give (z, y, x)."""
    letters = [int(header[name]) for name in ("maps", "mapr", "mapc")]
    if sorted(letters) != [1, 2, 3]:
        return (0, 1, 2)  # never filled in
    return tuple(letters.index(axis) for axis in (3, 2, 1))


def _extended(header: Header, raw: bytes) -> ExtendedHeader:
    n_ints, n_reals = header.extra(128, "i2", 2)
    return read_extended(
        raw,
        header.shape[0],
        exttyp=bytes(header["exttyp"]),
        n_ints=n_ints,
        n_reals=n_reals,
        byte_order=header.byte_order,
    )


def _edges_nm(header: Header) -> tuple[float, float, float] | None:
    """Return the edges (z, y, x) of a cell of the grid in nanometres, or None where not stated."""
    edges = []
    for axis in "zyx":
        length, n = float(header["cella"][axis]), int(header["m" + axis])
        edges.append(length / n * NM_PER_ANGSTROM if n > 0 and np.isfinite(length) else 0.0)
    z, y, x = (float(f"{edge:.7g}") for edge in edges)
    if x <= 0 or y <= 0:
        return None
    return (z if z > 0 else x), y, x


def _stack(path: Path, header: Header, pixels: NDArray[Any], extended: ExtendedHeader) -> Stack:
    edges_nm = _edges_nm(header)
    pixel_nm, doubt, warnings = _pixel_size(edges_nm, extended, header.labels)
    return Stack(
        path,
        pixels,
        without_compression(path).stem,
        angles_deg=extended.angles_deg,
        pixel_nm=pixel_nm,
        pixel_doubt=doubt,
        voxel_nm=edges_nm,
        axis_deg=axis_from_labels(header.labels) or extended.axis_deg,
        axis_shift_px=axis_shift_from_labels(header.labels),
        volume_because=_volume_because(path, header),
        is_montage=extended.is_montage,
        labels=header.labels,
        warnings=warnings,
    )


def _pixel_size(
    edges_nm: tuple[float, float, float] | None, extended: ExtendedHeader, labels: tuple[str, ...]
) -> tuple[Found[float] | None, str, tuple[str, ...]]:
    """Choose between the cell and the extended header: (pixel size, doubt, warnings).

    The cell comes first, for programs that bin keep it up to date and copy the extended header as
    it was; but exactly 1 A, or an absurd size, is what they write when they do not know.
    """
    recorded = extended.pixel_nm
    if edges_nm is None:
        return recorded, "", ()
    cell_nm = edges_nm[2]
    unknown = math.isclose(cell_nm, 0.1, rel_tol=1e-5) and not is_our_own(labels)
    if unknown or not 1e-4 < cell_nm < 1e5:
        return recorded, f"the header's {cell_nm * 10:g} A per pixel mean 'unknown'", ()
    warnings: tuple[str, ...] = ()
    if recorded is not None and not math.isclose(cell_nm, recorded.value, rel_tol=0.01):
        warnings = (
            f"The header's cell says {cell_nm:.4g} nm per pixel, the {recorded.source} says "
            f"{recorded.value:.4g} nm; the cell is used.",
        )
    return Found(cell_nm, "header cell"), "", warnings


def _volume_because(path: Path, header: Header) -> str:
    bare = without_compression(path)
    if bare.suffix.lower() in VOLUME_SUFFIXES:
        return f"its name ends in {bare.suffix}"
    if bare.stem.lower().endswith("_rec"):
        return "its name ends in _rec"
    group, n = int(header["ispg"]), header.shape[0]
    if group > 1 or (group == 1 and int(header["mz"]) == n and n > 1):
        return f"its header says space group {group}, which means a volume"
    return ""
