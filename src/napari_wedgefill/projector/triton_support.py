"""Whether the Triton kernels work here, found out once by a trial, and why not if they do not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

from .backend import Rays
from .torch_backend import TorchBackend
from .torch_tvm import DualRows, TvmSizes, TvmState


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
    """Compute tiny random volumes with every kernel; return the error relative to plain torch."""
    errors = [float((a - b).abs().max() / b.abs().max()) for a, b in _try_kernels(device)]
    return float(torch.tensor(errors).max())  # NaN stays NaN


def _try_kernels(device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield what each kernel finds and what plain torch does."""
    from .triton_backend import TritonBackend

    ours, plain = TritonBackend(), TorchBackend()
    rays = Rays.at([-70.0, -20.0, 0.0, 33.0, 90.0], 24, 19, axis_shift_px=0.4)
    made = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=made).to(device)

    x, y = draw(19, 24, 5), draw(5, 24, 5)
    yield ours.project(rays, x), plain.project(rays, x)
    yield ours.back_project(rays, y), plain.back_project(rays, y)
    for n_common in (0, 2):
        found = []
        for backend in (ours, plain):
            made.manual_seed(n_common)
            rates, common = draw(5, 24), draw(5, n_common, 24)
            ahead, change = draw(2, 5, 24, 5)
            rows = DualRows(rays, draw(5, 24, 5), draw(5, 24, 5), rates, common, ahead, change)
            squares = torch.zeros((backend.count_slots(rays, draw(19, 24, 5)), 5), device=device)
            backend.step_dual(rows, x, squares)
            found.append((rows.change, rows.dual, squares.sum(0)))
        yield from zip(*found, strict=True)
    for n_fields in (1, 2):
        x, prior, slope, change = (draw(3, 9, 5) for _ in range(4))
        fields = [draw(2, 3, 9, 5) - 0.5 for _ in range(n_fields)]
        for field in fields:  # as it is wherever a solver began: nothing leaves the volume
            field[0, -1], field[1, :, -1] = 0.0, 0.0
        sizes = TvmSizes(0.1 * draw(3, 9, 1), sigma=0.4, boost=2.0, lowest=0.0)
        radii = [0.5 * draw(5) for _ in range(n_fields)]
        stepped = []
        for backend in (ours, plain):
            state = TvmState(x, fields, slope.clone(), [None, prior][:n_fields])
            out = [torch.empty_like(v) for v in (x, *fields)]
            backend.descend_tvm(state, change.clone(), radii, sizes, out)
            stepped.append((*out, state.slope))
        yield from zip(*stepped, strict=True)
