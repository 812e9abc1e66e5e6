"""Files behind .gz or .bz2: unpacked once, into a temporary folder, and mapped from there."""

from __future__ import annotations

import bz2
import gzip
import shutil
import tempfile
import zlib
from collections.abc import Callable
from functools import lru_cache
from os import SEEK_END
from pathlib import Path
from typing import IO, Any

from ..errors import WedgefillError
from ..memory import format_bytes
from .sidecars import without_compression

OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
#: Images of detectors hardly shrink: what grows by more than this is not one, but a trap.
MAX_GROWTH = 200
#: Growth that is legal anyway: volumes with empty surroundings, masks.
ALWAYS_LEGAL_BYTES = 256 << 20
CHUNK_BYTES = 4 << 20


def unpack(path: Path, n_bytes: int | None = None) -> Path:
    """Return a plain file with the bytes of `path`: itself, unless it is compressed.

    Unpacked files live in a temporary folder until the program ends; a file that has not changed
    is unpacked once.

    Parameters
    ----------
    path : Path
        The file.
    n_bytes : int, optional
        How many bytes are of use; what lies behind them is not unpacked.

    Raises
    ------
    WedgefillError
        If the file is damaged, or unpacks to more than it can honestly hold or the disk can take.
    """
    if path.suffix.lower() not in OPENERS:
        return path
    try:
        state = path.stat()
    except OSError as error:
        raise WedgefillError(
            f"{path.name}: this file cannot be opened ({error.strerror}); check the path."
        ) from None
    return _unpack(path, state.st_mtime_ns, state.st_size, n_bytes)


def is_compressed(path: Path) -> bool:
    """Tell by the name whether a file is compressed."""
    return path.suffix.lower() in OPENERS


def open_packed(path: Path) -> IO[bytes]:
    """Open a compressed file such that its plain bytes are read, as far as anybody asks."""
    file: IO[bytes] = OPENERS[path.suffix.lower()](path, "rb")
    return file


def stated_bytes(path: Path) -> int | None:
    """Return the length of a compressed file's content, modulo 2^32, if it states one.

    gzip states that of the last of its parts, of which nearly all files have one.
    """
    if path.suffix.lower() != ".gz" or path.stat().st_size < 18:
        return None
    with path.open("rb") as file:
        file.seek(-4, SEEK_END)
        return int.from_bytes(file.read(4), "little")


def name_unpacked_file(name: str) -> Path:
    """Return a path in a new folder, which goes when the program ends."""
    return Path(tempfile.mkdtemp(dir=_folder().name)) / name


@lru_cache(maxsize=8)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="wedgefill-", ignore_cleanup_errors=True)


@lru_cache(maxsize=64)
def _unpack(path: Path, _changed: int, n_packed: int, n_bytes: int | None) -> Path:
    target = name_unpacked_file(without_compression(path).name)
    free = shutil.disk_usage(target.parent).free // 2
    allowed = min(free, max(MAX_GROWTH * n_packed, ALWAYS_LEGAL_BYTES))
    try:
        needed = stated_bytes(path) if n_bytes is None else n_bytes
        if needed is not None and needed > allowed:
            raise _too_much(path, needed)
        with OPENERS[path.suffix.lower()](path, "rb") as packed, target.open("wb") as plain:
            _copy(path, packed, plain, allowed, n_bytes)
    except WedgefillError:
        target.unlink(missing_ok=True)
        raise
    except (OSError, EOFError, zlib.error, ValueError) as error:
        target.unlink(missing_ok=True)
        reason = getattr(error, "strerror", None) or "damaged or cut short"
        raise WedgefillError(
            f"{path.name}: this file cannot be unpacked ({reason}); check the path or copy it "
            f"again."
        ) from None
    return target


def _copy(
    path: Path, packed: IO[bytes], plain: IO[bytes], allowed: int, n_bytes: int | None
) -> None:
    left = allowed + 1 if n_bytes is None else n_bytes
    while left > 0 and (block := packed.read(min(CHUNK_BYTES, left))):
        left -= len(block)
        plain.write(block)
    if n_bytes is None and left == 0:
        raise _too_much(path, allowed)


def _too_much(path: Path, n_bytes: int) -> WedgefillError:
    return WedgefillError(
        f"{path.name}: it unpacks to {format_bytes(n_bytes)} or more, which is too much for its "
        "size or for the disk; unpack it by hand if it is sound."
    )
