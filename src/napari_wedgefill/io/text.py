"""Reading small text files whose encoding nobody wrote down."""

from __future__ import annotations

from pathlib import Path

from ..errors import WedgefillError


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8 (with or without a byte-order mark) or Latin-1.

    Raises
    ------
    WedgefillError
        If the file is missing, cannot be opened, or is binary.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise WedgefillError(
            f"{path.name}: this file cannot be opened ({error.strerror}); check the path."
        ) from None
    if b"\0" in raw:
        raise WedgefillError(f"{path.name}: this is not a text file; give one angle per line.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")  # microscope logs of older Windows systems: degree signs
