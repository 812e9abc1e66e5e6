"""WBP, SART and SIRT of torch tensors, on the device where they live.

The arithmetic is that of `wbp`, `iter_sart` and `iter_sirt`, which come here with a tensor; the
projections, residuals and steps run in the fused kernels of the projector.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import scipy.fft

from ..geometry import angular_weights
from ..projector import ParallelBeam
from .sart import spread_steps
from .sweeps import Sweep
from .wbp import ramp_response

if TYPE_CHECKING:
    from torch import Tensor


def wbp(beam: ParallelBeam, sinogram: Tensor, window: str = "ramp") -> Tensor:
    """Weighted back projection of a tensor; parameters as `reconstruct.wbp`.

    Returns
    -------
    Tensor, float32, (depth, width, n_slices)
        On the sinogram's device.
    """
    import torch

    width = beam.width
    n = scipy.fft.next_fast_len(2 * width, real=True)
    response = torch.from_numpy(ramp_response(n, window)).to(sinogram)
    weights = torch.from_numpy(angular_weights(beam.angles_deg)).to(sinogram)
    weighted = torch.empty_like(sinogram)
    for first in range(0, beam.n_tilts, 8):  # the transform of a row takes four times its memory
        part = slice(first, first + 8)
        spectrum = torch.fft.rfft(sinogram[part], n=n, dim=1)
        spectrum *= response[:, None]
        weighted[part] = torch.fft.irfft(spectrum, n=n, dim=1)[:, :width]
    weighted *= weights[:, None, None]
    volume: Tensor = beam.smear(weighted)
    return volume


def iter_sirt(
    beam: ParallelBeam,
    sinogram: Tensor,
    n_sweeps: int = 50,
    *,
    relaxation: float = 1.0,
    x0: Tensor | None = None,
    nonnegative: bool = True,
) -> Iterator[Sweep]:
    """SIRT of a tensor; parameters as `reconstruct.iter_sirt`."""
    yield from _iterate([beam], [sinogram], n_sweeps, relaxation, x0, nonnegative)


def iter_sart(
    beam: ParallelBeam,
    sinogram: Tensor,
    n_sweeps: int = 10,
    *,
    relaxation: float = 1.0,
    x0: Tensor | None = None,
    nonnegative: bool = True,
) -> Iterator[Sweep]:
    """SART of a tensor; parameters as `reconstruct.iter_sart`."""
    steps = spread_steps(beam.n_tilts)
    operators = [beam.subset(tilts) for tilts in steps]
    parts = [sinogram[tilts.tolist()] for tilts in steps]
    yield from _iterate(operators, parts, n_sweeps, relaxation, x0, nonnegative)


def _iterate(
    operators: list[ParallelBeam],
    parts: list[Tensor],
    n_sweeps: int,
    relaxation: float,
    x0: Tensor | None,
    nonnegative: bool,
) -> Iterator[Sweep]:
    from ..projector.torch_backend import descend_, residual

    beam, like = operators[0], parts[0]
    x = like.new_zeros((beam.depth, beam.width, like.shape[2])) if x0 is None else x0.clone()
    weights = [
        (
            1.0 / A(like.new_ones((A.depth, A.width, 1))).clamp_(min=1.0),
            relaxation / A.T(like.new_ones((A.n_tilts, A.width, 1))).clamp_(min=1e-2),
        )
        for A in operators
    ]
    for sweep in range(n_sweeps):
        for A, measured, (rows, columns) in zip(operators, parts, weights, strict=True):
            descend_(A, x, residual(A, x, measured, rows), columns, nonnegative=nonnegative)
        yield Sweep(sweep + 1, n_sweeps, x)
