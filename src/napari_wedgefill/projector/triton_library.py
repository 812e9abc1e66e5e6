"""Triton, whose compiler keeps to its own LLVM.

Triton's library and Mesa's drivers of OpenGL each bring an LLVM, of different versions and with the
same names. In a napari that draws with Mesa (a remote desktop, a display without a card of its own)
Triton would find Mesa's when it is loaded, which ends the process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def has_other_llvm() -> bool:
    """Tell whether another library's LLVM is loaded in this process; False where nobody knows."""
    try:
        return "libLLVM" in Path("/proc/self/maps").read_text()
    except OSError:
        return False


if has_other_llvm():
    _flags = sys.getdlopenflags()
    sys.setdlopenflags(_flags | os.RTLD_DEEPBIND)
    try:
        import triton
    finally:
        sys.setdlopenflags(_flags)
else:
    import triton
import triton.language as tl  # noqa: E402

__all__ = ["tl", "triton"]
