"""Arrays of two kinds: numpy's in main memory, and torch's on any device.

torch takes numpy's names and spelling for all that is used of it here, so code that begins with
`namespace` serves both, and what begins on a card stays there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Array = Any  # a numpy array or a torch tensor


def namespace(array: Array) -> Any:
    """Return numpy or torch, whichever the array is of."""
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch


def alike(values: ArrayLike | Array, array: Array) -> Array:
    """Return values as float32, of an array's kind and on its device."""
    if isinstance(array, np.ndarray):
        return np.asarray(values, np.float32)
    import torch

    return torch.as_tensor(values, dtype=torch.float32, device=array.device)


def packed(array: Array) -> Array:
    """Return the array itself if it is contiguous, and a contiguous copy if not."""
    return np.ascontiguousarray(array) if isinstance(array, np.ndarray) else array.contiguous()
