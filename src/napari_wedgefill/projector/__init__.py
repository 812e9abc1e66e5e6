"""Parallel-beam projection and its exact adjoint."""

from .kernel_cache import settle_cache_folder
from .parallel_beam import ParallelBeam
from .strips import iter_strips, strip_width

__all__ = ["ParallelBeam", "iter_strips", "strip_width"]

settle_cache_folder()
