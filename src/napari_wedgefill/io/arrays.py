"""NumPy's own files: .npy, one array mapped from disk, and .npz, several with names."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WedgefillError
from ..memory import format_bytes, measure_free_bytes
from .compressed import ALWAYS_LEGAL_BYTES, MAX_GROWTH
from .lazy_arrays import make_stand_in
from .named_arrays import stacks_of_arrays
from .stack import Stack

#: What NumPy's readers and zipfile raise where bytes are not what they expect.
DAMAGES = (
    OSError, ValueError, TypeError, SyntaxError, EOFError, KeyError, OverflowError, MemoryError,
    RuntimeError, zlib.error, zipfile.BadZipFile, tokenize.TokenError,
)  # fmt: skip


#: Arrays up to this length may be angles, and cost nothing to read.
SHORT_BYTES = 1 << 20


def read_numpy(path: Path, *, headers_only: bool = False) -> list[Stack]:
    """Open the stacks of a .npy or .npz file; arrays in an .npz are found by their names.

    Parameters
    ----------
    path : Path
        The file.
    headers_only : bool
        The pixels will not be looked at: those of an .npz need not be unpacked.

    Raises
    ------
    WedgefillError
        If the file is damaged, holds Python objects, or no stack of images.
    """
    try:
        if path.suffix.lower() == ".npy":
            arrays: dict[str, Any] = {path.stem: np.load(path, mmap_mode="r", allow_pickle=False)}
        else:
            arrays = _members(path, headers_only=headers_only)
    except WedgefillError:
        raise
    except DAMAGES as error:
        raise WedgefillError(
            f"{path.name}: this is not a sound NumPy file of numbers ({_reason(error)}); save it "
            f"again with numpy.save or numpy.savez."
        ) from None
    stacks = stacks_of_arrays(path, arrays)
    return [stack for stack in stacks if stack.pixels.ndim == 3]


def _members(path: Path, *, headers_only: bool) -> dict[str, Any]:
    """Read the arrays of an .npz, or stand-ins for those that are large."""
    check_unpacked_size(path)
    with np.load(path, allow_pickle=False) as archive:
        if not headers_only:
            return {name: archive[name] for name in archive.files}
        return {name: _describe_member(archive, name) for name in archive.files}


def _describe_member(archive: Any, name: str) -> Any:
    """Return an array of an .npz if it is a short list, else one of its shape and type."""
    with archive.zip.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        reads = {(1, 0): np.lib.format.read_array_header_1_0}
        read = reads.get(version, np.lib.format.read_array_header_2_0)
        shape, _, dtype = read(file)
    if np.prod(shape) * dtype.itemsize <= SHORT_BYTES or dtype.hasobject:
        return archive[name]
    return make_stand_in(shape, dtype)


def check_unpacked_size(path: Path) -> None:
    """Refuse a zip archive whose members unpack to more than the memory or their size allows.

    Raises
    ------
    WedgefillError
        Then, before anything is unpacked.
    """
    with zipfile.ZipFile(path) as archive:
        total = sum(member.file_size for member in archive.infolist())
        packed = sum(member.compress_size for member in archive.infolist())
    if total > measure_free_bytes() // 2 or total > max(MAX_GROWTH * packed, ALWAYS_LEGAL_BYTES):
        raise WedgefillError(
            f"{path.name}: it unpacks to {format_bytes(total)}, which is more than fits; save the "
            f"images as .npy, which is mapped from disk."
        )


def _reason(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")[:120]
