"""Triton, whose compiler keeps to its own LLVM.

Triton's library and Mesa's drivers of OpenGL each bring an LLVM, of different versions and with the
same names. In a napari that draws with Mesa (a remote desktop, a display without a card of its own)
Triton would find Mesa's when it is loaded, which ends the process.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["tl", "triton"]


def has_other_llvm() -> bool:
    """Tell whether another library's LLVM is loaded in this process; False where nobody knows."""
    try:
        return "libLLVM" in Path("/proc/self/maps").read_text()
    except OSError:
        return False


@contextmanager
def keep_own_symbols() -> Iterator[None]:
    """Let libraries that are loaded in the block find their own functions first (Linux)."""
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | os.RTLD_DEEPBIND)
    try:
        yield
    finally:
        sys.setdlopenflags(flags)


with keep_own_symbols() if has_other_llvm() else nullcontext():
    import triton
    import triton.language as tl
