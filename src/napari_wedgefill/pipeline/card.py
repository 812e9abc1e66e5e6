"""The GPU on which a slab stays, from its measured rows to its densities."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..joint_model.contract import Quick
from ..joint_model.onnx_session import load_driver

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]


class Card:
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
        """Copy an array to the card."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self.device)

    def put_both(self, quick: Quick | None) -> Quick | None:
        """Copy the quick reconstructions, where there are any."""
        return None if quick is None else Quick(self.put(quick.sart), self.put(quick.tvm))

    @staticmethod
    def get(tensor: Tensor) -> Floats:
        """Copy what came of it back to main memory, contiguous."""
        return np.ascontiguousarray(tensor.cpu().numpy())


def card_for(device: str) -> Card | None:
    """Return the card to work on, or None where arrays stay in main memory.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        As in `FillOptions`. A card is taken only where torch reaches it and the kernels of the
        projector proved on a tiny volume that they work there.
    """
    return None if device == "cpu" else _first_card()


@cache
def _first_card() -> Card | None:
    try:
        load_driver()  # a question that costs nothing, before torch is loaded
    except OSError:
        return None
    try:
        import torch

        from ..projector.triton_support import obstacle
    except (ImportError, OSError):  # not installed, or broken, which `wedgefill doctor` reports
        return None
    return Card(torch.device("cuda", 0)) if obstacle(0) is None else None
