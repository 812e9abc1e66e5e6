"""Parallel-beam projection and its exact adjoint."""

from .kernel_cache import settle_cache_folder
from .parallel_beam import ParallelBeam

__all__ = ["ParallelBeam"]

settle_cache_folder()
