"""Tilt angle, pixel size and tilt axis from the extended headers of MRC files.

Four layouts occur: SerialEM (``SERI``: packed 16-bit items), the older Agard and FEI layout (float
records, usually without any type code), and FEI1 and FEI2 (which mrcfile describes).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mrcfile.dtypes import get_ext_header_dtype
from numpy.typing import NDArray

from .axis import wrap_degrees
from .stack import Found

#: SerialEM flag bit -> bytes that the item takes in each section's record.
SERIALEM_ITEM_BYTES = {1: 2, 2: 6, 4: 4, 8: 2, 16: 2, 32: 4, 64: 2, 128: 4, 256: 2, 512: 4, 1024: 2}
SERIALEM_TILT, SERIALEM_PIECES = 1, 2
FEI_RECORDS, FEI_RECORD_FLOATS = 1024, 32
FEI_TILT_AXIS, FEI_PIXEL_SIZE = 10, 11
NM_PER_M = 1e9


#: Bits of a FEI1 or FEI2 record's first mask that say that a field was filled in.
FEI_TILT_BIT, FEI_AXIS_BIT = 7, 12
#: This version of FEI's software took degrees for radians and "converted" them.
FEI_TWICE_CONVERTED = b"4.4.0.4981"


@dataclass(frozen=True)
class ExtendedHeader:
    """What an extended header says about a stack of images; None where it says nothing.

    Attributes
    ----------
    angles_deg : Found of ndarray, float64, (n,), or None
        As many as there are records in use, which is more than there are images in a header that
        was copied when images were left out, and less where images were added.
    pixel_nm : Found of float, or None
    axis_deg : Found of float, or None
        Degrees counter-clockwise from vertical in the picture.
    is_montage : bool
    """

    angles_deg: Found[NDArray[np.float64]] | None = None
    pixel_nm: Found[float] | None = None
    axis_deg: Found[float] | None = None
    is_montage: bool = False


def read_extended(
    raw: bytes,
    n: int,
    *,
    exttyp: bytes,
    n_ints: int,
    n_reals: int,
    byte_order: str,
    is_feis: bool = False,
) -> ExtendedHeader:
    """Decode the extended header `raw` of a file with `n` images.

    Parameters
    ----------
    raw : bytes
        The extended header.
    n : int
        Number of images.
    exttyp : bytes
        The four-letter type code, often empty.
    n_ints, n_reals : int
        The 16-bit header words at bytes 128 and 130.
    byte_order : str
        "<" or ">".
    is_feis : bool
        The first label begins with "Fei ": the tilt axis of the old layout is counted clockwise.
    """
    code = exttyp.rstrip(b"\0 ")
    if code in (b"FEI1", b"FEI2"):
        return _fei(raw, n, code, byte_order)
    if code in (b"SERI", b"") and _is_serialem(n_ints, n_reals):
        return _serialem(raw, n, n_ints, n_reals, byte_order)
    if code in (b"AGAR", b"SERI", b""):
        if code == b"" and n_reals == 0 and len(raw) == FEI_RECORDS * FEI_RECORD_FLOATS * 4:
            n_ints, n_reals = 0, FEI_RECORD_FLOATS
        if n_ints == 4 * FEI_RECORD_FLOATS and n_reals == FEI_RECORD_FLOATS:
            n_ints = 0  # FEI's software has put the bytes of a record here
        return _float_records(raw, n, n_ints, n_reals, byte_order, is_feis=is_feis)
    return ExtendedHeader()


def _is_serialem(n_bytes: int, flags: int) -> bool:
    """Tell whether the two words are SerialEM's: the flagged items must add up to the record."""
    if n_bytes <= 0 or flags <= 0:
        return False
    return n_bytes == sum(size for bit, size in SERIALEM_ITEM_BYTES.items() if flags & bit)


def _serialem(raw: bytes, n: int, n_bytes: int, flags: int, byte_order: str) -> ExtendedHeader:
    is_montage = bool(flags & SERIALEM_PIECES)
    n_records = len(raw) // n_bytes
    if not flags & SERIALEM_TILT or n_records == 0:
        return ExtendedHeader(is_montage=is_montage)
    records = np.frombuffer(raw, np.uint8, n_records * n_bytes).reshape(n_records, n_bytes)
    centidegrees = np.ascontiguousarray(records[:, :2]).view(f"{byte_order}i2")[:, 0]
    angles = centidegrees.astype(np.float64) / 100.0
    are_tilts = _are_tilts(angles)
    if n_records < n and not are_tilts.any():
        return ExtendedHeader(is_montage=is_montage)
    angles = angles[: _n_in_use(are_tilts, n)]
    return ExtendedHeader(_angles(angles, "SerialEM extended header"), is_montage=is_montage)


