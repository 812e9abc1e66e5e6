"""Giga-updates a second of projections and solvers, beside plain torch and ASTRA's CUDA code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from benchmarks.gpu import networks
from benchmarks.gpu.launches import counting
from benchmarks.gpu.peer import astra_obstacle, astra_operators
from benchmarks.gpu.timing import seconds
from napari_wedgefill.projector import ParallelBeam, triton_support
from napari_wedgefill.projector.backend import DualStep
from napari_wedgefill.projector.torch_backend import TorchBackend
from napari_wedgefill.projector.torch_tvm import DualRows
from napari_wedgefill.reconstruct import iter_sart, iter_sirt, iter_tvm, last, wbp
from napari_wedgefill.reconstruct.tvm import BALANCE, plan_steps

SIRT_SWEEPS = 5
#: Voxels along z and x of a back projection, tilts and pixels of a projection. Tilts of a step of
#: SART or TVM lie far apart: a group of them shares few samples, and is seldom full.
TILES = ((4, 4, 1, 16), (4, 8, 2, 16), (4, 8, 1, 32), (8, 8, 4, 16), (8, 8, 2, 32), (8, 8, 1, 64))
#: Of SART and TVM, which take a few tilts at a time.
ORDERED_SWEEPS = 3


def geometries(tiny: bool) -> Iterator[tuple[ParallelBeam, int]]:
    """512 slices of 512 x 512 at 61 and 121 tilts."""
    for step in (40.0, 20.0) if tiny else (2.0, 1.0):
        yield ParallelBeam(np.arange(-60, 60.1, step), 16 if tiny else 512), 4 if tiny else 512


def measure(device: torch.device, tiny: bool) -> list[dict[str, Any]]:
    """Time projections, solvers and networks beside their peers, and the GPU's own rates."""
    repeats = 2 if tiny else 7
    rows = list(bound_rates(device, tiny, repeats))
    for beam, n_slices in geometries(tiny):
        x, y = _data(beam, n_slices, device)
        rows += _timed(operations(beam, x, y), "ours", beam, n_slices, device, repeats)
        plain = operations(beam.with_backend(TorchBackend()), x, y)
        rows += _timed(plain, "plain torch", beam, n_slices, device, 2)
        if (reason := astra_obstacle(device)) is None:
            peer = astra_operators(beam, x, y, SIRT_SWEEPS)
            rows += _timed(peer, "ASTRA CUDA", beam, n_slices, device, repeats)
        else:
            rows.append({"what": "ASTRA CUDA", "skipped": reason})
        _ratios(rows)
        del x, y
    rows += networks.measure(device, tiny, repeats)
    for row in rows:
        print(row)
    return rows


def tune(device: torch.device, tiny: bool) -> list[dict[str, Any]]:
    """Time the Triton kernels with other tiles, best first."""
    on_cuda = device.type == "cuda"
    reason = triton_support.obstacle() if on_cuda else None
    if find_spec("triton") is None:
        reason = "Triton is not installed"
    if reason is not None:
        return [{"what": "tiles", "skipped": reason}]
    # Without a GPU, launches are counted in place of being made.
    with nullcontext() if on_cuda else counting():
        rows = list(_time_tiles(device, tiny))
    rows.sort(key=lambda r: (r["what"], -r.get("giga_updates", 0.0)))
    for row in rows:
        print(row)
    return rows


def _time_tiles(device: torch.device, tiny: bool) -> Iterator[dict[str, Any]]:
    from napari_wedgefill.projector.triton_backend import TritonBackend, choose_tiles

    beam, n_slices = next(geometries(tiny))
    x, y = _data(beam, n_slices, device)
    step = plan_steps(beam, BALANCE, 1.0)[0]
    some = beam.subset(step.tilts)
    for tiles in _candidates(choose_tiles(n_slices)):
        backend = TritonBackend(tiles)
        tiled = beam.with_backend(backend)
        for what, seen, run in (
            ("forward", beam, partial(tiled, x)),
            ("adjoint", beam, partial(tiled.T, y)),
            ("dual step of TVM", some, make_dual_step(backend, step, x, y)),
        ):
            row: dict[str, Any] = {"what": what, "tiles": tiles}
            try:
                row |= _rate(seconds(run, device, 3), seen, n_slices, 1)
            except Exception as error:  # too many registers for a launch: not a candidate
                row["skipped"] = str(error).splitlines()[0]
            yield row


