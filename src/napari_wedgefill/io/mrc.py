"""Reading MRC files: header, extended header, labels, and pixels mapped from disk."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from .compressed import is_compressed, open_packed, stated_bytes, unpack
from .lazy_arrays import make_stand_in
from .mrc_extended import ExtendedHeader, read_extended
from .mrc_header import (
    HEADER_BYTES,
    MODES,
    STAMPS,
    UNUSABLE_MODES,
    Header,
    are_bytes_signed,
    read_header,
)
from .mrc_labels import axis_from_labels, axis_shift_from_labels, is_our_own
from .sidecars import without_compression
from .stack import Found, Stack

VOLUME_SUFFIXES = (".rec", ".map")


def read_mrc(path: Path, signed_bytes: bool | None = None, *, headers_only: bool = False) -> Stack:
    """Open an MRC file (.mrc .st .ali .rec .map .mrcs, also compressed with gzip or bzip2).

    Parameters
    ----------
    path : Path
        The file.
    signed_bytes : bool, optional
        Whether 8-bit pixels are signed; by default the header decides.
    headers_only : bool
        The pixels will not be looked at: they need not be unpacked.

    Returns
    -------
    Stack
        Pixels in (z, y, x) order, whatever mapc, mapr and maps the file was written with.

    Raises
    ------
    WedgefillError
        If the file cannot be opened, is not MRC, is truncated, or holds complex or RGB pixels.
    """
    header, plain = None, path
    try:
        if is_compressed(path):
            header, n_bytes = _header_of_packed(path)
            if headers_only and header is not None and _is_of_length(path, n_bytes):
                return _describe_without_pixels(path, header, signed_bytes)
            plain = unpack(path, n_bytes)
        with plain.open("rb") as file:
            n_bytes = plain.stat().st_size
            header = header or read_header(path, file.read(HEADER_BYTES), n_bytes)
            _check_mode(path, header)
            promised = int(header["nsymbt"])
            has_extended = _has_extended(path, header, n_bytes - HEADER_BYTES)
            file.seek(HEADER_BYTES)
            extended = file.read(promised) if has_extended else b""
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "damaged or cut short"
        raise WedgefillError(
            f"{path.name}: this file cannot be read ({reason}); check the path or copy it again."
        ) from None
    warnings = []
    if promised and not has_extended:
        warnings.append(
            f"{path.name}: its header promises an extended header of {promised:,} bytes that is "
            f"not there; the pixels were taken to begin right behind the header."
        )
    dtype, is_sure = _pixel_type(header, signed_bytes)
    mapped = np.memmap(plain, dtype, "r", HEADER_BYTES + len(extended), _shape_in_file(header))
    pixels: NDArray[Any] = mapped
    if header.is_packed:
        pixels = make_stand_in(header.shape, "u1") if headers_only else _split(mapped, header)
    if not is_sure and _matters(mapped[len(mapped) // 2]):
        warnings.append(_note_sign(path, dtype))
    return _stack(path, header, pixels, extended, warnings)


def _header_of_packed(path: Path) -> tuple[Header | None, int | None]:
    """Read the header of a compressed file, and how many bytes it needs; None if it is not sure.

    A header without a stamp of its byte order is understood by the length of the file.
    """
    with open_packed(path) as file:
        header = read_header(path, file.read(HEADER_BYTES), None)
    _check_mode(path, header)
    if int(header["machst"][0]) not in STAMPS:
        return None, None
    return header, HEADER_BYTES + int(header["nsymbt"]) + header.pixel_bytes


def _is_of_length(path: Path, n_bytes: int | None) -> bool:
    stated = stated_bytes(path)
    return stated is not None and n_bytes is not None and stated == n_bytes % 2**32


def _describe_without_pixels(path: Path, header: Header, signed_bytes: bool | None) -> Stack:
    """Describe a compressed file of the length that its header asks for, without unpacking it."""
    with open_packed(path) as file:
        extended = file.read(HEADER_BYTES + int(header["nsymbt"]))[HEADER_BYTES:]
    dtype, is_sure = _pixel_type(header, signed_bytes)
    warnings = [] if is_sure else [_note_sign(path, dtype)]
    pixels = make_stand_in(header.shape, dtype)
    return _stack(path, header, pixels, extended, warnings)


def _check_mode(path: Path, header: Header) -> None:
    mode = int(header["mode"])
    if mode in UNUSABLE_MODES:
        raise WedgefillError(
            f"{path.name}: its pixels are {UNUSABLE_MODES[mode]} (MRC mode {mode}); "
            f"convert it to a real type such as float32 (mode 2)."
        )


def _has_extended(path: Path, header: Header, available: int) -> bool:
    """Tell whether the extended header that is promised is there, by the length of the file."""
    promised, needed = int(header["nsymbt"]), header.pixel_bytes
    if available >= promised + needed:
        return True
    if promised and available == needed:
        return False
    raise WedgefillError(
        f"{path.name}: the header promises {needed:,} bytes of pixels, but the file holds "
        f"{max(available - promised, 0):,}; it is cut short, so copy or export it again."
    )


def _pixel_type(header: Header, signed_bytes: bool | None) -> tuple[np.dtype[Any], bool]:
    """Return the type of the numbers in the file, and whether it is sure."""
    if header.is_packed:
        return np.dtype("u1"), True
    mode = int(header["mode"])
    if mode != 0:
        return np.dtype(header.byte_order + MODES[mode]), True
    is_signed, is_sure = are_bytes_signed(header)
    if signed_bytes is not None:
        is_signed, is_sure = signed_bytes, True
    return np.dtype("i1" if is_signed else "u1"), is_sure


def _shape_in_file(header: Header) -> tuple[int, int, int]:
    """Sections, rows and columns of the numbers in the file, of which each may hold two pixels."""
    n_sections, n_rows, n_columns = header.shape
    return n_sections, n_rows, (n_columns + 1) // 2 if header.is_packed else n_columns


def _note_sign(path: Path, dtype: np.dtype[Any]) -> str:
    words = ("signed", "unsigned") if dtype.kind == "i" else ("unsigned", "signed")
    return (
        f"{path.name}: nothing in its header says whether its 8-bit pixels are signed; they "
        f"are read as {words[0]}, so give --{words[1]} (signed_bytes={dtype.kind != 'i'} in "
        f"Python) if bright and dark look swapped."
    )


def _matters(section: NDArray[Any]) -> bool:
    """Tell whether any byte means something else signed than unsigned."""
    return bool((section.view("u1") > 127).any())


def _split(packed: NDArray[Any], header: Header) -> NDArray[np.uint8]:
    """Split each byte into its two pixels of 4 bits, the first one in the low half."""
    pixels = np.empty(header.shape, np.uint8)
    for section, numbers in zip(pixels, packed, strict=True):
        section[:, ::2] = numbers[:, : (header.shape[2] + 1) // 2] & 15
        section[:, 1::2] = numbers[:, : header.shape[2] // 2] >> 4
    return pixels


def _read_extended_header(header: Header, raw: bytes) -> ExtendedHeader:
    n_ints, n_reals = header.extra(128, "i2", 2)
    return read_extended(
        raw,
        header.shape[0],
        exttyp=bytes(header["exttyp"]),
        n_ints=n_ints,
        n_reals=n_reals,
        byte_order=header.byte_order,
        is_feis=header.is_feis,
    )


def _stack(
    path: Path, header: Header, pixels: NDArray[Any], raw_extended: bytes, warnings: list[str]
) -> Stack:
    """Bring the axes into order, and say what header and extended header know."""
    order, reversed_axes = header.axes()
    if reversed_axes:
        pixels = np.flip(pixels, reversed_axes)
    if order != (0, 1, 2):
        pixels = pixels.transpose(order)
    extended = _read_extended_header(header, raw_extended)
    edges_nm = header.edges_nm()
    sizes, doubt = _pixel_sizes(edges_nm, extended, header.labels)
    axis = axis_from_labels(header.labels)
    return Stack(
        path,
        pixels,
        without_compression(path).stem,
        angles_found=() if extended.angles_deg is None else (extended.angles_deg,),
        pixels_found=sizes,
        pixel_doubt=doubt,
        voxel_nm=edges_nm,
        axes_found=tuple(one for one in (axis, extended.axis_deg) if one is not None),
        axis_shift_px=axis_shift_from_labels(header.labels),
        volume_because=_volume_because(path, header),
        is_montage=extended.is_montage,
        row_0_on_top=header.row_0_on_top,
        labels=header.labels,
        warnings=tuple(warnings),
    )


def _pixel_sizes(
    edges_nm: tuple[float, float, float] | None, extended: ExtendedHeader, labels: tuple[str, ...]
) -> tuple[tuple[Found[float], ...], str]:
    """Pixel sizes that can be believed, best first, and why the cell's was not.

    The cell comes first, for programs that bin keep it up to date and copy the extended header as
    it was; but exactly 1 A, or an absurd size, is what they write when they do not know.
    """
    recorded = () if extended.pixel_nm is None else (extended.pixel_nm,)
    if edges_nm is None:
        return recorded, ""
    cell_nm = edges_nm[2]
    unknown = math.isclose(cell_nm, 0.1, rel_tol=1e-5) and not is_our_own(labels)
    if unknown or not 1e-4 < cell_nm < 1e5:
        return recorded, f"the header's {cell_nm * 10:g} A per pixel mean 'unknown'"
    return (Found(cell_nm, "header cell"), *recorded), ""


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
