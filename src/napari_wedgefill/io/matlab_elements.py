"""The arrays of MATLAB files of versions 5 to 7, read element by element.

scipy's reader looks types up in C arrays by numbers that it takes from the file unchecked: a single
damaged byte can end the program, and with it the window. Here every number is checked before it is
used, and arrays that lie in the file uncompressed are mapped.

Format: MathWorks, "MAT-File Format" (Level 5 MAT-Files).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from .compressed import ALWAYS_LEGAL_BYTES, CHUNK_BYTES, MAX_GROWTH, name_unpacked_file

HEADER_BYTES = 128
#: The tags of a compressed variable lie within so many bytes.
HEAD_BYTES = 4096
#: Longer variables are unpacked to the disk, and mapped.
SHORT_BYTES = 1 << 20
#: Types of elements that hold numbers.
NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
MATRIX, COMPRESSED = 14, 15
#: Classes of matrices.
CELL, STRUCT, OBJECT = 1, 2, 3
NUMERIC = range(6, 16)
COMPLEX_FLAG = 0x0800
#: No array of images has more axes; MATLAB's own limit is higher.
MAX_AXES = 32
#: Structs inside structs are followed to this depth.
MAX_DEPTH = 4

Bytes = NDArray[np.uint8]


class DamagedError(ValueError):
    """The bytes are not what the format asks for; the text says what is wrong."""


@dataclass(frozen=True)
class Element:
    """One element: its type, its content, and where the next one begins."""

    kind: int
    content: Bytes
    next: int


def read_elements(path: Path, *, headers_only: bool = False) -> dict[str, NDArray[Any]]:
    """Return every real numeric array of a file by its name.

    Fields of structs are called ``struct.field``; of arrays of structs and of cells the first entry
    counts. Text, sparse arrays, complex numbers and objects without plain fields are passed over.

    Parameters
    ----------
    path : Path
        The file.
    headers_only : bool
        Nobody will look at the values of large arrays: compressed ones are zeros instead.

    Returns
    -------
    dict of str to ndarray
        With reversed axes, which is C order: MATLAB's last index comes first.

    Raises
    ------
    WedgefillError
        If the file is damaged, of version 4, or unpacks to more than it can honestly hold.
    """
    try:
        whole: Bytes = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError):
        whole = np.empty(0, np.uint8)
    stamp = bytes(whole[HEADER_BYTES - 2 : HEADER_BYTES])
    if stamp not in (b"IM", b"MI"):
        raise WedgefillError(
            f"{path.name}: this is not a MATLAB file of version 5 or later; save it in MATLAB with "
            f"save(..., '-v7')."
        )
    order = "<" if stamp == b"IM" else ">"
    found: dict[str, NDArray[Any]] = {}
    try:
        for element in _elements(whole[HEADER_BYTES:], order):
            if element.kind == COMPRESSED:
                element = _first(
                    _inflate(path, element.content, order, headers_only=headers_only), order
                )
            if element.kind != MATRIX:
                raise DamagedError(f"a variable of unknown type {element.kind}")
            _collect(element.content, order, "", found, MAX_DEPTH)
    except DamagedError as error:
        raise WedgefillError(
            f"{path.name}: this MATLAB file is damaged ({error}); copy or save it again."
        ) from None
    return found


def _elements(data: Bytes, order: str) -> Iterator[Element]:
    at = 0
    while at < len(data):
        element = _first(data[at:], order)
        yield element
        at += element.next


def _first(data: Bytes, order: str) -> Element:
    """Split off the first element; content of up to four bytes may lie in the tag itself."""
    if len(data) < 8:
        raise DamagedError("it ends inside a tag")
    first, n = (int(word) for word in data[:8].view(f"{order}u4"))
    if first >> 16:
        kind, n, start, n_padded = first & 0xFFFF, first >> 16, 4, 4
        if n > 4:
            raise DamagedError(f"a short element of {n} bytes")
    else:
        kind, start, n_padded = first, 8, n if first == COMPRESSED else -(-n // 8) * 8
    if kind not in NUMBERS and kind not in (MATRIX, COMPRESSED, 16, 17, 18):
        raise DamagedError(f"an element of unknown type {kind}")
    if start + n > len(data):
        raise DamagedError(f"{n:,} bytes are promised where {len(data) - start:,} follow")
    return Element(kind, data[start : start + n], start + n_padded)


def _inflate(path: Path, packed: Bytes, order: str, *, headers_only: bool) -> Bytes:
    """Unpack one variable; its own tag says how long it is. Large ones go to the disk."""
    try:
        head = zlib.decompressobj().decompress(packed[:HEAD_BYTES].tobytes(), HEAD_BYTES)
        if len(head) < 8:
            raise DamagedError("a compressed variable is empty")
        n = 8 + int(np.frombuffer(head[:8], f"{order}u4")[1])
        if n > max(MAX_GROWTH * len(packed), ALWAYS_LEGAL_BYTES):
            raise WedgefillError(
                f"{path.name}: one variable unpacks to {n:,} bytes, which is too much for its "
                f"size; save it with '-v6' if it is sound."
            )
        if n <= SHORT_BYTES:
            return np.frombuffer(zlib.decompressobj().decompress(packed.data, n), np.uint8)
        target = name_unpacked_file("variable")
        with target.open("wb") as file:
            if headers_only and _is_array(head, order):
                file.write(head)
                file.truncate(n)  # the rest is zeros, which take no room
            else:
                _write_inflated(packed, n, file)
    except zlib.error as error:
        raise DamagedError(f"a compressed variable: {error}") from None
    return np.memmap(target, np.uint8, "r")


def _is_array(head: bytes, order: str) -> bool:
    """Tell from its beginning whether a variable is one array of numbers: its tags come first."""
    words = np.frombuffer(head[:24], f"{order}u4")
    return len(words) == 6 and int(words[4]) & 0xFF in NUMERIC


def _write_inflated(packed: Bytes, n: int, file: IO[bytes]) -> None:
    """Unpack `n` bytes piece by piece."""
    machine, left = zlib.decompressobj(), n
    for start in range(0, len(packed), CHUNK_BYTES):
        waiting = packed[start : start + CHUNK_BYTES].tobytes()
        while waiting and left:
            piece = machine.decompress(waiting, min(left, CHUNK_BYTES))
            waiting = machine.unconsumed_tail
            left -= len(piece)
            file.write(piece)
    if left:
        raise DamagedError(f"a compressed variable of {n:,} bytes ends {left:,} bytes early")


def _collect(
    content: Bytes, order: str, name: str, found: dict[str, NDArray[Any]], depth: int
) -> None:
    """Take the numbers out of one matrix, and of what structs and cells hold.

    What lies in a struct or a cell has no name of its own: the caller gives it.
    """
    parts = _elements(content, order)
    flags = _numbers(next(parts, None), order)
    if len(flags) != 2:
        return  # an empty matrix
    kind = int(flags[0]) & 0xFF
    if kind not in (CELL, STRUCT, OBJECT, *NUMERIC):
        return
    shape = [int(n) for n in _numbers(next(parts, None), order)[: MAX_AXES + 1]]
    if not 2 <= len(shape) <= MAX_AXES or min(shape) < 0:
        raise DamagedError(f"an array with the axes {shape[:4]}")
    own_name = _text(next(parts, None))
    name = name or own_name
    if kind in NUMERIC:
        data = next(parts, None)
        if not int(flags[0]) & COMPLEX_FLAG and data is not None:
            _keep(name, _numbers(data, order), shape, found)
    elif depth and math.prod(shape):
        if kind == CELL:
            names = [name]
        else:
            names = [f"{name}.{field}" for field in _fields(parts, order, kind)]
        for inner, part in zip(names, parts, strict=False):
            if part.kind == MATRIX and len(part.content):
                _collect(part.content, order, inner, found, depth - 1)


def _keep(
    name: str, values: NDArray[Any], shape: list[int], found: dict[str, NDArray[Any]]
) -> None:
    if values.size != math.prod(shape):
        raise DamagedError(
            f"'{name}' has {' x '.join(map(str, shape))} values, but {values.size:,} are there"
        )
    if values.size:
        found[name] = values.reshape(shape[::-1])


def _fields(parts: Iterator[Element], order: str, kind: int) -> list[str]:
    """Read the names of a struct's fields, each in as many bytes."""
    if kind == OBJECT:
        next(parts, None)  # the name of its class
    lengths = _numbers(next(parts, None), order)
    names = next(parts, None)
    if len(lengths) != 1 or lengths[0] <= 0 or names is None:
        raise DamagedError("a struct without names of fields")
    n, text = int(lengths[0]), names.content.tobytes()
    return [_decode(text[i : i + n]) for i in range(0, len(text), n)]


def _numbers(element: Element | None, order: str) -> NDArray[Any]:
    if element is None:
        return np.empty(0)
    if element.kind not in NUMBERS:
        raise DamagedError(f"numbers of unknown type {element.kind}")
    dtype = np.dtype(order + NUMBERS[element.kind])
    if len(element.content) % dtype.itemsize:
        raise DamagedError(f"{len(element.content):,} bytes are no whole {dtype.name} numbers")
    return element.content.view(dtype)


def _text(element: Element | None) -> str:
    return "" if element is None else _decode(element.content.tobytes())


def _decode(text: bytes) -> str:
    return text.split(b"\0")[0].decode("latin-1")
