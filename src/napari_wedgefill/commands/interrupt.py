"""Ctrl-C, and the signals by which a scheduler or a closed terminal ends a run, that are not lost.

All of them end a run as Ctrl-C does: what is half-written is removed. Python raises
KeyboardInterrupt wherever it happens to be; inside a compiler's callback or a finaliser it is
printed and dropped. The request is therefore also remembered, and `raise_if_interrupted` raises it
again at the next report of progress.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

#: Signals that end a run; Windows has no SIGHUP.
SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
#: An impatient second Ctrl-C must not disturb the cleaning up; after so long it may be stuck.
PATIENCE_SECONDS = 10.0

_requested = threading.Event()
_first: list[tuple[int, float]] = []


class Stopped(KeyboardInterrupt):
    """A run was ended; the sentences say what of it stays, where, and how to go on."""


def list_series_files(path: Path) -> list[Path]:
    """List the files that writing a tilt series to `path` may make: the images and their angles."""
    return [path, path.with_suffix(".tlt"), path.with_name(f"{path.name}.tlt")]


@contextmanager
def tell_which_are_complete(*outputs: Path) -> Iterator[None]:
    """If the block is ended by Ctrl-C, say which of its output files it has written, if any.

    Raises
    ------
    Stopped
        With how to go on, in place of a KeyboardInterrupt.
    """
    before = [_read_state(path) for path in outputs]
    try:
        yield
    except KeyboardInterrupt:
        pairs = zip(outputs, before, strict=True)
        written = [str(path) for path, state in pairs if _read_state(path) != state]
        if not written:
            raise
        raise Stopped(
            f"Complete: {', '.join(written)}. The same command with --overwrite makes all of its "
            "files anew."
        ) from None


def _read_state(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from the one that takes its place; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


@contextmanager
def remember_interrupts(*, is_last: bool = False) -> Iterator[None]:
    """Remember such a signal while the block runs; only the main thread can listen for it.

    If the block is the last thing that the process does, impatient signals do not disturb its end
    either.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _forget()
    before = {number: signal.signal(number, _remember) for number in SIGNALS if _is_heard(number)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if is_last and _first else handler)
        _requested.clear()


def raise_if_interrupted() -> None:
    """Raise KeyboardInterrupt if the run was asked to end."""
    if _requested.is_set():
        raise KeyboardInterrupt


def find_exit_status() -> int:
    """Return what a shell reports for a process that the last signal has ended."""
    return 128 + (_first[0][0] if _first else signal.SIGINT)


def _is_heard(number: int) -> bool:
    """Tell whether a signal is to be heard: `nohup` has SIGHUP ignored, and so it stays."""
    return signal.getsignal(number) != signal.SIG_IGN


def _forget() -> None:
    _requested.clear()
    _first.clear()


def _remember(number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    _requested.set()
    if not _first:
        _first.append((number, now))
    elif now - _first[0][1] < PATIENCE_SECONDS:
        return
    raise KeyboardInterrupt
