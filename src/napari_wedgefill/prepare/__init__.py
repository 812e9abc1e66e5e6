"""Coarse automatic alignment of tilt series.

What aligns is imported when it is first used: it takes longer than the window may take to open.
"""

from typing import TYPE_CHECKING

from .report import Aligned, AlignmentReport, AlignProgress

if TYPE_CHECKING:
    from .coarse import align, iter_align

__all__ = ["AlignProgress", "Aligned", "AlignmentReport", "align", "iter_align"]


def __getattr__(name: str) -> object:
    """Import `align` or `iter_align` when it is first asked for."""
    if name not in ("align", "iter_align"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import coarse

    return getattr(coarse, name)
