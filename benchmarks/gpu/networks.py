"""Rates of the networks: in torch as they train, and the shipped ones through ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.timing import seconds
from napari_wedgefill.joint_model.contract import InputContract
from napari_wedgefill.training.networks import to_device
from napari_wedgefill.training.stages import STAGES

MODELS = Path(__file__).resolve().parents[2] / "models"


def shapes(tiny: bool) -> dict[str, tuple[int, ...]]:
    """Inputs of the stages for slices of 512 x 512: (batch, channels, height, width)."""
    contract = InputContract()
    size, rows, batch = (32, 48, 1) if tiny else (512, contract.n_rows, 16)
    rows = -(-rows // contract.multiple) * contract.multiple
    channels = 3 * (2 * contract.neighbours + 1)
    slices = (batch, channels, size, size)
    return {"sinogram": (batch, 3, rows, size), "tomogram": slices, "refinement": slices}


def measure(device: torch.device, tiny: bool, repeats: int) -> list[dict[str, Any]]:
    """Time the networks in torch, then the shipped models in ONNX Runtime."""
    rows = [_in_torch(name, shape, device, repeats) for name, shape in shapes(tiny).items()]
    return rows + list(_in_runtime(device, tiny, repeats))


@torch.no_grad()
def _in_torch(
    name: str, shape: tuple[int, ...], device: torch.device, repeats: int
) -> dict[str, Any]:
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    network = to_device(STAGES[name].make_network(), device).eval().to(dtype)
    x = torch.rand(shape, device=device, dtype=dtype).to(memory_format=torch.channels_last)
    with FlopCounterMode(display=False) as counter:
        network(x)
    t = seconds(lambda: network(x), device, repeats)
    row = {"what": f"{name} network", "by": "torch", "dtype": str(dtype), "shape": shape}
    return row | {"seconds": t, "tflops": counter.get_total_flops() / t / 1e12}


def _in_runtime(device: torch.device, tiny: bool, repeats: int) -> Iterator[dict[str, Any]]:
    try:
        from napari_wedgefill.joint_model.onnx_session import find_cuda_obstacle, open_session
    except ImportError as error:
        yield {"what": "ONNX Runtime", "skipped": str(error)}
        return
    if device.type == "cuda" and (reason := find_cuda_obstacle()) is not None:
        yield {"what": "ONNX Runtime", "skipped": reason}
        return
    folders = [p.parent for p in sorted(MODELS.glob("*/model.toml"))]
    for folder in folders:
        there = {n: shape for n, shape in shapes(tiny).items() if (folder / f"{n}.onnx").is_file()}
        for name, shape in there.items():
            batch, _, height, width = shape
            sizes = {"batch": batch, "height": height, "width": width}
            session = open_session(folder / f"{name}.onnx", device.type, sizes)
            feed = {session.get_inputs()[0].name: np.random.rand(*shape).astype(np.float32)}
            t = _wall(lambda s=session, f=feed: s.run(None, f), repeats)
            row = {"what": f"{folder.name} {name}.onnx", "by": session.get_providers()[0]}
            yield row | {"shape": shape, "seconds": t, "with copies from and to the host": True}


def _wall(run: Any, repeats: int) -> float:
    return seconds(run, torch.device("cpu"), repeats)
