"""Ctrl-C that is not lost.

Python raises KeyboardInterrupt wherever it happens to be; inside a compiler's callback or a
finaliser it is printed and dropped. The request is therefore also remembered, and
`raise_if_interrupted` raises it again at the next report of progress.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_requested = threading.Event()


@contextmanager
def remember_interrupts() -> Iterator[None]:
    """Remember Ctrl-C while the block runs; only the main thread can listen for it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _requested.clear()
    before = signal.signal(signal.SIGINT, _remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        _requested.clear()


def raise_if_interrupted() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed."""
    if _requested.is_set():
        raise KeyboardInterrupt


def _remember(number: int, frame: FrameType | None) -> None:
    _requested.set()
    raise KeyboardInterrupt
