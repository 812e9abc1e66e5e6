"""ONNX Runtime sessions that run where they say they run."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..projector.arrays import Array, is_tensor
from ..projector.threads import available_cores
from .onnx_file import choose_file
from .onnx_runtime import load_onnxruntime

if TYPE_CHECKING:
    import onnxruntime
    from torch import Tensor

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
DEVICES = ("auto", "cpu", "cuda")
#: Inputs that may go through a session at once on a CPU, on as many cores; more only take memory.
MOST_AT_ONCE = 4
#: In what ONNX Runtime, its arena and CUDA say when memory is short.
OUT_OF_MEMORY_WORDS = ("out of memory", "failed to allocate memory", "cudaerrormemoryallocation")


class OutOfMemory(Exception):
    """A network did not fit into the memory of its device."""


def glance_at_cuda_obstacle() -> str | None:
    """Like `cuda_obstacle`, but without loading ONNX Runtime, which takes a second."""
    try:
        load_driver()
    except OSError:
        return "no NVIDIA driver was found"
    try:
        metadata.version("onnxruntime-gpu")
    except metadata.PackageNotFoundError:
        return "the package onnxruntime-gpu is not installed"
    return None


def load_driver() -> ctypes.CDLL:
    """Load NVIDIA's driver library; OSError where there is none."""
    return ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")


@lru_cache(maxsize=1)
def find_cuda_obstacle() -> str | None:
    """Why CUDA cannot be used here, in a few words; None if nothing is known to stand against it.

    ONNX Runtime lists the CUDA provider wherever its GPU build is installed, so the driver is asked
    first: loading the CUDA libraries without one prints errors and gains nothing.
    """
    try:
        load_driver()
    except OSError:
        return "no NVIDIA driver was found"
    onnxruntime = load_onnxruntime()
    if CUDA not in onnxruntime.get_available_providers():
        return "this ONNX Runtime was built without CUDA; install onnxruntime-gpu"
    onnxruntime.preload_dlls()
    return None


def open_session(
    path: Path,
    device: str,
    sizes: Mapping[str, int],
    batches: Mapping[str, int] | None = None,
) -> onnxruntime.InferenceSession:
    """Open a model for inputs of one size.

    Parameters
    ----------
    path : Path
        ONNX file in float32; CUDA takes its twin in float16 where there is one.
    device : {"auto", "cpu", "cuda"}
        "cuda" fails where CUDA does not truly run; "auto" then takes the CPU.
    sizes : mapping of str to int
        Values of the free dimensions "batch", "height" and "width": pinning them lets ONNX
        Runtime plan its memory and choose faster kernels.
    batches : mapping of str to int, optional
        "batch" by provider, for it is known only afterwards which one runs.

    Raises
    ------
    WedgefillError
        If the device is unknown or cannot be used, or the file is no model.
    """
    if device not in DEVICES:
        raise WedgefillError(f"Unknown device {device!r}; choose {', '.join(DEVICES)}.")
    batches = batches or {}
    if device == "cpu":
        return _open(path, CPU, sizes, batches)
    obstacle = find_cuda_obstacle()
    if obstacle is None:
        try:
            return _open(path, CUDA, sizes, batches)
        except WedgefillError as error:
            obstacle = str(error)
    if device == "cuda":
        raise WedgefillError(
            f"CUDA was asked for, but {obstacle}; choose the device 'cpu' or 'auto', or see "
            "'wedgefill doctor'."
        )
    return _open(path, CPU, sizes, batches)


def _open(
    path: Path, provider: str, sizes: Mapping[str, int], batches: Mapping[str, int]
) -> onnxruntime.InferenceSession:
    onnxruntime = load_onnxruntime()
    path = choose_file(path, provider)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    pinned = {**sizes, "batch": batches[provider]} if provider in batches else sizes
    for name, size in pinned.items():
        options.add_free_dimension_override_by_name(name, size)
    settings: dict[str, Any] = {}
    if provider == CPU:
        options.intra_op_num_threads = -(-available_cores() // count_side_by_side())
        # Threads that spin while they wait take the cores from the projector's.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    else:
        settings = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": 1}
        # Without this a session that cannot run on CUDA runs on the CPU and says nothing.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=[(provider, settings)], enable_fallback=False
        )
    except Exception as error:  # its exceptions share no base class below this one
        reason = str(error).splitlines()[0][:200]
        raise WedgefillError(f"{path.name} could not be opened on {provider}: {reason}") from error
    if session.get_providers()[0] != provider:
        raise WedgefillError(f"{path.name} fell back to {session.get_providers()[0]}")
    return session


