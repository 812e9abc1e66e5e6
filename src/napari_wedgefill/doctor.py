"""What runs on this machine, and why not faster."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import __version__
from .errors import WedgefillError
from .gpu_state import INSTALL, LIBCUDA, advise_gpu, can_load, look_at_gpu
from .memory import format_bytes, measure_free_bytes

PACKAGES = ("numpy", "scipy", "numba", "mrcfile", "tifffile", "pillow", "magicgui", "torch")
OPENGL = ("libGL.so.1", "libEGL.so.1")
#: As in the extra `all`, without which a napari that was there before may be older.
LOWEST_NAPARI = "0.9.2"
QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
#: Less free memory than this makes a fill of everyday size slow, or impossible.
LITTLE_MEMORY = 2 * 10**9


@dataclass
class Diagnosis:
    """Facts by subject, and what to do about those that are not as they should be.

    Attributes
    ----------
    facts : dict of str to dict
        Subject ("Python", "Networks", "Window", ...) to named values, ready for JSON.
    problems : list of str
        Each a sentence: what is wrong and the repair. Something does not work.
    hints : list of str
        Each a sentence: what would make it faster or add a feature. Everything works without.
    """

    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return asdict(self)

    def to_text(self) -> str:
        """Return everything for people to read."""
        lines = [f"wedgefill {__version__}"]
        for subject, values in self.facts.items():
            lines += ["", subject, *(f"  {name}: {value}" for name, value in values.items())]
        lines += ["", *(f"Problem: {text}" for text in self.problems)]
        lines += [f"Hint: {text}" for text in self.hints]
        if not self.problems:
            lines.append("Everything that was looked at works.")
        return "\n".join(lines)


def diagnose() -> Diagnosis:
    """Look at this machine; nothing is installed or changed.

    Returns
    -------
    Diagnosis
        Facts about Python, the processor, the networks' runtime, the projections, the models and
        the window.
    """
    found = Diagnosis()
    found.facts["Python"] = {
        "version": platform.python_version(),
        "program": sys.executable,
        "system": platform.platform(),
        **list_installed(PACKAGES),
    }
    _look_at_processor(found)
    _look_at_memory(found)
    _look_at_caches(found)
    _look_at_runtime(found)
    _look_at_projections(found)
    _look_at_models(found)
    _look_at_window(found)
    return found


def list_installed(names: tuple[str, ...]) -> dict[str, str]:
    """Versions of those of the packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def list_nvidia_gpus() -> list[str] | None:
    """Names of the GPUs that NVIDIA's driver shows; None where there is no driver."""
    try:
        cuda = ctypes.CDLL(LIBCUDA[sys.platform])
    except (KeyError, OSError):
        return None
    count = ctypes.c_int(0)
    if cuda.cuInit(0) != 0 or cuda.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return []
    names = []
    for index in range(count.value):
        name = ctypes.create_string_buffer(256)
        cuda.cuDeviceGetName(name, len(name), index)
        names.append(name.value.decode(errors="replace"))
    return names


def advise_runtime_repair(runtimes: Mapping[str, str]) -> str | None:
    """Say what is wrong with the installed ONNX Runtimes and how to mend it; None if nothing is.

    Parameters
    ----------
    runtimes : mapping of str to str
        Version by distribution, of "onnxruntime" and "onnxruntime-gpu".
    """
    if len(runtimes) == 2:
        return (
            "onnxruntime and onnxruntime-gpu are both installed and share one folder, so which of "
            "them runs is chance; repair with: pip uninstall -y onnxruntime onnxruntime-gpu && "
            f"{INSTALL}"
        )
    if not runtimes:
        return "no ONNX Runtime is installed; install it with: pip install onnxruntime"
    return None


def _look_at_processor(found: Diagnosis) -> None:
    from .projector.threads import available_cores

    usable, present = available_cores(), os.cpu_count() or 1
    found.facts["Processor"] = {"name": platform.processor() or platform.machine(), "cores": usable}
    if usable < present:
        found.hints.append(
            f"this process may use {usable} of {present} cores; start it without a core limit."
        )


def _look_at_memory(found: Diagnosis) -> None:
    free = measure_free_bytes()
    found.facts["Memory"] = {"free": format_bytes(free)}
    if free < LITTLE_MEMORY:
        found.hints.append(
            f"only {format_bytes(free)} of memory are free; close other programs, or bin the "
            "images: wedgefill fill FILE -o DIR --bin 2"
        )


def _look_at_caches(found: Diagnosis) -> None:
    """Look at where compiled kernels are kept; without a place each start takes longer."""
    from .projector.kernel_cache import PACKAGE, needs_folder, user_cache_folder

    chosen = os.environ.get("NUMBA_CACHE_DIR")
    found.facts["Compiled kernels"] = {"kept in": chosen or f"{PACKAGE} or {user_cache_folder()}"}
    set_it = "set" if sys.platform == "win32" else "export"
    if chosen and not os.access(_find_existing(Path(chosen)), os.W_OK):
        found.hints.append(
            f"compiled kernels are to be kept in {chosen} (NUMBA_CACHE_DIR), which cannot be "
            f"written to; choose another folder: {set_it} NUMBA_CACHE_DIR=FOLDER"
        )
    elif needs_folder():
        found.hints.append(
            f"compiled kernels cannot be kept in {PACKAGE} nor in {user_cache_folder()}, so they "
            f"may have to be compiled again at each start; name a folder for them: {set_it} "
            "NUMBA_CACHE_DIR=FOLDER"
        )