def make_dual_step(
    backend: TorchBackend, step: DualStep, x: torch.Tensor, y: torch.Tensor
) -> Callable[[], None]:
    """Return the dual step of a few tilts that lie far apart, as TVM takes it."""
    measured, rates = y[step.tilts], torch.from_numpy(step.rates).to(y)
    common, dual = rates.new_zeros((len(rates), 0, rates.shape[1])), torch.zeros_like(measured)
    room = [torch.empty_like(measured) for _ in range(2)]
    rows = DualRows(step.rays, measured, dual, rates, common, *room)
    squares = y.new_zeros((backend.count_slots(step.rays, x), y.shape[2]))
    return lambda: backend.step_dual(rows, x, squares)


def _candidates(base: Any) -> Iterator[Any]:
    for slices in (64, 128, 256):
        for warps in (4, 8, 16):
            for by_z, by_x, tilts, pixels in TILES:
                voxels = {"by_z": by_z, "by_x": by_x, "tilts": tilts, "pixels": pixels}
                if 8 <= slices * by_z * by_x / (32 * warps) <= 64:
                    yield replace(base, slices=slices, warps=warps, **voxels)


def bound_rates(device: torch.device, tiny: bool, repeats: int) -> Iterator[dict[str, Any]]:
    """Yield the rates that bound everything else: matrix products and copies."""
    n = 128 if tiny else 8192
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
        t = seconds(lambda a=a, b=b: a @ b, device, repeats)
        yield {"what": "matrix product", "dtype": str(dtype), "tflops": 2 * n**3 / t / 1e12}
    a = torch.randn(n * n * 4, device=device)
    t = seconds(lambda: a.clone(), device, repeats)
    yield {"what": "copy", "gb_a_second": 2 * a.numel() * 4 / t / 1e9}


def operations(
    beam: ParallelBeam, x: torch.Tensor, y: torch.Tensor
) -> dict[str, tuple[Callable[[], object], int]]:
    """What is timed, and how many times each passes over all tilts."""
    return {
        "forward": (lambda: beam(x), 1),
        "adjoint": (lambda: beam.T(y), 1),
        "WBP": (lambda: wbp(beam, y), 1),
        "SIRT": (lambda: last(iter_sirt(beam, y, SIRT_SWEEPS)), 2 * SIRT_SWEEPS),
        "SART": (lambda: last(iter_sart(beam, y, ORDERED_SWEEPS)), 2 * ORDERED_SWEEPS),
        "TVM": (lambda: last(iter_tvm(beam, y, ORDERED_SWEEPS)), 2 * ORDERED_SWEEPS),
    }


def _data(
    beam: ParallelBeam, n_slices: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    made = torch.Generator(device=device).manual_seed(0)
    x = torch.rand((beam.depth, beam.width, n_slices), device=device, generator=made)
    return x, torch.rand((beam.n_tilts, beam.width, n_slices), device=device, generator=made)


def _timed(
    work: dict[str, tuple[Callable[[], object], int]],
    by: str,
    beam: ParallelBeam,
    n_slices: int,
    device: torch.device,
    repeats: int,
) -> list[dict[str, Any]]:
    rows = []
    for what, (run, passes) in work.items():
        row = {"what": what, "by": by, "tilts": beam.n_tilts, "width": beam.width}
        rows.append(row | _rate(seconds(run, device, repeats), beam, n_slices, passes))
    return rows


def _rate(time_s: float, beam: ParallelBeam, n_slices: int, passes: int) -> dict[str, Any]:
    updates = beam.width * beam.depth * beam.n_tilts * n_slices * passes
    return {"slices": n_slices, "seconds": time_s, "giga_updates": updates / time_s / 1e9}


def _ratios(rows: list[dict[str, Any]]) -> None:
    """Beside each of ours, how many times as long every peer took in the same run."""
    for row in rows:
        if row.get("by") == "ours":
            for peer in rows:
                if peer.get("by") not in (None, "ours") and all(
                    peer[k] == row[k] for k in ("what", "tilts", "width", "slices")
                ):
                    row[f"times faster than {peer['by']}"] = peer["seconds"] / row["seconds"]