def count_side_by_side() -> int:
    """How many inputs a session on the CPU should be given at once, from threads of their own."""
    return min(MOST_AT_ONCE, available_cores())


def run(session: onnxruntime.InferenceSession, batch: Array, more: bool = False) -> Array:
    """Run one batch; the array is made native, contiguous float32 (others give garbage).

    A torch tensor must live where the session runs; it is read there, and answered there. Memory of
    the layers is kept for the next batch if there are `more`: the system would clear its pages anew
    for every batch.

    Raises
    ------
    WedgefillError
        If the network takes another number of channels.
    OutOfMemory
        If the device has too little memory for it; a smaller batch may fit.
    """
    taken = session.get_inputs()[0]
    if isinstance(taken.shape[1], int) and taken.shape[1] != batch.shape[1]:
        raise WedgefillError(
            f"The model's network takes {taken.shape[1]} channels, but this version of "
            f"napari-wedgefill gives it {batch.shape[1]}: it was trained for another version; "
            "train and export it again, or choose a bundled model."
        )
    name = taken.name
    try:
        if is_tensor(batch):
            return _run_shared(session, name, batch)
        batch = np.ascontiguousarray(batch, dtype=np.float32)
        if session.get_providers()[0] == CUDA:
            answer = _run_bound(session, name, batch)
        else:
            (answer,) = session.run(
                None, {name: batch}, None if more else _make_shrinking_options()
            )
    except Exception as error:  # its exceptions share no base class below this one
        if any(words in str(error).lower() for words in OUT_OF_MEMORY_WORDS):
            raise OutOfMemory(str(error)) from error
        raise
    return np.asarray(answer, np.float32)


def _make_shrinking_options() -> onnxruntime.RunOptions:
    """Options of a run after which the memory of the layers goes back to the system."""
    options = load_onnxruntime().RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _run_bound(
    session: onnxruntime.InferenceSession, name: str, batch: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Run on CUDA with input and output bound to the device: one copy each way, no more."""
    values = load_onnxruntime().OrtValue
    binding = session.io_binding()
    binding.bind_ortvalue_input(name, values.ortvalue_from_numpy(batch, "cuda", 0))
    binding.bind_output(session.get_outputs()[0].name, "cuda", 0)
    session.run_with_iobinding(binding)
    (answer,) = binding.copy_outputs_to_cpu()
    return np.asarray(answer, np.float32)


def _run_shared(session: onnxruntime.InferenceSession, name: str, batch: Tensor) -> Tensor:
    """Run on torch's own memory: nothing is copied."""
    import torch

    batch = batch.to(torch.float32).contiguous()
    answer = batch.new_empty((batch.shape[0], 1, *batch.shape[2:]))
    kind, index = batch.device.type, batch.device.index or 0
    binding = session.io_binding()
    for bind, called, tensor in (
        (binding.bind_input, name, batch),
        (binding.bind_output, session.get_outputs()[0].name, answer),
    ):
        bind(called, kind, index, np.float32, tuple(tensor.shape), tensor.data_ptr())
    if kind == "cuda":  # the two libraries have streams of their own
        torch.cuda.current_stream(batch.device).synchronize()
    session.run_with_iobinding(binding)
    binding.synchronize_outputs()
    return answer


def report_providers() -> dict[str, Any]:
    """What ONNX Runtime is installed and what truly runs, for `wedgefill doctor`."""
    versions: dict[str, str | None] = {}
    for package in ("onnxruntime", "onnxruntime-gpu"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    try:
        onnxruntime = load_onnxruntime()
    except WedgefillError as error:
        return {"installed": versions, "import_error": str(error)}
    obstacle = find_cuda_obstacle()
    return {
        "installed": versions,
        "claimed": onnxruntime.get_available_providers(),
        "cuda_obstacle": obstacle,
        "cuda_version": getattr(onnxruntime, "cuda_version", None),
        "auto_chooses": "CPU" if obstacle else "CUDA",
    }