def _find_existing(folder: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _look_at_runtime(found: Diagnosis) -> None:
    from .joint_model.onnx_session import report_providers

    runtimes = list_installed(("onnxruntime-gpu", "onnxruntime"))
    if (repair := advise_runtime_repair(runtimes)) is not None:
        found.problems.append(repair)
    gpus, report = list_nvidia_gpus(), report_providers()
    found.facts["Networks"] = {
        **runtimes,
        "NVIDIA driver": "none" if gpus is None else ", ".join(gpus) or "present, but no GPU",
        "CUDA": report.get("cuda_obstacle") or "nothing stands against it",
        "device auto": report.get("auto_chooses", "unknown"),
    }
    if runtimes and "import_error" in report:
        found.problems.append(f"ONNX Runtime cannot be imported: {report['import_error']}")
    if gpus and "import_error" not in report:
        advice = advise_gpu(look_at_gpu(report.get("cuda_version")))
        found.hints += [f"there is a GPU, but {sentence}." for sentence in advice]


def _look_at_projections(found: Diagnosis) -> None:
    facts: dict[str, Any] = {"arrays": "numba, on the processor", **list_installed(("triton",))}
    found.facts["Projections"] = facts
    if not list_installed(("torch",)):
        facts["CUDA tensors"] = "none, for torch is not installed"
        return
    try:
        from .projector.triton_support import obstacle

        reason = obstacle()
    except (ImportError, OSError) as error:
        facts["CUDA tensors"] = "none, for torch cannot be imported"
        found.problems.append(f"torch is installed but cannot be imported: {error}")
        return
    if reason is None:
        facts["CUDA tensors"] = "Triton kernels"
    elif not list_nvidia_gpus():
        facts["CUDA tensors"] = f"none, for {reason}"
    else:
        facts["CUDA tensors"] = f"plain torch or none, for {reason}"
        found.hints.append(f"projections of CUDA tensors could be faster, but {reason}.")


def _look_at_models(found: Diagnosis) -> None:
    from .joint_model.registry import find_bundled_folder, list_models

    facts: dict[str, Any] = {"folder": str(find_bundled_folder())}
    try:
        models = list_models()
    except WedgefillError as error:
        found.problems.append(str(error))
        models = []
    for model in models:
        facts[model.name] = model.summary
        try:
            facts[f"{model.name} runs on"] = find_provider(model.name)
        except WedgefillError as error:
            found.problems.append(str(error))
    if not models:
        found.problems.append(
            "no trained model was found, so method gan cannot run; install the package again, or "
            "give a model's folder with --model."
        )
    found.facts["Models"] = facts


def find_provider(model_name: str) -> str:
    """Check a model's hashes, open it as `fill` would, and say which provider really runs it.

    Raises
    ------
    WedgefillError
        If its files are not those described, or no session can be opened.
    """
    from .joint_model.model import JointModel
    from .joint_model.registry import load

    return JointModel(load(model_name)).open()


def _look_at_window(found: Diagnosis) -> None:
    napari, bindings = list_installed(("napari", "qtpy")), list_installed(QT_BINDINGS)
    found.facts["Window"] = {**napari, **bindings, "display": "yes" if has_display() else "no"}
    if "napari" not in napari:
        found.hints.append("for the window, install napari: pip install 'napari[pyqt6]'")
    elif _read_numbers(napari["napari"]) < _read_numbers(LOWEST_NAPARI):
        found.problems.append(
            f"napari {napari['napari']} is older than {LOWEST_NAPARI}, which the window needs; "
            f"update it with: pip install --upgrade 'napari>={LOWEST_NAPARI}'"
        )
    elif not bindings:
        found.problems.append(
            "napari is installed without a Qt binding, so its window cannot open; repair with: "
            "pip install PyQt6"
        )
    elif (missing := find_missing_opengl()) is not None:
        found.problems.append(
            f"{missing} is missing, which napari draws with, so its window cannot open; install "
            "it with: sudo apt-get install libgl1 libegl1 libopengl0 (or your system's packages "
            "of these names)"
        )


def _read_numbers(version: str) -> list[int]:
    """Return the numbers that a version begins with: 0.9.2rc1 gives 0, 9, 2."""
    return [int(number) for number in re.findall(r"(?<![a-z\d])\d+", version)[:3]]


def find_missing_opengl() -> str | None:
    """Return the library of OpenGL that a window would miss; None on systems that bring it."""
    if not sys.platform.startswith("linux"):
        return None
    return next((name for name in OPENGL if not can_load(name)), None)


def has_display() -> bool:
    """Tell whether a window could be shown; on Linux that takes X11 or Wayland."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
