"""Which reader opens which file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import WedgefillError
from .mrc import read_mrc
from .sidecars import without_compression
from .stack import Stack
from .tiff import read_tiff

MRC_SUFFIXES = (".mrc", ".st", ".ali", ".preali", ".rec", ".map", ".mrcs")
TIFF_SUFFIXES = (".tif", ".tiff")
#: Suffixes that only stacks of images carry, never volumes.
STACK_SUFFIXES = (".st", ".ali", ".preali", ".mrcs")
IMAGE_SUFFIXES = (*MRC_SUFFIXES, *TIFF_SUFFIXES)


def is_image_file(path: Path) -> bool:
    """Tell by its name whether a file can be opened."""
    return _suffix(path) in IMAGE_SUFFIXES and not path.name.startswith(".")


def open_stack(path: str | Path) -> Stack:
    """Open an image file with the reader for its suffix.

    Raises
    ------
    WedgefillError
        If the file does not exist, its suffix is unknown, or its reader refuses it.
    """
    path = Path(path)
    readers: dict[str, Callable[[Path], Stack]] = {
        **dict.fromkeys(MRC_SUFFIXES, read_mrc),
        **dict.fromkeys(TIFF_SUFFIXES, read_tiff),
    }
    if not path.exists():
        raise WedgefillError(f"{path}: there is no such file; check the path.")
    reader = readers.get(_suffix(path))
    if reader is None:
        raise WedgefillError(
            f"{path.name}: files ending in '{path.suffix}' cannot be read; convert it to one of "
            f"{' '.join(IMAGE_SUFFIXES)}."
        )
    return reader(path)


def _suffix(path: Path) -> str:
    bare = without_compression(path)
    # Only the MRC readers unpack on the way; a compressed TIFF would be unpacked as a whole anyway.
    is_plain = bare == path or bare.suffix.lower() in MRC_SUFFIXES
    return bare.suffix.lower() if is_plain else path.suffix.lower()