def _are_tilts(angles: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which records hold a tilt; behind the last image lie zeros, and sometimes rubbish."""
    return np.asarray(np.isfinite(angles) & (angles != 0) & (np.abs(angles) <= 180.0))


def _n_in_use(is_filled: NDArray[np.bool_], n: int) -> int:
    """Count the records up to the last one that holds something.

    The last image may well lie at 0 degrees; several zeros at the end are records of no image.
    """
    filled = np.flatnonzero(is_filled)
    n_filled = int(filled[-1]) + 1 if filled.size else n
    return n if n_filled == n - 1 else n_filled


def _float_records(
    raw: bytes, n: int, n_ints: int, n_reals: int, byte_order: str, *, is_feis: bool
) -> ExtendedHeader:
    """Old FEI and Agard layout: per image `n_ints` integers, then `n_reals` floats, tilt first."""
    n_words = n_ints + n_reals
    if n_ints < 0 or n_reals < 1 or len(raw) < n_words * 4:
        return ExtendedHeader()
    n_records = len(raw) // (4 * n_words)
    words = np.frombuffer(raw, f"{byte_order}f4", n_records * n_words).reshape(n_records, n_words)
    words = words[: _n_in_use(_are_tilts(words[:, n_ints].astype(np.float64)), n)]
    records = words[:, n_ints:].astype(np.float64)
    # Records that all say zero were never filled in; unlike SerialEM, nothing flags them as absent.
    source = "extended header (128-byte records)"
    angles = _angles(records[:, 0], source) if records[:, 0].any() else None
    if n_reals < FEI_RECORD_FLOATS:
        return ExtendedHeader(angles)
    axis = float(records[0, FEI_TILT_AXIS])
    return ExtendedHeader(
        angles,
        _pixel_nm(records[:, FEI_PIXEL_SIZE], source),
        # FEI software writes 0 where it does not know. The needle that this package ships is the
        # proof: its records say 0, its log and its images that the axis lies across.
        _axis(-axis if is_feis else axis, source) if axis else None,
    )


def _fei(raw: bytes, n: int, code: bytes, byte_order: str) -> ExtendedHeader:
    dtype = get_ext_header_dtype(code, byte_order)
    if len(raw) < 4:
        return ExtendedHeader()
    # Each record begins with its own length: newer software appends fields to it.
    n_bytes = int(np.frombuffer(raw, dtype.fields["Metadata size"][0], 1)[0])
    if n_bytes < dtype.itemsize or n * dtype.itemsize <= len(raw) < n * n_bytes:
        n_bytes = dtype.itemsize
    n_records = len(raw) // n_bytes
    if n_records == 0:
        return ExtendedHeader()
    rows = np.frombuffer(raw, np.uint8, n_records * n_bytes).reshape(n_records, n_bytes)
    records = np.ascontiguousarray(rows[:, : dtype.itemsize]).view(dtype)[:, 0]
    # Records of no image hold their own length, and nothing else.
    filled = (records["Bitmask 1"] != 0) | (records["Alpha tilt"] != 0)
    if n_records < n and not filled.any():
        return ExtendedHeader()
    records = records[: _n_in_use(filled, n)]
    source = f"{code.decode()} extended header"
    is_scaled = bytes(records["Application version"][0]).rstrip(b"\0") == FEI_TWICE_CONVERTED
    scale = np.pi / 180.0 if is_scaled else 1.0
    angles = records["Alpha tilt"].astype(np.float64) * scale
    axis = float(records["Tilt axis angle"][0]) * scale
    return ExtendedHeader(
        _angles(angles, source) if _has(records, FEI_TILT_BIT) else None,
        _pixel_nm(records["Pixel size X"].astype(np.float64), source),
        # Counted clockwise, as IMOD knows too: it reports the "corrected sign".
        _axis(-axis, source) if _has(records, FEI_AXIS_BIT) else None,
    )


def _has(records: NDArray[np.void], bit: int) -> bool:
    """Tell whether the first record's mask has a bit; a mask of 0 was never filled in."""
    mask = int(records["Bitmask 1"][0])
    return mask == 0 or bool(mask >> bit & 1)


def _angles(angles: NDArray[np.float64], source: str) -> Found[NDArray[np.float64]] | None:
    """Keep angles only if they are numbers that a stage can reach."""
    if not np.all(np.isfinite(angles)) or np.abs(angles).max() > 180.0:
        return None
    return Found(angles, source)


def _pixel_nm(metres: NDArray[np.float64], source: str) -> Found[float] | None:
    pixel_nm = float(metres[0]) * NM_PER_M
    return Found(_round_trip(pixel_nm), source) if 1e-4 < pixel_nm < 1e5 else None


def _axis(axis_deg: float, source: str) -> Found[float] | None:
    if not np.isfinite(axis_deg) or abs(axis_deg) > 360.0:
        return None
    return Found(_round_trip(wrap_degrees(axis_deg)), source)


def _round_trip(value: float) -> float:
    """Drop the digits that a 32-bit float does not hold, so that 3.36 does not read 3.3600001."""
    return float(f"{value:.7g}")
