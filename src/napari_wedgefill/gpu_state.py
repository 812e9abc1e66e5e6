"""Why ONNX Runtime does not run on an NVIDIA GPU, and the command that mends it.

What is there is looked at apart from what is made of it, so that every state can be tested.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

INSTALL = "pip install 'onnxruntime-gpu[cuda,cudnn]'"
#: The last ONNX Runtime of PyPI for the CUDA before this one, for drivers that are too old.
OLDER = {13: "pip install 'onnxruntime-gpu[cuda,cudnn]==1.22.*'"}
CUDNN_MAJOR = 9
#: Major versions of CUDA that may lie around.
OTHER_MAJORS = (11, 12, 13, 14)
LIBCUDA = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}


@dataclass(frozen=True)
class GpuState:
    """What there is for the networks to run on a GPU.

    Attributes
    ----------
    needed : int or None
        Major version of the CUDA that ONNX Runtime was built for; None for a build without CUDA.
    driver : tuple of int or None
        Newest CUDA that the driver runs, (major, minor).
    missing : tuple of str
        Libraries of CUDA and cuDNN that cannot be loaded.
    others : tuple of int
        Other major versions of CUDA whose libraries can be.
    variables : tuple of (str, int)
        Variables of the environment, such as CUDA_PATH, that point to a CUDA, with its version.
    """

    needed: int | None
    driver: tuple[int, int] | None
    missing: tuple[str, ...] = ()
    others: tuple[int, ...] = ()
    variables: tuple[tuple[str, int], ...] = ()


def advise_gpu(state: GpuState) -> list[str]:
    """Say what keeps the networks off the GPU, and the command for it, a sentence each."""
    needed = state.needed
    if needed is None:
        return [
            "this ONNX Runtime was built without CUDA; replace it with: pip uninstall -y "
            f"onnxruntime onnxruntime-gpu && {INSTALL}"
        ]
    found = []
    if state.driver is not None and state.driver[0] < needed:
        major, minor = state.driver
        older = OLDER.get(needed)
        found.append(
            f"the NVIDIA driver runs CUDA {major}.{minor} at most, but this ONNX Runtime was built "
            f"for CUDA {needed}; update the driver from https://www.nvidia.com/drivers"
            + (f", or take an older ONNX Runtime: {older}" if older and major >= 12 else "")
        )
    missing = [name for name in state.missing if "cudnn" not in name]
    if missing and state.others:
        there = " and ".join(map(str, state.others))
        found.append(
            f"CUDA {there} is installed, but this ONNX Runtime was built for CUDA {needed}; "
            f"install that beside it with: {INSTALL}"
        )
    elif missing:
        found.append(f"CUDA {needed} is missing ({', '.join(missing)}); install it with: {INSTALL}")
    if cudnn := [name for name in state.missing if "cudnn" in name]:
        found.append(
            f"cuDNN {CUDNN_MAJOR} is missing ({', '.join(cudnn)}); install it with: {INSTALL}"
        )
    for name, major in state.variables:
        if major != needed and state.missing:
            remove = f"set {name}=" if sys.platform == "win32" else f"unset {name}"
            found.append(
                f"the variable {name} points to CUDA {major}, but this ONNX Runtime was built for "
                f"CUDA {needed}; if the networks stay on the processor, start without it: {remove}"
            )
    return found


def look_at_gpu(cuda_version: str | None) -> GpuState:
    """Look at what there is.

    Parameters
    ----------
    cuda_version : str or None
        CUDA that ONNX Runtime was built for, such as "13.0".
    """
    needed = read_major(cuda_version)
    if needed is None:
        return GpuState(None, find_driver_version())
    names = name_libraries(needed)
    others = [n for n in OTHER_MAJORS if n != needed and can_load(name_libraries(n)[0])]
    return GpuState(
        needed,
        find_driver_version(),
        tuple(name for name in names if not can_load(name)),
        tuple(others),
        tuple(find_variables()),
    )


def read_major(version: str | None) -> int | None:
    """Return the major number of a version such as "13.0"."""
    match = re.match(r"\d+", version or "")
    return int(match[0]) if match else None


def name_libraries(major: int) -> tuple[str, ...]:
    """Return the files of CUDA's runtime, of cuBLAS and of cuDNN; the first is CUDA's own."""
    if sys.platform == "win32":
        return (
            f"cudart64_{major}.dll",
            f"cublasLt64_{major}.dll",
            f"cublas64_{major}.dll",
            f"cudnn64_{CUDNN_MAJOR}.dll",
        )
    return (
        f"libcudart.so.{major}",
        f"libcublasLt.so.{major}",
        f"libcublas.so.{major}",
        f"libcudnn.so.{CUDNN_MAJOR}",
    )


def can_load(library: str) -> bool:
    """Tell whether the system finds a library, or has it loaded already."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def find_driver_version() -> tuple[int, int] | None:
    """Return the newest CUDA that the driver runs, (major, minor); None without a driver."""
    try:
        cuda = ctypes.CDLL(LIBCUDA[sys.platform])
        version = ctypes.c_int(0)
        if cuda.cuDriverGetVersion(ctypes.byref(version)) != 0:
            return None
    except (KeyError, OSError, AttributeError):
        return None
    return version.value // 1000, version.value % 1000 // 10


def find_variables() -> Iterator[tuple[str, int]]:
    """Yield variables of the environment that point to a CUDA, with its major version."""
    for name in ("CUDA_PATH", "CUDA_HOME"):
        folder = os.environ.get(name)
        if not folder:
            continue
        version = Path(folder) / "version.json"
        try:
            text = version.read_text(encoding="utf-8", errors="replace")[:100_000]
        except OSError:
            text = ""
        match = re.search(r'"cuda"\s*:\s*\{[^{}]*"version"\s*:\s*"(\d+)', text) or re.search(
            r"(?:cuda-|v)(\d+)(?:\.\d+)?$", folder.rstrip("/\\"), re.IGNORECASE
        )
        if match:
            yield name, int(match[1])
