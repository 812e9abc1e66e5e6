"""Output in which names and labels out of files are only ever text.

A label, a file's name or a model's may hold control characters, which steer a terminal, and letters
that its encoding does not have. Both are written as Python's escapes, whoever prints them.
"""

from __future__ import annotations

import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

#: What is left as it is: the end of a line, and the tabulator.
_KEPT = {"\n", "\t"}
#: Unicode's control characters, those that turn the direction of text, halves of pairs, and the two
#: that end lines.
_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")


class PlainOutput(io.TextIOBase):
    """A stream that writes what steers terminals, or cannot be encoded, as escapes.

    Once nobody reads any more, or the disk of a log is full, what is written to it is dropped.

    Attributes
    ----------
    encoding : str
        Of the stream beneath.
    """

    encoding: str = "utf-8"

    def __init__(self, stream: TextIO | None, *, may_break: bool = False) -> None:
        self._stream = stream
        self._may_break = may_break
        self.encoding = getattr(stream, "encoding", None) or self.encoding

    def write(self, text: str) -> int:
        """Write text, made harmless."""
        self.write_raw(make_harmless(text, self.encoding))
        return len(text)

    def write_raw(self, text: str) -> None:
        """Write what is known to be harmless, such as the carriage return of a progress line."""
        if self._stream is None:
            return
        try:
            self._stream.write(text)
        except (OSError, ValueError):
            if not self._may_break:
                raise
            self._stream = None

    def flush(self) -> None:
        """Hand on what is buffered."""
        if self._stream is None:
            return
        try:
            self._stream.flush()
        except (OSError, ValueError):
            if not self._may_break:
                raise
            self._stream = None

    def isatty(self) -> bool:
        """Whether a person looks on."""
        return self._stream is not None and not self._stream.closed and self._stream.isatty()

    def fileno(self) -> int:
        """Descriptor of the stream beneath."""
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    def writable(self) -> bool:
        """Return True."""
        return True


def make_harmless(text: str, encoding: str | None = None) -> str:
    """Write what steers a terminal, or what an encoding does not have, as Python's escapes."""
    if not text.isprintable():
        text = "".join(
            _escape(letter)
            if letter not in _KEPT and unicodedata.category(letter) in _STEERING
            else letter
            for letter in text
        )
    name = encoding or "utf-8"
    return text.encode(name, "backslashreplace").decode(name)


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


@contextmanager
def write_plainly() -> Iterator[None]:
    """Have everything that is printed while the block runs go through `PlainOutput`.

    Nothing that is said on stderr may end a run: its volumes are worth more than its progress.
    """
    _occupy_closed_descriptors()
    before = sys.stdout, sys.stderr
    sys.stdout = cast(Any, PlainOutput(sys.stdout))
    sys.stderr = cast(Any, PlainOutput(sys.stderr, may_break=True))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _occupy_closed_descriptors() -> None:
    """Open nothing in the place of closed standard streams: a data file must not become one.

    The system gives a new file the lowest free number, and libraries write their messages to 2.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def drop_stdout() -> None:
    """Send nowhere what is still buffered for a reader who is gone: Python would complain."""
    try:
        number = sys.stdout.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
