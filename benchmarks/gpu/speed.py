"""Giga-updates a second of projections and solvers, beside plain torch and ASTRA's CUDA code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.gpu import networks
from benchmarks.gpu.peer import astra_obstacle, astra_operators
from benchmarks.gpu.timing import seconds
from napari_wedgefill.projector import ParallelBeam, triton_support
from napari_wedgefill.projector.torch_backend import TorchBackend
from napari_wedgefill.reconstruct import iter_sart, iter_sirt, iter_tvm, last, wbp

SIRT_SWEEPS = 5
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
    beam, n_slices = next(geometries(tiny))
    reason = triton_support.obstacle() if device.type == "cuda" else "tiles are CUDA's"
    if reason is not None:
        return [{"what": "tiles", "skipped": reason}]
    from napari_wedgefill.projector.triton_backend import TritonBackend, choose_tiles

    x, y = _data(beam, n_slices, device)
    rows = []
    for tiles in _candidates(choose_tiles(n_slices)):
        tiled = beam.with_backend(TritonBackend(tiles))
        for what, run in (
            ("forward", lambda tiled=tiled: tiled(x)),
            ("adjoint", lambda tiled=tiled: tiled.T(y)),
        ):
            row: dict[str, Any] = {"what": what, "tiles": tiles}
            try:
                row |= _rate(seconds(run, device, 3), beam, n_slices, 1)
            except Exception as error:  # too many registers for a launch: not a candidate
                row["skipped"] = str(error).splitlines()[0]
            rows.append(row)
    rows.sort(key=lambda r: (r["what"], -r.get("giga_updates", 0.0)))
    for row in rows:
        print(row)
    return rows


def _candidates(base: Any) -> Iterator[Any]:
    for slices in (64, 128, 256):
        for warps in (4, 8, 16):
            for by_z, by_x, tilts, pixels in ((4, 4, 1, 16), (4, 8, 2, 16), (8, 8, 4, 16)):
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
