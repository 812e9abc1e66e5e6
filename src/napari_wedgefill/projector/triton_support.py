"""Whether the Triton kernels work here, found out once by a trial, and why not if they do not."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from .parallel_beam import ParallelBeam


def triton_kernels_for(device: torch.device) -> Any:
    """Return the module that launches the Triton kernels on a device; None if another path runs."""
    if device.type != "cuda" or obstacle(device.index or 0) is not None:
        return None
    return import_module(".triton_backend", __package__)


@cache
def obstacle(index: int = 0) -> str | None:
    """Say why the Triton kernels do not run on a CUDA device; None if they do.

    The first call on a device compiles them for a tiny volume and compares them with plain torch:
    Triton also needs a C compiler and a driver that fit, which only running it shows.

    Parameters
    ----------
    index : int
        Which CUDA device.
    """
    if torch.version.cuda is None:
        return "this torch was built without CUDA"
    if not torch.cuda.is_available():
        return "torch finds no CUDA device"
    if find_spec("triton") is None:
        return "Triton is not installed (pip install triton)"
    try:
        error = trial_error(torch.device("cuda", index))
    # A broken toolchain raises whatever it likes, and projections must then run without it.
    except Exception as failure:
        first_line = (str(failure).strip() or type(failure).__name__).splitlines()[0]
        return f"the Triton kernels fail here: {first_line}"
    return None if error < 1e-4 else f"the Triton kernels are wrong here, by {error:.2g}"


def trial_error(device: torch.device) -> float:
    """Project and back project a tiny random volume; return the error relative to plain torch."""
    from . import torch_backend, triton_backend

    beam = ParallelBeam([-70.0, -20.0, 0.0, 33.0, 90.0], 24, 19, axis_shift_px=0.4)
    made = torch.Generator().manual_seed(0)
    x = torch.rand(19, 24, 5, generator=made).to(device)
    y = torch.rand(5, 24, 5, generator=made).to(device)
    half_widths = np.maximum(np.abs(beam.cosines), np.abs(beam.sines))
    pairs = (
        (triton_backend.forward(beam, x), torch_backend.scatter_rows(beam, x)),
        (
            triton_backend.adjoint(beam, y, half_widths),
            torch_backend.gather_rows(beam, y, half_widths),
        ),
    )
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)
