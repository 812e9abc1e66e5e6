"""Parallel-beam projection and its exact adjoint."""

from .parallel_beam import ParallelBeam

__all__ = ["ParallelBeam"]
