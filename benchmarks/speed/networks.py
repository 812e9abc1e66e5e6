"""How fast the networks run on a CPU, beside the rate at which it multiplies matrices.

    python -m benchmarks.speed.networks [--beside FOLDER]

Measured twice: with all cores sharing each slice, and with one slice per core, as in a fill. With
`--beside`, an earlier model's networks take turns with the present ones. Wall time of the fastest
of several turns, which means something only if nothing else runs.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper, shape_inference

from benchmarks.speed.page import record
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.projector.threads import available_cores

WIDTH, SLICES, TURNS = 256, 16, 4


def count_multiplications(path: Path, height: int, width: int) -> float:
    """Multiply-adds of a network's convolutions for one slice."""
    model = onnx.load(str(path))
    for axis, size in ((0, 1), (2, height), (3, width)):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = size
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.value_info, *graph.output)
    }
    weights = {w.name: numpy_helper.to_array(w) for w in graph.initializer}
    total = 0.0
    for node in graph.node:
        if node.op_type == "Conv":
            height_out, width_out = shapes[node.output[0]][2:]
            total += weights[node.input[1]].size * height_out * width_out
    return total


def measure_matrix_rate(n: int = 2048) -> float:
    """Multiply-adds per second of this machine's matrix product in float32, on all its cores."""
    a = np.random.default_rng(0).random((n, n), dtype=np.float32)
    best = np.inf
    for _ in range(TURNS):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return n**3 / best


def open_network(path: Path, threads: int, height: int) -> onnxruntime.InferenceSession:
    """Open a network as `fill` does, but with this number of threads per slice."""
    options = onnxruntime.SessionOptions()
    for name, size in {"batch": 1, "height": height, "width": WIDTH}.items():
        options.add_free_dimension_override_by_name(name, size)
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def time_slices(network: onnxruntime.InferenceSession, at_once: int, batch: Any) -> float:
    """Seconds per slice, with this many slices at once."""
    given = {network.get_inputs()[0].name: batch}
    start = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(partial(network.run, None), [given] * SLICES))
    return (time.perf_counter() - start) / SLICES


def measure(stage: str, height: int, folders: dict[str, Path], peak: float) -> dict[str, Any]:
    """Time one network in every way, turn by turn."""
    cores = available_cores()
    ways = {"shared": (cores, 1), "side by side": (1, cores)}
    path = folders["now"] / f"{stage}.onnx"
    networks = {
        (when, way): (open_network(folder / f"{stage}.onnx", threads, height), at_once)
        for when, folder in folders.items()
        for way, (threads, at_once) in ways.items()
    }
    channels = next(iter(networks.values()))[0].get_inputs()[0].shape[1]
    batch = np.random.default_rng(0).random((1, channels, height, WIDTH), dtype=np.float32)
    best = dict.fromkeys(networks, np.inf)
    for _ in range(TURNS):
        for key, (network, at_once) in networks.items():
            best[key] = min(best[key], time_slices(network, at_once, batch))
    work = count_multiplications(path, height, WIDTH)
    row = {f"{when}, {way}": 1e3 * value for (when, way), value in best.items()}
    of_peak = work / best["now", "side by side"] / peak
    return {"network": stage, "giga": work / 1e9, **row, "of_peak": of_peak}


def main() -> None:
    """Measure, and put the table into docs/measured/speed.md."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--beside", type=Path, help="folder of an earlier model; writes no page")
    given = parser.parse_args()
    model = load("small")
    folders = {"now": model.folder} | ({"before": given.beside} if given.beside else {})
    heights = dict.fromkeys(model.stages, WIDTH) | {"sinogram": model.contract.n_rows}
    heights["sinogram"] += -heights["sinogram"] % model.contract.multiple
    peak = measure_matrix_rate()
    rows = [measure(stage, height, folders, peak) for stage, height in heights.items()]
    for row in rows:
        print(row, flush=True)
    if not given.beside:
        record("networks", {"width": WIDTH, "matrix_giga": peak / 1e9, "rows": rows})


if __name__ == "__main__":
    main()
