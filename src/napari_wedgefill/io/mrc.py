"""Reading MRC files: header, extended header, labels, and pixels mapped from disk."""

from __future__ import annotations

import bz2
import gzip
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from .mrc_extended import ExtendedHeader, read_extended
from .mrc_header import HEADER_BYTES, MODES, UNUSABLE_MODES, Header, are_bytes_signed, read_header
from .mrc_labels import axis_from_labels, axis_shift_from_labels, is_our_own
from .sidecars import without_compression
from .stack import Found, Stack

OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
VOLUME_SUFFIXES = (".rec", ".map")
PIECE_BYTES = 64 << 20


def read_mrc(path: Path, signed_bytes: bool | None = None) -> Stack:
    """Open an MRC file (.mrc .st .ali .rec .map .mrcs, also compressed with gzip or bzip2).

    Parameters
    ----------
    path : Path
        The file.
    signed_bytes : bool, optional
        Whether 8-bit pixels are signed; by default the header decides.

    Returns
    -------
    Stack
        Pixels in (z, y, x) order, whatever mapc, mapr and maps the file was written with.

    Raises
    ------
    WedgefillError
        If the file cannot be opened, is not MRC, is truncated, or holds complex or RGB pixels.
    """
    is_compressed = path.suffix.lower() in OPENERS
    try:
        with _open(path) as file:
            n_bytes = None if is_compressed else path.stat().st_size
            header = read_header(path, file.read(HEADER_BYTES), n_bytes)
            mode = int(header["mode"])
            if mode in UNUSABLE_MODES:
                raise WedgefillError(
                    f"{path.name}: its pixels are {UNUSABLE_MODES[mode]} (MRC mode {mode}); "
                    f"convert it to a real type such as float32 (mode 2)."
                )
            promised = int(header["nsymbt"])
            raw = _read_up_to(file, promised + header.pixel_bytes) if is_compressed else b""
            available = len(raw) if n_bytes is None else n_bytes - HEADER_BYTES
            has_extended = _has_extended(path, header, available)
            offset = promised if has_extended else 0
            extended = b""
            if has_extended:
                extended = raw[:promised] if is_compressed else file.read(promised)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "damaged or cut short"
        raise WedgefillError(
            f"{path.name}: this file cannot be read ({reason}); check the path or copy it again."
        ) from None
    sections, warnings = _pixels(path, header, raw[offset:], offset, signed_bytes)
    if promised and not has_extended:
        warnings.append(
            f"{path.name}: its header promises an extended header of {promised:,} bytes that is "
            f"not there; the pixels were taken to begin right behind the header."
        )
    order, reversed_axes = header.axes()
    if reversed_axes:
        sections = np.flip(sections, reversed_axes)
    pixels = sections.transpose(order) if order != (0, 1, 2) else sections
    return _stack(path, header, pixels, _read_extended_header(header, extended), warnings)


def _open(path: Path) -> IO[bytes]:
    opener = OPENERS.get(path.suffix.lower(), open)
    file: IO[bytes] = opener(path, "rb")
    return file


def _read_up_to(file: IO[bytes], n_bytes: int) -> bytes:
    """Read in pieces: a damaged header may promise more bytes than any memory holds."""
    pieces = []
    while n_bytes > 0 and (piece := file.read(min(n_bytes, PIECE_BYTES))):
        pieces.append(piece)
        n_bytes -= len(piece)
    return b"".join(pieces)


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


def _pixels(
    path: Path, header: Header, raw: bytes, offset: int, signed_bytes: bool | None
) -> tuple[NDArray[Any], list[str]]:
    """Map the pixels from disk, or take them from `raw`; (sections, rows, columns), warnings."""
    mode = int(header["mode"])
    is_8_bit = mode == 0 and not header.is_packed
    dtype = np.dtype("u1" if header.is_packed else header.byte_order + MODES[mode])
    is_sure = True
    if is_8_bit:
        is_signed, is_sure = are_bytes_signed(header)
        if signed_bytes is not None:
            is_signed, is_sure = signed_bytes, True
        dtype = np.dtype("i1" if is_signed else "u1")
    n_sections, n_rows, n_columns = header.shape
    width = (n_columns + 1) // 2 if header.is_packed else n_columns
    shape = (n_sections, n_rows, width)
    pixels: NDArray[Any]
    if raw:
        pixels = np.frombuffer(raw, dtype, math.prod(shape)).reshape(shape)
    else:
        pixels = np.memmap(path, dtype, "r", HEADER_BYTES + offset, shape)
    warnings = []
    if not is_sure and _matters(pixels[n_sections // 2]):
        words = ("signed", "unsigned") if dtype.kind == "i" else ("unsigned", "signed")
        warnings.append(
            f"{path.name}: nothing in its header says whether its 8-bit pixels are signed; they "
            f"are read as {words[0]}, so give --{words[1]} (signed_bytes={dtype.kind != 'i'} in "
            f"Python) if bright and dark look swapped."
        )
    return (_split_bytes(pixels, n_columns) if header.is_packed else pixels), warnings


def _matters(section: NDArray[Any]) -> bool:
    """Tell whether any byte means something else signed than unsigned."""
    return bool((section.view("u1") > 127).any())


def _split_bytes(pixels: NDArray[Any], n_columns: int) -> NDArray[np.uint8]:
    """Split each byte into its two pixels of 4 bits, the first one in the low half."""
    both = np.stack([pixels & 15, pixels >> 4], axis=-1)
    return np.asarray(both.reshape(*pixels.shape[:2], -1)[:, :, :n_columns], dtype=np.uint8)


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
    path: Path,
    header: Header,
    pixels: NDArray[Any],
    extended: ExtendedHeader,
    warnings: list[str],
) -> Stack:
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
