"""Preparing a tilt series: cleaning, exclusion of images, alignment.

What computes is imported when it is first used: it takes longer than the window may take to open.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .bad_images import BadImage
from .options import CleanOptions, PrepareOptions, RegionOptions, TiltOptions
from .report import Aligned, AlignmentReport

if TYPE_CHECKING:
    from .coarse import align, iter_align
    from .disagreement import measure_disagreement
    from .flaws import find_images_of_nothing, propose_bad_images
    from .outcome import Found, Prepared, PrepareReport, TiltRow
    from .preparing import iter_prepare, prepare_series

__all__ = [
    "Aligned",
    "AlignmentReport",
    "BadImage",
    "CleanOptions",
    "Found",
    "PrepareOptions",
    "PrepareReport",
    "Prepared",
    "RegionOptions",
    "TiltOptions",
    "TiltRow",
    "align",
    "find_images_of_nothing",
    "iter_align",
    "iter_prepare",
    "measure_disagreement",
    "prepare_series",
    "propose_bad_images",
]

_HOME = {
    "align": "coarse",
    "iter_align": "coarse",
    "measure_disagreement": "disagreement",
    "Found": "outcome",
    "PrepareReport": "outcome",
    "Prepared": "outcome",
    "TiltRow": "outcome",
    "iter_prepare": "preparing",
    "prepare_series": "preparing",
    "find_images_of_nothing": "flaws",
    "propose_bad_images": "flaws",
}


def __getattr__(name: str) -> object:
    """Import what computes when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
