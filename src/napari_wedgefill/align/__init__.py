"""Coarse automatic alignment of tilt series."""

from .coarse import align, iter_align
from .report import Aligned, AlignmentReport, AlignProgress

__all__ = ["AlignProgress", "Aligned", "AlignmentReport", "align", "iter_align"]
