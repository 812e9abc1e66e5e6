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
from .named_arrays import stacks_of_arrays
from .stack import Stack

#: What NumPy's readers and zipfile raise where bytes are not what they expect.
DAMAGES = (
    OSError, ValueError, TypeError, SyntaxError, EOFError, KeyError, OverflowError, MemoryError,
    RuntimeError, zlib.error, zipfile.BadZipFile, tokenize.TokenError,
)  # fmt: skip


def read_numpy(path: Path) -> list[Stack]:
    """Open the stacks of a .npy or .npz file; arrays in an .npz are found by their names.

    Raises
    ------
    WedgefillError
        If the file is damaged, holds Python objects, or no stack of images.
    """
    try:
        if path.suffix.lower() == ".npy":
            arrays: dict[str, Any] = {path.stem: np.load(path, mmap_mode="r", allow_pickle=False)}
        else:
            arrays = _members(path)
    except WedgefillError:
        raise
    except DAMAGES as error:
        raise WedgefillError(
            f"{path.name}: this is not a sound NumPy file of numbers ({_reason(error)}); save it "
            f"again with numpy.save or numpy.savez."
        ) from None
    stacks = stacks_of_arrays(path, arrays)
    return [stack for stack in stacks if stack.pixels.ndim == 3]


def _members(path: Path) -> dict[str, Any]:
    """Read the arrays of an .npz."""
    check_unpacked_size(path)
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


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
