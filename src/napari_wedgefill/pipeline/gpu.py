"""The GPU on which a slab stays, from its measured rows to its densities."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..joint_model.onnx_session import load_driver
from ..memory import measure_free_bytes
from ..methods import Problem

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]
#: Of a volume on its way to main memory, what is scaled and turned at once.
CHUNK_BYTES = 64 << 20


class Gpu:
    """A torch device that holds the arrays of a slab through all stages of a method.

    Parameters
    ----------
    device : torch.device
        Where the projections and the networks run.

    Attributes
    ----------
    short_of_memory : type
        What torch raises where a slab does not fit.
    """

    def __init__(self, device: Any) -> None:
        import torch

        self.device = device
        self.short_of_memory: type[Exception] = torch.cuda.OutOfMemoryError

    def put(self, array: Floats) -> Tensor:
        """Copy an array to the GPU."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self.device)

    def move(self, problem: Problem) -> Problem:
        """Return a problem whose arrays lie on the GPU; its starts lie there already."""
        beside = problem.beside
        if beside is not None:
            beside = replace(beside, squares=self.put(beside.squares))
        return replace(problem, sinogram=self.put(problem.sinogram), beside=beside)

    def measure_free_bytes(self) -> int:
        """Memory that is free on the GPU, or that torch holds there without using it."""
        import torch

        if self.device.type != "cuda":
            return measure_free_bytes()
        unused = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return int(torch.cuda.mem_get_info(self.device)[0]) + unused

    def put_slices(self, volume: Floats) -> Tensor:
        """Copy slices of a volume as a file holds it (z, y, x) to the GPU, as (z, x, y)."""
        return self.put(volume).transpose(1, 2).contiguous()

    def fade(self, volume: Tensor, weights: Floats | None) -> None:
        """Multiply every slice of a volume (z, x, y), in place, by weights (z, x) if there are."""
        if weights is not None:
            volume *= self.put(weights)[:, :, None]

    @staticmethod
    def get(tensor: Tensor) -> Floats:
        """Copy what came of it back to main memory, contiguous."""
        return np.ascontiguousarray(tensor.cpu().numpy())

    @staticmethod
    def get_slices(volume: Tensor, scale: float) -> Floats:
        """Copy a volume (z, x, y) times `scale` back to main memory.

        Returns
        -------
        ndarray, float32, (z, x, y)
            A view of rows as a file holds them, (z, y, x).
        """
        import torch

        depth, width, n_slices = volume.shape
        rows = np.empty((depth, n_slices, width), np.float32)
        n = max(1, CHUNK_BYTES // (4 * n_slices * width))
        for first in range(0, depth, n):
            chunk = (volume[first : first + n] * scale).transpose(1, 2).contiguous()
            torch.from_numpy(rows[first : first + n]).copy_(chunk)
        return rows.transpose(0, 2, 1)


def find_gpu(device: str) -> Gpu | None:
    """Return the GPU to work on, or None where arrays stay in main memory.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        As in `FillOptions`. A GPU is taken only where torch reaches it and the kernels of the
        projector proved on a tiny volume that they work there.
    """
    return None if device == "cpu" else _find_first_gpu()


@cache
def _find_first_gpu() -> Gpu | None:
    try:
        load_driver()  # a question that costs nothing, before torch is loaded
    except OSError:
        return None
    try:
        import torch

        from ..projector.triton_support import obstacle
    except (ImportError, OSError):  # not installed, or broken, which `wedgefill doctor` reports
        return None
    return Gpu(torch.device("cuda", 0)) if obstacle(0) is None else None
