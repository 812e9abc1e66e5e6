"""Which backend computes an array: numpy's in main memory, or torch's on any device.

Nothing else asks what an array is; what begins on a device stays there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .backend import Array, Backend

__all__ = ["Array", "backend_for", "convert_like", "is_tensor", "make_contiguous", "namespace"]


def backend_for(array: Array) -> Backend:
    """Return the backend that computes an array where it lives.

    numpy arrays are computed by numba on the processor. Tensors in main memory share its
    projections, tensors on a CUDA device take the Triton kernels where those work, and plain torch
    serves every other device, and CUDA without Triton.
    """
    if not is_tensor(array):
        from .processor import Processor

        return Processor()
    from .torch_backend import MainMemoryBackend, TorchBackend

    if array.device.type == "cpu":
        return MainMemoryBackend()
    if array.device.type == "cuda":
        from .triton_support import obstacle

        if obstacle(array.device.index or 0) is None:
            from .triton_backend import TritonBackend

            return TritonBackend()
    return TorchBackend()


def is_tensor(array: Array) -> bool:
    """Tell a torch tensor from a numpy array."""
    return not isinstance(array, np.ndarray)


def namespace(array: Array) -> Any:
    """Return numpy or torch, whichever the array is of."""
    return backend_for(array).xp


def convert_like(values: ArrayLike | Array, array: Array) -> Array:
    """Return values as float32, of an array's kind and on its device."""
    return backend_for(array).convert_like(values, array)


def make_contiguous(array: Array) -> Array:
    """Return the array itself if it is contiguous, and a contiguous copy if not."""
    return backend_for(array).make_contiguous(array)
