"""ONNX Runtime sessions that run where they say they run."""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..projector.threads import available_cores

if TYPE_CHECKING:
    import onnxruntime

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
DEVICES = ("auto", "cpu", "cuda")


@lru_cache(maxsize=1)
def cuda_obstacle() -> str | None:
    """Why CUDA cannot be used here, in a few words; None if nothing is known to stand against it.

    ONNX Runtime lists the CUDA provider wherever its GPU build is installed, so the driver is asked
    first: loading the CUDA libraries without one prints errors and gains nothing.
    """
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return "no NVIDIA driver was found"
    import onnxruntime

    if CUDA not in onnxruntime.get_available_providers():
        return "this ONNX Runtime was built without CUDA; install onnxruntime-gpu"
    onnxruntime.preload_dlls()
    return None


def open_session(path: Path, device: str, sizes: dict[str, int]) -> onnxruntime.InferenceSession:
    """Open a model for inputs of one size.

    Parameters
    ----------
    path : Path
        ONNX file.
    device : {"auto", "cpu", "cuda"}
        "cuda" fails where CUDA does not truly run; "auto" then takes the CPU.
    sizes : dict of str to int
        Values of the free dimensions "batch", "height" and "width": pinning them lets ONNX
        Runtime plan its memory and choose faster kernels.

    Raises
    ------
    WedgefillError
        If the device is unknown or cannot be used, or the file is no model.
    """
    if device not in DEVICES:
        raise WedgefillError(f"Unknown device {device!r}; choose {', '.join(DEVICES)}.")
    if device == "cpu":
        return _open(path, CPU, sizes)
    obstacle = cuda_obstacle()
    if obstacle is None:
        try:
            return _open(path, CUDA, sizes)
        except WedgefillError as error:
            obstacle = str(error)
    if device == "cuda":
        raise WedgefillError(
            f"CUDA was asked for, but {obstacle}; choose the device 'cpu' or 'auto', or see "
            "'wedgefill doctor'."
        )
    return _open(path, CPU, sizes)


def _open(path: Path, provider: str, sizes: dict[str, int]) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    for name, size in sizes.items():
        options.add_free_dimension_override_by_name(name, size)
    settings: dict[str, Any] = {}
    if provider == CPU:
        options.intra_op_num_threads = available_cores()
        options.enable_cpu_mem_arena = False  # it keeps the largest layer's memory for ever
    else:
        settings = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": 1}
        # Without this a session that cannot run on CUDA runs on the CPU and says nothing.
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[(provider, settings)])
    except Exception as error:  # its exceptions share no base class below this one
        reason = str(error).splitlines()[0][:200]
        raise WedgefillError(f"{path.name} could not be opened on {provider}: {reason}") from error
    if session.get_providers()[0] != provider:
        raise WedgefillError(f"{path.name} fell back to {session.get_providers()[0]}")
    return session


def run(session: onnxruntime.InferenceSession, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run one batch; the array is made native, contiguous float32 (others give garbage)."""
    name = session.get_inputs()[0].name
    (answer,) = session.run(None, {name: np.ascontiguousarray(batch, dtype=np.float32)})
    return np.asarray(answer, np.float32)


def providers_report() -> dict[str, Any]:
    """What ONNX Runtime is installed and what truly runs, for `wedgefill doctor`."""
    from importlib import metadata

    versions: dict[str, str | None] = {}
    for package in ("onnxruntime", "onnxruntime-gpu"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    try:
        import onnxruntime
    except ImportError as error:
        return {"installed": versions, "import_error": str(error)}
    obstacle = cuda_obstacle()
    return {
        "installed": versions,
        "claimed": onnxruntime.get_available_providers(),
        "cuda_obstacle": obstacle,
        "auto_chooses": "CPU" if obstacle else "CUDA",
    }
