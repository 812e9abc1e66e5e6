"""Small text files whose encoding and language nobody wrote down, and numbers in them.

No pattern here or in the readers that use it may take more than linear time: labels and notes of
thousands of blanks occur.
"""

from __future__ import annotations

import codecs
import itertools
import math
import re
from pathlib import Path

from ..errors import WedgefillError

#: A number, with a decimal point or comma; a comma that no digit follows ends it.
_NUMBER = re.compile(
    r"[-+]?(?:[0-9]{1,40}(?:\.[0-9]{0,40}|,[0-9]{1,40})?|[.,][0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?"
)
#: Notes of thousands of tilts stay far below.
MOST_BYTES = 64 * 10**6
#: "Start tilt (skipping angles) [deg]: -76" has the longest that occurs.
MAX_REMARK_CHARS = 24
_BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, UTF-16 or Latin-1.

    Raises
    ------
    WedgefillError
        If the file is missing, cannot be opened, is no plain file, or is binary or too large.
    """
    if path.exists() and not path.is_file():
        raise WedgefillError(f"{path.name}: this is no file but a folder, a pipe or a device.")
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise WedgefillError(
            f"{path.name}: this file cannot be opened ({error.strerror}); check the path."
        ) from None
    if len(raw) > MOST_BYTES:
        raise _not_text(path)
    if raw.startswith(_BYTE_ORDER_MARKS):
        try:
            return raw.decode("utf-16").removeprefix("\ufeff")
        except UnicodeDecodeError:
            raise _not_text(path) from None
    if b"\0" in raw:
        return _decode_without_mark(path, raw)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")  # microscope logs of older Windows systems: degree signs


def _decode_without_mark(path: Path, raw: bytes) -> str:
    """Decode UTF-16 without a byte-order mark: every other byte of plain letters is zero."""
    for codec, zeros, letters in (
        ("utf-16-le", raw[1::2], raw[0::2]),
        ("utf-16-be", raw[0::2], raw[1::2]),
    ):
        if len(raw) % 2 == 0 and not zeros.strip(b"\0") and b"\0" not in letters:
            return raw.decode(codec)
    raise _not_text(path)


def read_note(path: Path) -> str:
    """Return the text of a file that may be something else; "" if it cannot be read."""
    try:
        return read_text(path)
    except WedgefillError:
        return ""


def leading_number(text: str) -> float | None:
    """Return the number that `text` begins with, after blanks, or None."""
    match = _NUMBER.match(text.lstrip()[:120])
    return None if match is None else _make_number(match[0])


def whole_number_text(text: str) -> float | None:
    """Return the number that `text` spells from end to end, or None."""
    text = text.strip()
    match = _NUMBER.fullmatch(text) if len(text) <= 120 else None
    return None if match is None else _make_number(match[0])


def _make_number(text: str) -> float | None:
    """Return what digits spell; None for 1e999, which would be infinite."""
    value = float(text.replace(",", "."))
    return value if math.isfinite(value) else None


def number_after(text: str, words: str, sign: str) -> float | None:
    """Return the number after `words` and `sign`, blanks and letter case aside, or None.

    ``number_after("Tilt axis angle = 85.3, binning = 1", "tiltaxisangle", "=")`` is 85.3. A remark
    may stand between the words and the sign, such as a unit in brackets.
    """
    parts = text.split(sign)
    for before, after in itertools.pairwise(parts):
        _, found, remark = "".join(before.lower().split()).partition(words)
        if found and len(remark) <= MAX_REMARK_CHARS:
            return leading_number(after)
    return None


def _not_text(path: Path) -> WedgefillError:
    return WedgefillError(f"{path.name}: this is not a text file; give one angle per line.")
