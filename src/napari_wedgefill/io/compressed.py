"""Files behind .gz or .bz2: unpacked once, into a temporary folder, and mapped from there."""

from __future__ import annotations

import bz2
import gzip
import shutil
import tempfile
import zlib
from collections.abc import Callable
from functools import lru_cache
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


def unpack(path: Path) -> Path:
    """Return a plain file with the bytes of `path`: itself, unless it is compressed.

    Unpacked files live in a temporary folder until the program ends; a file that has not changed
    is unpacked once.

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
    return _unpack(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="wedgefill-", ignore_cleanup_errors=True)


@lru_cache(maxsize=64)
def _unpack(path: Path, _changed: int, n_packed: int) -> Path:
    folder = Path(tempfile.mkdtemp(dir=_folder().name))
    target = folder / without_compression(path).name
    free = shutil.disk_usage(folder).free // 2
    allowed = min(free, max(MAX_GROWTH * n_packed, ALWAYS_LEGAL_BYTES))
    try:
        with OPENERS[path.suffix.lower()](path, "rb") as packed, target.open("wb") as plain:
            _copy(path, packed, plain, allowed)
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


def _copy(path: Path, packed: IO[bytes], plain: IO[bytes], allowed: int) -> None:
    written = 0
    while block := packed.read(CHUNK_BYTES):
        written += len(block)
        if written > allowed:
            raise WedgefillError(
                f"{path.name}: it unpacks to more than {format_bytes(allowed)}, which is too much "
                "for its size or for the disk; unpack it by hand if it is sound."
            )
        plain.write(block)
