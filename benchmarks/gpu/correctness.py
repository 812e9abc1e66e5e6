"""Are the projections on a device right? Against the CPU kernels, plain torch and themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from napari_wedgefill.joint_model.consistency import restore_consistency
from napari_wedgefill.joint_model.contract import Scales
from napari_wedgefill.projector import ParallelBeam, triton_support
from napari_wedgefill.projector.torch_backend import TorchBackend
from napari_wedgefill.reconstruct import iter_sart, iter_sirt, iter_tvm, last, wbp

#: Largest relative error (in the 2-norm) that rounding in float32 explains.
TOLERANCE = 2e-5


def cases(tiny: bool) -> Iterator[tuple[str, ParallelBeam, int]]:
    """Geometries and numbers of slices: aligned and odd ones, full and partial blocks."""
    size = 16 if tiny else 200
    every = np.arange(-70, 71, 20.0 if tiny else 5.0)
    yield "aligned", ParallelBeam(every, size), 4 if tiny else 256
    yield "one slice", ParallelBeam(every, size), 1
    yield "odd slices", ParallelBeam(every, size), 3 if tiny else 61
    yield "training batch", ParallelBeam(np.arange(0, 180, 30.0 if tiny else 1.5), size), 8
    yield "shifted axis", ParallelBeam(every, size, axis_shift_px=-3.3), 2
    yield "thin", ParallelBeam(every, size, size // 3), 2
    yield "thick", ParallelBeam(every, size // 3, size), 2
    yield "all round", ParallelBeam([-180.0, -135.0, -90.0, 0.0, 45.0, 90.0, 200.0], size), 2
    if not tiny:
        yield "large", ParallelBeam(np.arange(-60, 61, 2.0), 512), 64


def measure(device: torch.device, tiny: bool) -> list[dict[str, Any]]:
    """Compare projections, gradients and solvers with the CPU kernels and with plain torch."""
    reason = triton_support.obstacle() if device.type == "cuda" else None
    rows: list[dict[str, Any]] = [
        {"case": "Triton", "check": reason or "the kernels run", "passed": reason is None}
    ]
    for name, beam, n_slices in cases(tiny):
        for row in _of_case(beam, n_slices, device):
            rows.append({"case": name, **row, "passed": row["error"] < row["tolerance"]})
            print(rows[-1], flush=True)
    for row in _solvers(device, tiny):
        rows.append(row | {"passed": row["error"] < row["tolerance"]})
        print(rows[-1], flush=True)
    return rows


def relative(answer: Any, expected: Any) -> float:
    """Error in the 2-norm over the norm of what was expected; NaN never passes."""
    a, b = (np.asarray(torch.as_tensor(v).detach().cpu(), np.float64) for v in (answer, expected))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def _of_case(beam: ParallelBeam, n_slices: int, device: torch.device) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(n_slices)
    x = rng.standard_normal((beam.depth, beam.width, n_slices), dtype=np.float32)
    y = rng.standard_normal((beam.n_tilts, beam.width, n_slices), dtype=np.float32)
    tx, ty = torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)
    plain = beam.with_backend(TorchBackend())
    operators: dict[str, tuple[Callable[[Any], Any], ...]] = {
        "forward": (beam, plain),
        "adjoint": (beam.T, plain.T),
        "smear": (beam.smear, plain.smear),
    }
    for what, (operator, in_torch) in operators.items():
        array, tensor = (x, tx) if what == "forward" else (y, ty)
        answer = operator(tensor)
        yield _row(f"{what} beside CPU", relative(answer, operator(array)))
        yield _row(f"{what} beside plain torch", relative(answer, in_torch(tensor)))
    forward, back = beam(tx).double(), beam.T(ty).double()
    gap = float((forward * ty).sum() - (tx * back).sum())
    yield _row("adjointness", abs(gap) / float(forward.norm() * ty.norm()), 1e-6)
    for what, operator, at, along in (
        ("gradient of forward", beam, tx, ty),
        ("gradient of adjoint", beam.T, ty, tx),
    ):
        variable = at.clone().requires_grad_()
        operator(variable).backward(along)
        expected = (beam.T if operator is beam else beam)(along)
        yield _row(what, relative(variable.grad, expected))


def _solvers(device: torch.device, tiny: bool) -> Iterator[dict[str, Any]]:
    width, n_slices = (16, 2) if tiny else (256, 64)
    beam = ParallelBeam(np.arange(-60, 61, 20.0 if tiny else 2.0), width)
    truth = np.random.default_rng(0).random((width, width, n_slices), dtype=np.float32)
    measured = beam(truth)
    tensor = torch.from_numpy(measured).to(device)
    yield {
        "case": "WBP",
        **_row("beside CPU", relative(wbp(beam, tensor), wbp(beam, measured)), 1e-4),
    }
    for name, solver in (("SIRT", iter_sirt), ("SART", iter_sart), ("TVM", iter_tvm)):
        error = relative(last(solver(beam, tensor, 5)), last(solver(beam, measured, 5)))
        yield {"case": name, **_row("beside CPU", error, 1e-4)}
    scales = Scales(float(np.abs(measured).max()), 0.0)
    prior = np.clip(truth + 0.1, 0, None)
    ours = restore_consistency(beam, tensor, torch.from_numpy(prior).to(device), scales)
    error = relative(ours, restore_consistency(beam, measured, prior, scales))
    yield {"case": "data consistency", **_row("beside CPU", error, 1e-3)}


def _row(check: str, error: float, tolerance: float = TOLERANCE) -> dict[str, Any]:
    return {"check": check, "error": error, "tolerance": tolerance}
