"""Which reader opens which file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..errors import WedgefillError
from .mrc import read_mrc
from .sidecars import without_compression
from .stack import Given, Stack
from .tiff import read_tiff

MRC_SUFFIXES = (".mrc", ".st", ".ali", ".preali", ".rec", ".map", ".mrcs")
TIFF_SUFFIXES = (".tif", ".tiff")
#: Suffixes that only stacks of images carry, never volumes.
STACK_SUFFIXES = (".st", ".ali", ".preali", ".mrcs")
IMAGE_SUFFIXES = (*MRC_SUFFIXES, *TIFF_SUFFIXES)


def is_image_file(path: Path) -> bool:
    """Tell by its name whether a file can be opened."""
    return _suffix(path) in IMAGE_SUFFIXES and not path.name.startswith(".")


def open_stack(path: str | Path, given: Given | None = None, *, alone: bool = False) -> Stack:
    """Open an image file with the reader for its suffix; row 0 becomes the bottom of the picture.

    Parameters
    ----------
    path : path
        The file.
    given : Given, optional
        What the user says; `Given.flip` turns the rows over once more.
    alone : bool
        Read only what lies in this very file, even if it says that it belongs to a set of files.

    Raises
    ------
    WedgefillError
        If the file does not exist, its suffix is unknown, or its reader refuses it.
    """
    path, given = Path(path), given or Given()
    if not path.exists():
        raise WedgefillError(f"{path}: there is no such file; check the path.")
    suffix = _suffix(path)
    if suffix in MRC_SUFFIXES:
        stack = read_mrc(path, given.signed_bytes)
    elif suffix in TIFF_SUFFIXES:
        stack = read_tiff(path, alone=alone)
    else:
        raise WedgefillError(
            f"{path.name}: files ending in '{path.suffix}' cannot be read; convert it to one of "
            f"{' '.join(IMAGE_SUFFIXES)}."
        )
    if stack.row_0_on_top != given.flip:
        stack = replace(stack, pixels=stack.pixels[:, ::-1])
    return replace(stack, row_0_on_top=False)


def _suffix(path: Path) -> str:
    bare = without_compression(path)
    # Only the MRC readers unpack on the way; a compressed TIFF would be unpacked as a whole anyway.
    is_plain = bare == path or bare.suffix.lower() in MRC_SUFFIXES
    return bare.suffix.lower() if is_plain else path.suffix.lower()
